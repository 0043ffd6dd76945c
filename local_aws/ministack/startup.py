"""How ministack is started: its environment, and a check that all its modules can be imported."""

import os
from importlib import import_module

_SERVICES = (
    # those that stacks, function, commands and tests use, and apigateway, which sees every request without signature
    *("apigateway", "autoscaling", "ec2", "ecr", "events", "iam", "inspector2", "kms", "lambda", "logs", "monitoring"),
    *("s3", "sns", "sqs", "ssm", "sts", "tagging"),
)


class CannotServe(Exception):
    """A part of ministack cannot be imported; the message is one line."""


def prepare_environment(*, port: int) -> None:
    """Set what ministack reads while it is imported, and what the Lambda functions that it runs inherit.

    It keeps nothing on disk, opens no other port (for MQTT, SFTP or containers) and looks for no Docker. The
    credentials and endpoints of the user's shell do not reach it, and requests to the loopback address use no proxy.
    """
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINISTACK_"))]:
        del os.environ[name]
    os.environ |= {
        "GATEWAY_PORT": str(port),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "LOCALSTACK_PERSISTENCE": "0",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "USE_SSL": "0",
        "AUTH": "false",
        "SERVICES": "",
        "LAMBDA_EXECUTOR": "local",
        "DOCKER_HOST": f"unix://{os.devnull}/no-docker",
        "LOG_LEVEL": "ERROR",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def check_services() -> None:
    """Import what ministack would import at the first request for a service, and raise `CannotServe` if that fails.

    Otherwise ministack would answer such a request with status 500, and clients would repeat it silently for minutes.
    """
    name = "ministack.app"
    try:
        registry = import_module(name).SERVICE_REGISTRY
        for service in _SERVICES:
            entry = registry[service]
            for module in (entry["module"], *entry.get("sub_modules", ())):
                name = f"ministack.services.{module}"
                import_module(name)
    except Exception as error:  # a module can raise anything while it is imported
        raise CannotServe(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
