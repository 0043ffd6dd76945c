"""The server of the local AWS: its port, its processes, and its end."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local_aws.server import LocalAws, LocalAwsError
from tests.support.image_builder import (
    REGION,
    build,
    make_pipeline,
    refusal,
)

ROOT = Path(__file__).parents[2]


# The process


def test_port_that_is_in_use_is_one_line(local_aws: LocalAws) -> None:
    port = int(local_aws.endpoint.rpartition(":")[2])
    with pytest.raises(LocalAwsError) as refused, LocalAws(port=port):
        pass
    assert str(refused.value) == (
        f"the local AWS did not start: local AWS: port {port} of 127.0.0.1 is not available: Address already in use"
    )


def test_environment_leads_here_whatever_the_shell_says(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "https://ssm.example.com")
    environment = local_aws.environment(region=REGION)
    assert {name for name in environment if name.startswith("AWS_")} == {
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_EC2_METADATA_DISABLED",
    }
    assert environment["AWS_ENDPOINT_URL"] == local_aws.endpoint
    assert environment["AWS_REGION"] == REGION


linux_only = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at Linux's /proc")


@linux_only
def test_listens_on_one_loopback_port_and_keeps_nothing_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "TMPDIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with LocalAws() as aws:
        aws.client("s3").create_bucket(Bucket="a-bucket")
        aws.client("s3").put_object(Bucket="a-bucket", Key="a", Body=b"a" * 100_000)
        aws.client("ssm").put_parameter(Name="/a", Value="a", Type="String")
        build(aws.client("imagebuilder", region=REGION), make_pipeline(aws, "on disk"))
        port = int(aws.endpoint.rpartition(":")[2])
        assert listening(aws.pid) == [f"0100007F:{port:04X}"]  # 127.0.0.1, in the kernel's notation
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list(tmp_path.iterdir()) == []


def listening(pid: int) -> list[str]:
    """The local addresses on which the process listens, or has a datagram socket."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(os.readlink(descriptor))
        except FileNotFoundError:
            continue
    found = []
    for table, states in (("tcp", ("0A",)), ("tcp6", ("0A",)), ("udp", ("07",)), ("udp6", ("07",))):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] in states and f"socket:[{fields[9]}]" in sockets:
                found.append(fields[1])
    return found


def test_call_that_is_repeated_because_its_answer_was_lost_is_done_once(local_aws: LocalAws) -> None:
    iam = local_aws.client("iam")
    role = {"RoleName": "repeated", "AssumeRolePolicyDocument": "{}"}

    def attempt(request: Any, **_: Any) -> None:
        request.headers["amz-sdk-invocation-id"] = "1f2e3d4c"

    iam.meta.events.register("before-send.iam.CreateRole", attempt)
    try:
        first, second = iam.create_role(**role), iam.create_role(**role)
    finally:
        iam.meta.events.unregister("before-send.iam.CreateRole", attempt)

    assert first["Role"] == second["Role"]
    assert refusal(iam.create_role, **role).startswith("EntityAlreadyExists"), "another call"


def test_reset_forgets_everything() -> None:
    with LocalAws(state_seconds=30) as aws:
        pipeline = make_pipeline(aws, "to be forgotten")
        image_builder = aws.client("imagebuilder", region=REGION)
        image_builder.start_image_pipeline_execution(imagePipelineArn=pipeline["imagePipelineArn"])
        aws.reset()
        assert image_builder.list_images()["imageVersionList"] == []
        assert image_builder.list_components()["componentVersionList"] == []
        assert aws.client("sns", region=REGION).list_topics()["Topics"] == []


@linux_only
def test_functions_end_with_the_server() -> None:
    with LocalAws() as aws:
        assert invoke_function(aws) == {"endpoint": aws.endpoint}
        group = aws.pid
        assert len(processes_of(group)) > 1
    assert processes_of(group) == []


@linux_only
def test_server_ends_when_stdin_closes() -> None:
    command = [sys.executable, "-m", "local_aws", "--port", "0", "--until-stdin-closes"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().startswith("local AWS ready at http://127.0.0.1:")
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(timeout=30) == 0
    assert processes_of(process.pid) == []


STARTS_AND_WAITS = """
import time
from tests.local_aws.test_server import LocalAws, invoke_function
with LocalAws() as aws:
    invoke_function(aws)
    print(aws.pid, flush=True)
    time.sleep(600)
"""


@linux_only
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_stays_behind_when_the_parent_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_AND_WAITS],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        text=True,
    ) as parent:
        assert parent.stdout is not None
        group = int(parent.stdout.readline())
        assert len(processes_of(group)) > 1
        parent.send_signal(number)
        parent.wait(timeout=30)
    wait_until(lambda: processes_of(group) == [])
    assert list(tmp_path.iterdir()) == []


def processes_of(group: int) -> list[int]:
    """The running processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, _, process_group, *_ = rest.rpartition(")")[2].split()
        if int(process_group) == group and state != "Z":
            found.append(int(pid))
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold within 30 seconds"
        time.sleep(0.05)


def invoke_function(aws: LocalAws) -> Any:
    """Make and run a Lambda function that returns the address where it would reach AWS."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr(
            "tells/handler.py",
            "import os\ndef handle(event, context):\n    return {'endpoint': os.environ['AWS_ENDPOINT_URL']}\n",
        )
    # Not through `aws.client`: a function is not to be invoked twice because it is slow.
    config = Config(retries={"total_max_attempts": 1})
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    client = session.client("lambda", endpoint_url=aws.endpoint, config=config)
    client.create_function(
        FunctionName="tells",
        Runtime="python3.13",
        Handler="tells.handler.handle",
        Role="arn:aws:iam::000000000000:role/tells",
        Code={"ZipFile": archive.getvalue()},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="tells")
    answer = json.load(client.invoke(FunctionName="tells")["Payload"])
    client.close()
    return answer
