"""A Lambda function from a folder of `lambda_src/`: deterministic archive, role, log group, dead letters."""

import zipfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.lambda_function import (
    LambdaFunction,
    LambdaFunctionDeadLetterConfig,
    LambdaFunctionEnvironment,
)
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue

from estate import names
from estate.models.settings import Iam
from stacks.policy import Statement, for_account, only_over_tls, policy
from stacks.role import add_role

SOURCES = Path(__file__).parent.parent / "lambda_src"
RUNTIME = "python3.13"
TIMEOUT_IN_SECONDS = 300  # a region that does not answer costs 17, one after the other
MEMORY_IN_MEGABYTES = 256
LOG_RETENTION_IN_DAYS = 365
DEAD_LETTER_RETENTION_IN_SECONDS = 14 * 24 * 3600


@dataclass(frozen=True)
class Function:
    """What the parts around a function need of it."""

    function: LambdaFunction
    dead_letters: SqsQueue


def add_function(
    stack: TerraformStack,
    *,
    source: str,
    name: str,
    role_name: str,
    description: str,
    account: str,
    configuration: tuple[str, str],
    environment: dict[str, str],
    statements: Sequence[Statement],
    iam: Iam,
    kms_key: str,
    dead_letters_from: Sequence[Statement] = (),
) -> Function:
    """The function `lambda_src/<source>`, allowed what `statements` say, its own log and its own dead letters.

    `configuration` is the name and text of a file beside its sources; `environment` is for what only Terraform knows,
    because Lambda takes 4,096 bytes of it.
    `dead_letters_from` are statements of the queue's own policy, which let others write to it, too.
    """
    dead_letters = SqsQueue(
        stack,
        "dead_letters",
        name=names.dead_letters(name),
        kms_master_key_id=kms_key,
        message_retention_seconds=DEAD_LETTER_RETENTION_IN_SECONDS,
        # not a resource of its own: the provider waits 25 seconds for a queue to settle, and again for its policy
        # in a queue's own policy "*" is that queue
        policy=policy(only_over_tls("sqs:*", "*"), *dead_letters_from),
    )
    # made here, so that it has a key, a retention, and goes with the stack
    log = CloudwatchLogGroup(
        stack, "log", name=names.function_log(name), kms_key_id=kms_key, retention_in_days=LOG_RETENTION_IN_DAYS
    )
    role, role_policy = add_role(
        stack,
        "function",
        name=role_name,
        service="lambda.amazonaws.com",
        statements=[
            *statements,
            {
                "Sid": "OwnLog",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": f"{log.arn}:*",
            },
            {"Sid": "OwnDeadLetters", "Action": "sqs:SendMessage", "Resource": dead_letters.arn},
            {
                "Sid": "EncryptDeadLetters",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": kms_key,
                "Condition": {"StringLike": {"kms:ViaService": "sqs.*.amazonaws.com"}},
            },
        ],
        iam=iam,
        # Lambda says for whom it takes the role ("Defining Lambda function permissions with an execution role")
        trust_condition=for_account(account),
    )
    file, digest = _write_archive(stack, source, configuration=configuration)
    function = LambdaFunction(
        stack,
        "function",
        function_name=name,
        description=description,
        role=role.arn,
        runtime=RUNTIME,
        handler=f"{source}.handler.handle",
        filename=file,
        source_code_hash=digest,
        timeout=TIMEOUT_IN_SECONDS,
        memory_size=MEMORY_IN_MEGABYTES,
        environment=LambdaFunctionEnvironment(variables=environment),
        dead_letter_config=LambdaFunctionDeadLetterConfig(target_arn=dead_letters.arn),
        # the first run must find leave and log
        depends_on=[role_policy, log],
    )
    return Function(function, dead_letters)


def archive(folder: Path, *, files: Mapping[str, str]) -> bytes:
    """The Python sources of a folder, and further `files` of it by name, as a zip that holds the folder as a package.

    Same sources and files, same bytes, on every machine: fixed order, dates and modes, nothing compressed (zlib's
    output differs by version), no caches.
    """
    sources = {file.relative_to(folder.parent).as_posix(): file.read_bytes() for file in folder.rglob("*.py")}
    written = {f"{folder.name}/{name}": text.encode() for name, text in files.items()}
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as zipped:
        for name, file in sorted({**sources, **written}.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whichever system synthesizes
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, file)
    return content.getvalue()


def _write_archive(stack: TerraformStack, source: str, *, configuration: tuple[str, str]) -> tuple[str, str]:
    """Puts the archive beside the stack's JSON; its path from there, and its hash as Lambda tells it."""
    zipped = archive(SOURCES / source, files=dict([configuration]))
    folder = Path(App.of(stack).outdir) / "stacks" / stack.node.id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{source}.zip").write_bytes(zipped)
    return f"{source}.zip", b64encode(sha256(zipped).digest()).decode()
