"""A Lambda function with sources of `lambda_src/`: archive, role, log group, dead-letter queue."""

import json
import zipfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Literal

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.lambda_function import (
    LambdaFunction,
    LambdaFunctionDeadLetterConfig,
    LambdaFunctionEnvironment,
)
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue

from estate import names
from estate.models.settings import Iam
from stacks.policy import Statement, for_account, only_over_tls, policy
from stacks.role import add_role
from stacks.terraform import folder_of

SOURCES = Path(__file__).parent.parent / "lambda_src"
RUNTIME = "python3.13"
TIMEOUT_IN_SECONDS = 300  # a region that does not answer takes 17, and regions are asked one after the other
MEMORY_IN_MEGABYTES = 256
LOG_RETENTION_IN_DAYS = 365
DEAD_LETTER_RETENTION_IN_SECONDS = 14 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Code:
    """What a function runs."""

    name: str
    """Of the archive, without `.zip`."""
    handler: str
    """As Lambda takes it: module and function."""
    archive: bytes


@dataclass(frozen=True)
class Function:
    """A function, and the queue of the events that it could not process."""

    function: LambdaFunction
    dead_letters: SqsQueue


def add_function(
    stack: TerraformStack,
    *,
    code: Code,
    name: str,
    role_name: str,
    description: str,
    account: str,
    environment: dict[str, str],
    statements: Sequence[Statement],
    iam: Iam,
    kms_key: str,
    dead_letters_from: Sequence[Statement] = (),
) -> Function:
    """The function with a role of these `statements`, a log group and a dead-letter queue.

    `environment` is for what only Terraform knows, because Lambda takes at most 4,096 bytes; everything else is in a
    file of the archive. `dead_letters_from` are statements of the queue's policy for others that send to it, too.
    """
    dead_letters = SqsQueue(
        stack,
        "dead_letters",
        name=names.dead_letters(name),
        kms_master_key_id=kms_key,
        message_retention_seconds=DEAD_LETTER_RETENTION_IN_SECONDS,
        # not a resource of its own: the provider waits 25 seconds for a queue, and 25 more for a separate policy
        # in a queue's own policy "*" is that queue
        policy=policy(only_over_tls("sqs:*", "*"), *dead_letters_from),
    )
    # so that it has a key and a retention, and is destroyed with the stack
    log = CloudwatchLogGroup(
        stack, "log", name=names.function_log(name), kms_key_id=kms_key, retention_in_days=LOG_RETENTION_IN_DAYS
    )
    role, role_policy = add_role(
        stack,
        "function",
        name=role_name,
        service="lambda.amazonaws.com",
        statements=[*statements, *_own_statements(log, dead_letters, kms_key)],
        iam=iam,
        # Lambda sends the account when it assumes the role ("Defining Lambda function permissions with an execution
        # role" in its developer guide)
        trust_condition=for_account(account),
    )
    file, digest = _write_archive(stack, code)
    function = LambdaFunction(
        stack,
        "function",
        function_name=name,
        description=description,
        role=role.arn,
        runtime=RUNTIME,
        handler=code.handler,
        filename=file,
        source_code_hash=digest,
        timeout=TIMEOUT_IN_SECONDS,
        memory_size=MEMORY_IN_MEGABYTES,
        environment=LambdaFunctionEnvironment(variables=environment) if environment else None,
        dead_letter_config=LambdaFunctionDeadLetterConfig(target_arn=dead_letters.arn),
        # the first run needs its permissions and its log group
        depends_on=[role_policy, log],
    )
    return Function(function, dead_letters)


def add_call(
    stack: TerraformStack,
    what: Literal["schedule", "channels", "channel_moves"],
    *,
    name: str,
    description: str,
    schedule_expression: str | None = None,
    event_pattern: str | None = None,
    function: Function,
) -> None:
    """Calls a function by a schedule, or on events. `name` is that of the rule in AWS."""
    rule = CloudwatchEventRule(
        stack,
        what,
        name=name,
        description=description,
        schedule_expression=schedule_expression,
        event_pattern=event_pattern,
    )
    LambdaPermission(
        stack,
        f"{what}_permission",
        statement_id=what,
        action="lambda:InvokeFunction",
        function_name=function.function.function_name,
        principal="events.amazonaws.com",
        source_arn=rule.arn,
    )
    CloudwatchEventTarget(stack, f"{what}_target", rule=rule.name, arn=function.function.arn)


def parameter_changes(names: Sequence[str | Mapping[str, str]]) -> str:
    """The event pattern of changes of parameters, by their names or as EventBridge's `prefix`."""
    return json.dumps(
        {"source": ["aws.ssm"], "detail-type": ["Parameter Store Change"], "detail": {"name": list(names)}}
    )


def _own_statements(log: CloudwatchLogGroup, dead_letters: SqsQueue, kms_key: str) -> list[Statement]:
    """For the function's log group and dead-letter queue."""
    return [
        {"Sid": "WriteLog", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": f"{log.arn}:*"},
        {"Sid": "SendDeadLetters", "Action": "sqs:SendMessage", "Resource": dead_letters.arn},
        {
            "Sid": "EncryptDeadLetters",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": kms_key,
            "Condition": {"StringLike": {"kms:ViaService": "sqs.*.amazonaws.com"}},
        },
    ]


def archive(folder: Path, *, files: Mapping[str, str]) -> bytes:
    """A zip with the Python sources of a folder and more `files` by name, as a package with the folder's name.

    No caches.
    """
    sources = {file.relative_to(folder.parent).as_posix(): file.read_bytes() for file in folder.rglob("*.py")}
    written = {f"{folder.name}/{name}": text.encode() for name, text in files.items()}
    return zipped({**sources, **written})


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of files by their paths.

    The same files make the same bytes on every machine: fixed order, dates and modes, no compression (zlib's output
    differs by version).
    """
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as written:
        for name, file in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, also when another system synthesizes
            entry.external_attr = 0o644 << 16
            written.writestr(entry, file)
    return content.getvalue()


def _write_archive(stack: TerraformStack, code: Code) -> tuple[str, str]:
    """Writes the archive into the folder of the stack's JSON; its path from there, and its hash in Lambda's form."""
    file = f"{code.name}.zip"
    (folder_of(stack) / file).write_bytes(code.archive)
    return file, b64encode(sha256(code.archive).digest()).decode()
