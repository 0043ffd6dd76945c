"""Serves AWS on one loopback port until stopped: `python -m local_aws`.

It prints one line when it is ready. It stops on SIGINT and SIGTERM, and with `--until-stdin-closes` also when its
standard input closes or its parent ends, so it never outlives a parent that was killed.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading
from functools import partial
from typing import NoReturn

from hypercorn.asyncio import serve
from hypercorn.config import Config

import entry
from local_aws.asgi import App
from local_aws.front import Front
from local_aws.ministack.startup import CannotServe, check_services, prepare_environment
from local_aws.replays import Replays


def main() -> int:
    """Serve until stopped."""
    options = _options()
    try:
        listener = socket.create_server(("127.0.0.1", options.port))
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        _fail(f"port {options.port} of 127.0.0.1 is not available: {reason}")
    port = listener.getsockname()[1]
    entry.raise_on_interrupt()  # so that the folder is removed
    with tempfile.TemporaryDirectory(prefix="local-aws-") as folder:
        # the code of Lambda functions is unpacked here, and removed with the folder
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        prepare_environment(port=port)
        try:
            check_services()
        except CannotServe as error:
            _fail(str(error))
        front = Front(
            port=port,
            state_seconds=options.state_seconds,
            on_ready=partial(_announce, port),
        )
        asyncio.run(_serve(Replays(app=front), listener=listener, until_stdin_closes=options.until_stdin_closes))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_aws", description="Serve AWS on one loopback port.")
    parser.add_argument("--port", type=int, default=4566, help="0 for any free port (default: %(default)s)")
    parser.add_argument(
        "--state-seconds",
        type=float,
        default=0.0,
        help="how long image builds stay in each state (default: %(default)s)",
    )
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="also stop when standard input closes or the parent process ends",
    )
    return parser.parse_args()


async def _serve(app: App, *, listener: socket.socket, until_stdin_closes: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
        watch = asyncio.create_task(_watch_parent(stop, parent=os.getppid()))
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "ERROR"
    config.graceful_timeout = 0.5
    config.keep_alive_timeout = 75
    await serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
    if until_stdin_closes:
        watch.cancel()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(OSError):  # it is closed already
        while os.read(0, 1024):
            pass
    loop.call_soon_threadsafe(stop.set)


async def _watch_parent(stop: asyncio.Event, *, parent: int) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    stop.set()


def _announce(port: int) -> None:
    try:
        print(f"local AWS ready at http://127.0.0.1:{port}", flush=True)
    except OSError:  # standard output is closed, and nobody would ever know that the server is ready
        os.kill(os.getpid(), signal.SIGTERM)


def _fail(reason: str) -> NoReturn:
    print(f"local AWS: {reason}", file=sys.stderr)
    sys.exit(1)
