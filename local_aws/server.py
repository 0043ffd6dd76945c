"""Starts the local AWS from Python, and makes sure that it ends.

with LocalAws() as aws:
    aws.client("sns").create_topic(Name="built")
    subprocess.run(["terraform", "apply"], env=aws.environment())
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import boto3

from local_aws.calls import Call
from local_aws.clients import ACCOUNT

_READY_WITHIN_SECONDS = 60
_ENDS_WITHIN_SECONDS = 10
_DID_NOT_BECOME_HEALTHY = (
    "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
    "Client.InstanceInitiatedShutdown: Instance initiated shutdown"
)
"""As in AWS's guide "Troubleshoot unhealthy instances" and reports of users."""


class LocalAwsError(Exception):
    """The local AWS did not start, or does not answer; the message is one line."""


class LocalAws:
    """`python -m local_aws` as a child process; a context manager.

    `port` 0 takes any free port; `state_seconds` is how long image builds stay in each state. The server and the
    Lambda functions that it runs end with the context, and also when this process is killed.
    """

    def __init__(self, *, port: int = 0, state_seconds: float = 0.0) -> None:
        self._command = [sys.executable, "-m", "local_aws", "--until-stdin-closes"]
        self._command += ["--port", str(port), "--state-seconds", str(state_seconds)]
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._session = boto3.Session()
        self._lock = threading.Lock()
        self.endpoint = ""
        """`http://127.0.0.1:PORT`, as soon as it has started."""

    def __enter__(self) -> Self:
        """Start the server, and wait until it is ready. Raises `LocalAwsError` with the last line of its output."""
        # a file without a name, which is removed with the processes; a pipe would fill up
        self._log = tempfile.TemporaryFile()
        # a session of its own: Ctrl-C reaches only the parent, and all processes of the group can be killed at once
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=Path(__file__).parents[1],
            text=True,
            start_new_session=True,
        )
        try:
            self.endpoint = self._endpoint_when_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the server and everything it started."""
        self._end()

    @property
    def pid(self) -> int:
        """The server's process; it leads the process group of everything that it starts."""
        return self._process.pid

    def environment(self, *, region: str = "us-east-1", account: str = ACCOUNT) -> dict[str, str]:
        """The environment of this process, with those variables of AWS that lead to this server, and no others.

        They are for an administrator of the account.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        direct = ",".join(filter(None, (kept.get("no_proxy") or kept.get("NO_PROXY"), "127.0.0.1,localhost")))
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": direct,
            "no_proxy": direct,
        }

    def client(self, service: str, *, region: str = "us-east-1", account: str = ACCOUNT) -> Any:
        """A boto3 client of this server for an administrator of an account, the same one for the same arguments.

        It is closed when the server ends.
        """
        key = (service, region, account)
        with self._lock:
            if key not in self._clients:
                # one session for all: it reads the model of each service only once
                self._clients[key] = self._session.client(  # type: ignore[call-overload]
                    service,
                    region_name=region,
                    endpoint_url=self.endpoint,
                    aws_access_key_id=account,
                    aws_secret_access_key="test",
                )
            return self._clients[key]

    def fail_next_build(self, *, at: Literal["BUILDING", "TESTING"], reason: str = "") -> None:
        """Let the next image build that starts fail at a state. Default: with a reason as AWS gives it.

        A build without tests has no state TESTING, and does not fail there.
        """
        self._control("next-build", {"fail": at, "reason": reason})

    def scan_next_build(
        self,
        pipeline: str,
        *,
        findings: Sequence[Mapping[str, str]] | None = None,
        status: str = "COMPLETED",
        reason: str = "",
    ) -> None:
        """Choose how the scan of the next build of a pipeline, by its ARN, goes; the pipeline must scan its builds.

        A finding has a `severity`, and may have `vulnerability`, `package`, `version` and `fixed`. Default: what
        follows from the packages of the build (`image_builder.packages`). In the status PENDING, SCANNING or COLLECTING
        the scan stays, also when the build has become AVAILABLE, until `change_scan`.
        """
        self._control("next-scan", {"pipeline": pipeline, "findings": findings, "status": status, "reason": reason})

    def change_scan(self, build: str, *, status: str = "COMPLETED", reason: str = "") -> None:
        """Change the status of the scan of a build, by its ARN; its findings are listed when it is COMPLETED."""
        self._control("scan", {"build": build, "status": status, "reason": reason})

    def set_state_seconds(self, seconds: float) -> None:
        """Change how long image builds stay in each state, also those that are running."""
        self._control("state-seconds", {"seconds": seconds})

    def date_ami(self, ami: str, date: str) -> None:
        """Change when an AMI was created, to a time such as `2026-01-02T03:04:05.000Z`."""
        self._control("ami-date", {"ami": ami, "date": date})

    def launch_ami(self, ami: str, date: str) -> None:
        """Change when an instance of an AMI was launched last, to a time such as `2026-01-02T03:04:05.000Z`."""
        self._control("ami-launched", {"ami": ami, "date": date})

    def end_next_refresh(self, group: str, *, status: str, percentage: int = 0, reason: str = "") -> None:
        """Choose how the next instance refresh of a group ends.

        `status` is one of AWS's, or `Refused` for a refresh that cannot be started; `percentage` of the instances are
        replaced.
        """
        self._control("next-refresh", {"group": group, "status": status, "percentage": percentage, "reason": reason})

    def set_rollout_time(
        self, *, launch_seconds: float = 0.0, scale: float = 0.0, give_up_seconds: float | None = None
    ) -> None:
        """Change how long launches and instance refreshes of groups take. Default: no time at all.

        An instance is in service `launch_seconds` after its launch. AWS's durations (warm-up, checkpoint delay, bake
        time, and the hour after which a refresh that cannot go on fails) are multiplied by `scale`;
        `give_up_seconds` replaces the hour.
        """
        options = {"launch_seconds": launch_seconds, "scale": scale, "give_up_seconds": give_up_seconds}
        self._control("rollout-time", options)

    def pass_time(self, seconds: float) -> None:
        """Let time pass at once for all groups that there are: what happens to them in it has happened afterwards.

        Time also passes by itself. The times of other services, and of groups that are made later, do not move.
        """
        self._control("pass-time", {"seconds": seconds})

    def break_instances(self, instances: str, *, reason: str = "") -> None:
        """Let instances of an AMI that are launched from now on not become healthy.

        `instances` is an AMI, or a launch template and the number of its version: `lt-0a1b2c3d:2`. Auto Scaling
        terminates them at the end of their launch, with `reason` as the message of the scaling activity, and tries
        again. Default: a reason as AWS gives it.
        """
        self._control("break", {"instances": instances, "reason": reason or _DID_NOT_BECOME_HEALTHY})

    def heal_instances(self, instances: str) -> None:
        """Let instances of an AMI, or of a template's version, become healthy again."""
        self._control("heal", {"instances": instances})

    def conflict_next_write(self, bucket: str) -> None:
        """Let the next conditional PutObject to a bucket fail with 409, as if another had finished meanwhile."""
        self._control("next-conflict", {"bucket": bucket})

    def set_rules(self, *, every_seconds: float) -> None:
        """Let EventBridge's rules work: those with a schedule call their targets so often, whatever the schedule says,
        and changes of parameters are events for the others.

        0, as at the start, ends both: functions run when they are called by hand, and can be counted.
        """
        self._control("rules", {"every_seconds": every_seconds})

    def run_lifecycle_policy(self, arn: str, *, at: datetime) -> str:
        """Run a lifecycle policy as if it were `at`; gives the ID of the lifecycle execution."""
        return str(self._control("lifecycle", {"policy": arn, "at": at.isoformat()})["execution"])

    def make_role(self, name: str, *, account: str, trusts: Sequence[str]) -> str:
        """Make a role that accounts, roles (by their ARNs) or services (`ec2.amazonaws.com`) can assume; gives its ARN.

        If the account has a role with this name, it is changed to trust these.
        """
        return str(self._control("role", {"account": account, "name": name, "trusts": list(trusts)})["arn"])

    def place_account(self, account: str, path: str) -> None:
        """Put an account into an organization, at a path such as `o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/`."""
        self._control("organization", {"account": account, "path": path})

    def record_calls(self, agent: str | None) -> None:
        """Forget the calls that were kept, and keep those whose user agent contains a text. None: keep none."""
        self._control("record-calls", {"agent": agent})

    def calls(self) -> list[Call]:
        """Each different call since `record_calls`, oldest first."""
        return [Call(**call) for call in self._control("calls")["calls"]]

    def log(self) -> str:
        """What the server has written so far, for example why it refused something that AWS might allow."""
        # without `seek`: the server writes at the position that it would change
        return os.pread(self._log.fileno(), 1_000_000, 0).decode(errors="replace")

    def messages(self) -> list[dict[str, Any]]:
        """The messages that Image Builder has published to SNS, oldest first."""
        return [json.loads(message) for message in self._control("messages")["messages"]]

    def reset(self) -> None:
        """Forget everything, in all services, as if just started, except how long builds stay in each state."""
        self._request("/_ministack/reset", body=b"")
        self._control("reset", {})

    def _endpoint_when_ready(self) -> str:
        assert self._process.stdout is not None
        too_late = threading.Timer(_READY_WITHIN_SECONDS, self._process.kill)
        too_late.start()
        try:
            line = self._process.stdout.readline()
        finally:
            too_late.cancel()
        if not line.startswith("local AWS ready at "):
            self._process.wait()
            reason = self._last_output() or f"not ready within {_READY_WITHIN_SECONDS} seconds"
            raise LocalAwsError(f"the local AWS did not start: {reason}")
        return line.split()[-1]

    def _control(self, path: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
        body = None if options is None else json.dumps(options).encode()
        answer: dict[str, Any] = json.loads(self._request(f"/_local_aws/{path}", body=body))
        return answer

    def _request(self, path: str, *, body: bytes | None) -> bytes:
        request = urllib.request.Request(self.endpoint + path, data=body)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
                content: bytes = response.read()
        except OSError as error:
            last = self._last_output()
            raise LocalAwsError(f"the local AWS does not answer to {path}: {error}; {last}") from error
        return content

    def _end(self) -> None:
        for client in self._clients.values():
            client.close()
        self._process.terminate()
        try:
            self._process.communicate(timeout=_ENDS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
        self._log.close()

    def _last_output(self) -> str:
        lines = self.log().strip().splitlines()
        return lines[-1] if lines else ""
