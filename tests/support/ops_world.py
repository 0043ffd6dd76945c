"""The basis of the tests of `goldsmith`: a deployed image, its configuration, and ways to run a command."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from ops.command_line import main
from tests.support.handoff_world import ImageWorld

HERE = "arn:aws:imagebuilder:us-east-1:000000000000"
_MANAGED = "arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x"
_ENDED = ("AVAILABLE", "FAILED")


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit status."""

    out: str
    err: str
    status: int


def only(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process have no other environment."""
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def run_ops(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> Answer:
    """Run a command in this process."""
    try:
        status = main([*arguments])
    except SystemExit as error:
        status = int(str(error))
    written = capsys.readouterr()
    return Answer(written.out, written.err, status)


@dataclass(frozen=True)
class Shell:
    """Where commands run: an environment and a configuration."""

    config: Path
    environment: Mapping[str, str]
    ops: Callable[..., Answer]
    """Runs a command in this process."""

    def declare(
        self,
        *images: str,
        settings: str = "",
        regions: str = "us-east-1, eu-west-1",
        channels: str = "[prod]",
        more: str = "",
    ) -> None:
        """Write the configuration again, with these images; `more` are further fields, each after a comma."""
        fields = f"os: amazon-linux-2023, build: ['{_MANAGED}'], regions: [{regions}], channels: {channels}{more}"
        lines = ["settings:", "  namespace: acme", settings, "images:", *(f"  {name}: {{{fields}}}" for name in images)]
        self.config.write_text("\n".join(lines))

    @contextmanager
    def running(self, *arguments: str, stdout: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
        """A command in a process of its own."""
        command = [sys.executable, "-m", "ops", *arguments, "--config", str(self.config)]
        process = subprocess.Popen(
            command,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=self.environment,
            cwd=Path(__file__).parents[2],
            encoding="utf-8",
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def on_a_terminal(self, *arguments: str) -> str:
        """Everything that a command writes to a terminal, control characters and all."""
        terminal, slave = pty.openpty()
        written = b""
        with self.running(*arguments, stdout=slave) as process, os.fdopen(terminal, "rb", buffering=0) as reader:
            os.close(slave)
            try:
                while chunk := reader.read(65536):
                    written += chunk
            except OSError:  # Linux's way to report that no process has the terminal open any longer
                pass
            process.wait(timeout=30)
        return written.decode()


def impatient_shell(
    aws: LocalAws,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    **variables: str,
) -> Shell:
    """A shell whose commands ask AWS once, in no other environment than the local AWS's and these variables."""
    environment = aws.environment() | {"AWS_MAX_ATTEMPTS": "1"} | variables
    only(environment, monkeypatch)
    return Shell(
        config=config,
        environment=environment,
        ops=lambda *arguments: run_ops([*arguments, "--config", str(config)], capsys),
    )


@dataclass(frozen=True)
class OpsWorld(Shell):
    """A shell, and an image that is declared and has a pipeline on the local AWS."""

    web: ImageWorld

    @property
    def name(self) -> str:
        """The image's."""
        return self.web.name

    def arn(self, build: str) -> str:
        """The ARN of a build of the image."""
        return f"{HERE}:image/acme-{self.name}/{build}"

    def hand_off_when_built(self, build: str) -> None:
        """What SNS does on AWS: call the function when the build is over."""
        while self.web.details(self.arn(build))["state"]["status"] not in _ENDED:
            time.sleep(0.05)
        self.web.run()

    def point(self, channel: str, *, region: str, build: str, created: datetime) -> None:
        """What an operator does: move a channel to a build; the record says that it was made then."""
        self.web.other_ssm[region].put_parameter(
            Name=f"{self.web.path}/{channel}",
            Value=self.web.values(self.arn(build))[region],
            Type="String",
            Description=json.dumps({"build": self.arn(build), "created": created.isoformat()}),
            Overwrite=True,
        )


def refusing(code: str, message: str) -> AbstractContextManager[str]:
    """The endpoint of an AWS that refuses everything, in JSON or in the XML of the service that is asked."""

    def refusal(request: BaseHTTPRequestHandler, _: str) -> tuple[int, str]:
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        service = request.headers["authorization"]
        if "/ec2/" in service:
            return 403, f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>"
        if any(f"/{name}/" in service for name in ("autoscaling", "iam", "sts")):
            return 403, f"<ErrorResponse>{error}</ErrorResponse>"
        return 403, json.dumps({"__type": code, "message": message})

    return serving(refusal)


def answering(answers: Mapping[str, str]) -> AbstractContextManager[str]:
    """The endpoint of an AWS that knows these operations' answers only."""

    def answer(request: BaseHTTPRequestHandler, body: str) -> tuple[int, str]:
        asked = " ".join((request.path, request.headers.get("x-amz-target", ""), body))
        return 200, next(answers[operation] for operation in answers if operation in asked)

    return serving(answer)


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler, str], tuple[int, str]]) -> Iterator[str]:
    """The endpoint of a server whose status and body are those that `answer` gives to a request and its body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            status, text = answer(self, asked)
            body = text.encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
