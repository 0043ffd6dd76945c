"""The ASGI app that a client sees: Image Builder here, everything else in ministack behind it.

Which service a request is for stands in the credential scope of its signature. Paths under `/_local_aws/`,
which AWS does not use, steer the server itself (`control.py`).
"""

import asyncio
import os
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from local_aws.asgi import App, Message, Receive, Scope, Send, read_body, respond
from local_aws.control import Control
from local_aws.image_builder.builds import Builds
from local_aws.image_builder.neighbours import Neighbours
from local_aws.image_builder.operations import ImageBuilder
from local_aws.image_builder.service_model import AwsError, ServiceModel
from local_aws.ministack.alarms import WholeAlarms
from local_aws.ministack.ami_attributes import AmiAttributes
from local_aws.ministack.ami_states import AmiStates
from local_aws.ministack.amis import WholeAmis
from local_aws.ministack.auto_scaling import FollowingGroups
from local_aws.ministack.group_instances import GroupInstances
from local_aws.ministack.public_parameters import PublicParameters
from local_aws.parameter_limits import ParameterLimits

_SERVICES = (
    # those that stacks, function, commands and tests ask, and apigateway, which looks at every unsigned path
    *("apigateway", "autoscaling", "ec2", "ecr", "events", "iam", "kms", "lambda", "logs", "monitoring"),
    *("s3", "sns", "sqs", "ssm", "sts", "tagging"),
)
_CREDENTIAL_SCOPE = re.compile(rb"Credential=[^/]*/[0-9]{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


def prepare_environment(*, port: int) -> None:
    """Set what ministack reads while it is imported, and what the Lambda functions it runs inherit.

    It keeps nothing on disk, opens no other port (its MQTT and SFTP listeners, containers) and looks for no
    Docker. Credentials and endpoints of the user's shell do not reach it, nor a proxy the loopback address.
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

    Otherwise it would answer 500 then, and whoever asks would try again for minutes without a word.
    """
    name = "ministack.app"
    try:
        registry = import_module(name).SERVICE_REGISTRY
        for service in _SERVICES:
            entry = registry[service]
            for module in (entry["module"], *entry.get("sub_modules", ())):
                name = f"ministack.services.{module}"
                import_module(name)
    except Exception as error:  # whatever a module does while it is imported
        raise CannotServe(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


class CannotServe(Exception):
    """A part of ministack is broken; one line says which."""


class Front:
    """The whole local AWS as one ASGI app; `prepare_environment` comes first.

    `on_ready` is called once, when requests are answered.
    """

    def __init__(self, *, port: int, state_seconds: float, on_ready: Callable[[], None]) -> None:
        # Not earlier: ministack reads the environment while it is imported.
        from ministack.app import app  # type: ignore[import-untyped]
        from ministack.core import lambda_runtime  # type: ignore[import-untyped]

        self._ministack: App = app
        self._stop_functions: Callable[[], None] = lambda_runtime.reset
        self._auto_scaling = FollowingGroups(app=app)
        ami_states = AmiStates(app=GroupInstances(app=app, origins=self._auto_scaling.origins))
        amis = WholeAmis(app=ami_states)
        neighbours = Neighbours(endpoint=f"http://127.0.0.1:{port}", amis=amis)
        self._ec2 = AmiAttributes(app=_of_its_region(amis), neighbours=neighbours)
        self._parameters = PublicParameters(app=ParameterLimits(app=app))
        self._cloudwatch = WholeAlarms(app=app)
        self._model = ServiceModel()
        builds = Builds(state_seconds=state_seconds)
        self._image_builder = ImageBuilder(neighbours=neighbours, builds=builds)
        self._control = Control(
            builds=builds,
            image_builder=self._image_builder,
            amis=amis,
            ami_states=ami_states,
            groups=self._auto_scaling,
        )
        self._on_ready = on_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        region, service = _credential_scope(scope)
        if scope["type"] == "http" and scope["path"].startswith("/_local_aws/"):
            await self._control(scope, receive, send)
        elif service == "imagebuilder":
            await self._answer(scope, receive, send, region=region)
        elif service == "ec2" and scope["type"] == "http":
            await self._ec2(scope, receive, send, region=region)
        elif service == "ssm" and scope["type"] == "http":
            await self._parameters(scope, receive, send, region=region)
        elif service == "monitoring" and scope["type"] == "http":
            await self._cloudwatch(scope, receive, send)
        elif service == "autoscaling" and scope["type"] == "http":
            await self._auto_scaling(scope, receive, send, region=region)
        else:
            await self._ministack(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, *, region: str) -> None:
        body = await read_body(receive)
        # In a thread, because Image Builder asks its neighbours, who are served by this very loop.
        status, headers, content = await asyncio.to_thread(self._image_builder_response, scope, body, region)
        await respond(send, status=status, headers=headers, body=content)

    def _image_builder_response(self, scope: Scope, body: bytes, region: str) -> tuple[int, dict[str, str], bytes]:
        try:
            operation, params = self._model.parse(
                method=scope["method"], path=scope["path"], query=scope["query_string"].decode(), body=body
            )
            result = self._image_builder.answer(operation=operation, params=params, region=region)
            return self._model.response(operation=operation, result=result)
        except AwsError as error:
            return self._model.error_response(error)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def announce(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self._on_ready()

        async def end_functions_first() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                # Functions run in processes of their own, which ministack leaves behind.
                await asyncio.to_thread(self._stop_functions)
            return message

        await self._ministack(scope, end_functions_first, announce)


def _credential_scope(scope: Scope) -> tuple[str, str]:
    """Region and service; both empty for a request that is not signed in a header."""
    for name, value in scope.get("headers", ()):
        if name == b"authorization" and (match := _CREDENTIAL_SCOPE.search(value)):
            return match["region"].decode(), match["service"].decode()
    return "", ""


def _of_its_region(amis: WholeAmis) -> App:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await amis(scope, receive, send, region=_credential_scope(scope)[0])

    return answer
