"""The function of a fleet as Lambda runs it, from its archive, in a process of its own for each run.

A run may meet a fault at one of its calls, and may be killed there by SIGKILL. The processes are forks of one that has
imported boto3 and read AWS's service models: so a run costs a tenth of what a new Python costs.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.handlers
import botocore.session
from botocore.awsrequest import AWSResponse

from tests.support.faults import FAULTS, LOST, Faults, Place

MODULE = "lambda_src.rollout.handler"
_SERVICES: tuple[Any, ...] = ("autoscaling", "ec2", "sns", "ssm", "sts")


@dataclass(frozen=True)
class Ran:
    """A run of the function."""

    calls: list[str]
    """`ssm eu-west-1 PutParameter`, in order, each once however often it was tried."""
    lines: list[str]
    """What it printed."""
    raised: str
    """`Unfinished: why`; empty if it ended without an error."""
    is_killed: bool

    @property
    def line(self) -> dict[str, Any]:
        """Its line in the log, which must be its only one."""
        (line,) = self.lines
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def place(self, number: int) -> Place:
        """One of its calls, by its number from 0."""
        return self.calls[number], self.calls[:number].count(self.calls[number])


@dataclass
class FunctionProcess:
    """Runs a function."""

    process: subprocess.Popen[str]
    folder: Path
    arn: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def deploy(self, archive: bytes, *, arn: str, environment: Mapping[str, str]) -> None:
        """Run this archive from now on: of another fleet, with the same sources."""
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            files.extractall(self.folder)
        self.arn, self.environment = arn, environment

    def run(
        self, place: Place | None = None, fault: str = "", *, once: bool = False, environment: Mapping[str, str] = {}
    ) -> Ran:
        """A run. A call of it meets a fault (`tests.support.faults`), as often as boto3 tries it, or `once`."""
        order = {
            "arn": self.arn,
            "environment": {**self.environment, **environment},
            "faults": {"place": place, "fault": fault, "met_once": once},
        }
        assert self.process.stdin and self.process.stdout
        print(json.dumps(order), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        trace = [line.partition(" ")[::2] for line in answer["trace"].splitlines()]
        return Ran(
            calls=[text for kind, text in trace if kind == "call"],
            lines=answer["out"].splitlines(),
            raised="".join(text for kind, text in trace if kind == "raised"),
            is_killed=answer["status"] == -signal.SIGKILL,
        )


@contextmanager
def function_process(folder: Path) -> Iterator[FunctionProcess]:
    """A process that runs functions, whose archives are unpacked into a folder."""
    command = [sys.executable, "-m", __name__, str(folder)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, encoding="utf-8"
    ) as process:
        try:
            yield FunctionProcess(process, folder)
        finally:
            process.kill()


def _serve(folder: str) -> None:
    """Read orders, and let a fork carry out each."""
    sys.path.insert(0, folder)
    botocore.session.create_loader = cache(botocore.session.create_loader)  # whose service models the forks have then
    for service in _SERVICES:
        boto3.Session(aws_access_key_id="1", aws_secret_access_key="1").client(service, region_name="us-east-1")
    gc.disable()  # which would copy the memory of each fork
    for line in sys.stdin:
        handle = importlib.import_module(MODULE).handle
        out, trace = os.pipe(), os.pipe()
        if not (pid := os.fork()):
            _carry_out(handle, json.loads(line), out=out[1], trace=trace[1])
        for _, end in (out, trace):
            os.close(end)
        with open(out[0], encoding="utf-8") as said, open(trace[0], encoding="utf-8") as traced:
            answer = {"out": said.read(), "trace": traced.read()}
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps({**answer, "status": status}), flush=True)


def _carry_out(handle: Callable[[Any, Any], None], order: Mapping[str, Any], *, out: int, trace: int) -> None:
    """Be the function: call it, and end."""
    os.dup2(out, sys.stdout.fileno())
    os.environ.clear()
    os.environ.update(order["environment"])
    time.sleep = lambda _: None  # between the tries of a call
    faults = Faults(**order["faults"], before=lambda call: _say(trace, f"call {call}"))
    faults.place = faults.place and (faults.place[0], faults.place[1])
    botocore.handlers.BUILTIN_HANDLERS.append(("before-send", faults))
    try:
        handle({}, SimpleNamespace(invoked_function_arn=order["arn"]))
    except Exception as error:
        _say(trace, f"raised {type(error).__name__}: {error}")
    os._exit(0)


def _say(trace: int, text: str) -> None:
    os.write(trace, f"{' '.join(text.split())}\n".encode())


def _killed(_: str) -> AWSResponse:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("this process has ended")


if __name__ == "__main__":
    FAULTS["killed"] = LOST["killed after AWS did it"] = _killed
    _serve(sys.argv[1])
