"""The schema of Terraform's AWS provider, read once for all plans that are shown.

To show a plan, Terraform asks the provider for its schema and for nothing else. It starts a process of the provider for
that, computes the checksum of its 700 MB, and reads fifteen hundred resources, which takes three seconds of processor
for each plan. Here one process is asked once, and ends. Terraform then gets the answer from a socket in a folder of the
user's own, as from a provider that runs already (`TF_REATTACH_PROVIDERS`: Terraform's documentation, "Debugging
Providers"), with those resources that the stacks have. Nothing is configured, so no credentials are needed.

No plan depends on it: what cannot be shown so is shown by Terraform with a provider that it starts.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import wait
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from h2.exceptions import H2Error

from ops.http2 import Message, Peer
from ops.programs import Programs, Stopped
from ops.providers import AWS, REATTACH, Providers, as_running

_PLUGIN = "/tfplugin5.Provider/"
"""Before the methods of version 5 of Terraform's protocol, which the AWS provider has in all versions."""
_SCHEMA, _IDENTITIES = f"{_PLUGIN}GetSchema", f"{_PLUGIN}GetResourceIdentitySchemas"
"""What Terraform asks before it shows a plan, the second since 1.12."""
# Of tfplugin5.proto (Terraform's docs/plugin-protocol): fields of the answer to GetSchema, and of an entry of a map.
_RESOURCES, _DATA_SOURCES, _NAME = 2, 3, 1
_UNIMPLEMENTED = Message([(b":status", b"200"), (b"grpc-status", b"12")])
"""gRPC's answer for a method that a server does not have."""

_UNTIL_INPUT_CLOSES = '"$1" -debug & exec >&-; cat > /dev/null; kill $!; wait'
"""So that the provider ends with this process, however that ends; its output ends when it ends."""
_TIMEOUT_SECONDS = 60.0
_LOOKS_AGAIN_AFTER_SECONDS = 0.5


class ProviderSchema:
    """What Terraform needs to show plans of some stacks; a context manager, and safe to use in several threads.

    `stacks` are the folders of the stacks. Nothing is started before the first plan is shown.
    """

    def __init__(
        self, providers: Providers, stacks: Iterable[Path], *, programs: Programs, environ: Mapping[str, str]
    ) -> None:
        self._providers, self._stacks, self._programs, self._environ = providers, [*stacks], programs, environ
        self._lock = threading.Lock()
        self._setting: Mapping[str, str] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="goldsmith-")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    def setting(self) -> Mapping[str, str]:
        """The variable for `terraform show`; empty where Terraform has to start the provider. Raises `Stopped`."""
        with self._lock:
            if self._setting is None:
                if self._programs.is_interrupted:
                    raise Stopped
                starting = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
                while not wait([starting], timeout=_LOOKS_AGAIN_AFTER_SECONDS).done:
                    if self._programs.is_interrupted:
                        raise Stopped
                # A provider, a system or a protocol unlike those here: Terraform can do without.
                self._setting = {} if starting.exception() else starting.result()
            return self._setting

    async def _start(self) -> Mapping[str, str]:
        program = self._providers.program
        if program is None or REATTACH in self._environ:
            return {}
        folder = Path(self._folder.name)
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            answers = await _ask(program, folder, self._environ)
        resources, data_sources = _types(self._stacks)
        whole = answers[_SCHEMA]
        part = reduced_schema(bytes(whole.data), resources=resources, data_sources=data_sources)
        self._answers = {**answers, _SCHEMA: Message(whole.headers, part, whole.trailers)}
        socket = folder / "schema"
        self._server = await asyncio.start_unix_server(self._serve, socket)
        return {REATTACH: json.dumps({AWS: as_running(socket)})}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        terraform = Peer(reader, writer, served=False)
        try:
            with suppress(OSError, H2Error):  # Terraform says that it could not ask
                async for stream, request in terraform.messages():
                    terraform.send(stream, self._answers.get(request.path, _UNIMPLEMENTED))
            await terraform.close()
        finally:
            writer.transport.abort()  # when this is cancelled, nobody waits for the rest

    async def _end(self) -> None:
        if self._setting:
            self._server.close()
        await asyncio.sleep(0)  # what serves a new connection begins, and so can close it
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _ask(program: Path, folder: Path, environ: Mapping[str, str]) -> dict[str, Message]:
    """What a provider answers, by method; it has ended then. `folder` is for its socket."""
    kept = {name: value for name, value in environ.items() if not name.startswith("AWS_")}
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", _UNTIL_INPUT_CLOSES, "sh", program),
        env={**kept, "TMPDIR": str(folder)},
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,  # so that Ctrl-C on a terminal leaves its end to us
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        address = await _address(process.stdout)
        provider = Peer(*await asyncio.open_unix_connection(address), served=True)
        asked = {provider.request(_request(method)): method for method in (_SCHEMA, _IDENTITIES)}
        answers: dict[str, Message] = {}
        async for stream, answer in provider.messages():
            answers[asked[stream]] = answer
            if len(answers) == len(asked):
                break
        await provider.close()
        return answers
    finally:
        process.stdin.close()
        await process.wait()


async def _address(printed: asyncio.StreamReader) -> str:
    """The socket that a provider names when it has started. Raises `ValueError`, `KeyError`."""
    async for line in printed:
        text = line.decode().strip()
        if text.startswith(REATTACH):
            (how,) = json.loads(text.partition("=")[2].strip("'")).values()
            return str(how["Addr"]["String"])
    raise ValueError("the provider has ended")


def _request(method: str) -> Message:
    """gRPC over HTTP/2: the method, and an empty message, with its flag and length."""
    headers = {":method": "POST", ":scheme": "http", ":path": method, ":authority": "localhost", "te": "trailers"}
    headers["content-type"] = "application/grpc"
    return Message([(name.encode(), value.encode()) for name, value in headers.items()], bytearray(5))


def _types(stacks: Iterable[Path]) -> tuple[set[str], set[str]]:
    """The types of resources and of data sources in stacks."""
    written: list[Any] = [json.loads((stack / "cdk.tf.json").read_text(encoding="utf-8")) for stack in stacks]
    resources, data_sources = (
        {kind for stack in written for kind in stack.get(key, ())} for key in ("resource", "data")
    )
    return resources, data_sources


def reduced_schema(answer: bytes, *, resources: Collection[str], data_sources: Collection[str]) -> bytearray:
    """An answer to GetSchema with these types of resources and data sources only, and all else as it is.

    Raises `ValueError` when it is not such an answer.
    """
    wanted = {_RESOURCES: resources, _DATA_SOURCES: data_sources}
    kept = bytearray()
    for number, value, whole in _fields(answer[5:]):  # after gRPC's flag and length
        if number not in wanted or _name(value) in wanted[number]:
            kept += whole
    return bytearray(b"\0" + len(kept).to_bytes(4) + kept)


def _name(entry: bytes) -> str:
    return next((value.decode() for number, value, _ in _fields(entry) if number == _NAME), "")


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The fields of a message of Protocol Buffers that are messages or strings: number, value, and all their bytes."""
    position = 0
    while position < len(message):
        start = position
        tag, position = _number(message, position)
        if tag & 7 != 2:
            raise ValueError("a field of another type")
        length, position = _number(message, position)
        yield tag >> 3, message[position : position + length], message[start : position + length]
        position += length


def _number(message: bytes, position: int) -> tuple[int, int]:
    """A number of variable length, and the position after it. Raises `ValueError`."""
    number = shift = 0
    while position < len(message):
        byte = message[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return number, position
    raise ValueError("the message ends within a number")
