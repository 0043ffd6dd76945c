"""Processes of Terraform's AWS provider that stay, for all commands, instead of several new ones for each.

Terraform connects to a provider that runs already when `TF_REATTACH_PROVIDERS` says how; the provider's `-debug` starts
it that way (Terraform's documentation, "Debugging Providers"). It is the same provider, and each command configures it
anew. Starting it and reading its schema are four fifths of what a small plan costs, so two things are done between
Terraform and the providers, to which each provider block of a command has a connection of its own:

- The schema is read once, and Terraform gets of its fifteen hundred resources those that `stacks/` and the pages use.
- A process can have one configuration at a time, so blocks that are configured otherwise get another process.
"""

import asyncio
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bindings.fast import imported_in
from ops.http2 import Message, Peer
from ops.provider_schema import reduced_schema
from ops.providers import AWS, REATTACH
from scripts import terraform
from tests.support.estates import PROJECT

_PLUGIN = "/tfplugin5.Provider/"
"""Before the methods of the provider; others are go-plugin's, which copies logs by them."""
_SHOWN = re.compile(r'^(?:resource|data) "(\w+)"', re.MULTILINE)
"""A resource or data source in a page."""


@contextmanager
def running_providers(environ: Mapping[str, str], *, folder: Path) -> Iterator[Mapping[str, str]]:
    """`environ`, in which commands find the providers; these run from the first use until the end of the context.

    They have `environ` too, so AWS is where it says, whatever the environment of a command, and look for files in
    `folder`, not in that of a command.
    """
    required = {"terraform": {"required_providers": {"aws": terraform.PROVIDER}}}
    (folder / "main.tf.json").write_text(json.dumps(required))
    terraform.run("init", "-backend=false", folder=folder, environ=environ)
    (program,) = (folder / ".terraform" / "providers").glob(f"{AWS}/*/*/terraform-*")
    socket = folder / "socket"
    loop = asyncio.new_event_loop()
    providers = _Providers(program, environ, folder)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(providers.listen(socket), loop).result()
    how = {
        "Protocol": "grpc",
        "ProtocolVersion": 5,
        "Pid": os.getpid(),
        # so that no command ends the process
        "Test": True,
        "Addr": {"Network": "unix", "String": str(socket)},
    }
    try:
        yield {**environ, REATTACH: json.dumps({AWS: how})}
    finally:
        asyncio.run_coroutine_threadsafe(providers.end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Provider:
    """A process of the provider."""

    def __init__(self, process: asyncio.subprocess.Process, peer: Peer) -> None:
        self._process, self._peer = process, peer
        self.configuration = b""
        self.blocks: set[Peer] = set()
        """The provider blocks that are configured in it; when there are none, it is free."""
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, program: Path, environ: Mapping[str, str], folder: Path) -> "_Provider":
        # The shell ends the provider when its standard input closes, so also when this process is killed.
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", '"$1" -debug & exec >&-; cat > /dev/null; kill $!; wait', "sh", program),
            env=environ,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        printed = ""
        while not printed.startswith(REATTACH):
            line = await process.stdout.readline()
            assert line, "the provider has ended"
            printed = line.decode().strip()
        (how,) = json.loads(printed.partition("=")[2].strip("'")).values()
        return cls(process, Peer(*await asyncio.open_unix_connection(how["Addr"]["String"]), served=True))

    async def answer(self, request: Message) -> Message:
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[self._peer.request(request)] = future
        return await future

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        async for stream, answer in self._peer.messages():
            self._answers.pop(stream).set_result(answer)
        for future in self._answers.values():
            future.set_exception(EOFError("the provider has ended"))
        await self._peer.close()


class _Providers:
    """All processes of the provider, and what Terraform asks them."""

    def __init__(self, program: Path, environ: Mapping[str, str], folder: Path) -> None:
        self._program, self._environ, self._folder = program, environ, folder
        self._started: list[_Provider] = []
        self._starting = asyncio.Lock()
        self._schema: Message | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def listen(self, socket: Path) -> None:
        self._server = await asyncio.start_unix_server(self._serve, socket)

    async def end(self) -> None:
        self._server.close()
        for provider in self._started:
            await provider.end()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A provider block of a command, from its first request to its last."""
        this = asyncio.current_task()
        assert this is not None
        self._serving.add(this)
        this.add_done_callback(self._serving.discard)
        block = Peer(reader, writer, served=False)
        asked = []
        async for stream, request in block.messages():
            task = asyncio.create_task(self._reply(block, stream, request))
            asked.append(task)
        await asyncio.gather(*asked, return_exceptions=True)
        for provider in self._started:
            provider.blocks.discard(block)
        await block.close()

    async def _reply(self, block: Peer, stream: int, request: Message) -> None:
        method = request.path.removeprefix(_PLUGIN)
        try:
            if "/" in method:
                # gRPC's UNIMPLEMENTED, which go-plugin takes for a provider that has no such service
                block.send(stream, Message([(b":status", b"200"), (b"grpc-status", b"12")]))
            elif method == "GetSchema":
                block.send(stream, await self._schema_of(request))
            elif method == "Configure":
                block.send(stream, await (await self._for(bytes(request.data), block)).answer(request))
            else:
                provider = next((each for each in self._started if block in each.blocks), None)
                block.send(stream, await (provider or await self._any()).answer(request))
        except BaseException:
            await block.close()  # which Terraform reports
            raise

    async def _schema_of(self, request: Message) -> Message:
        if self._schema is None:
            answer = await (await self._any()).answer(request)
            self._schema = Message(answer.headers, _reduced(bytes(answer.data)), answer.trailers)
        return self._schema

    async def _any(self) -> _Provider:
        """For what needs no configuration."""
        async with self._starting:
            return self._started[0] if self._started else await self._start()

    async def _for(self, configuration: bytes, block: Peer) -> _Provider:
        async with self._starting:
            same = (each for each in self._started if each.configuration == configuration)
            free = (each for each in self._started if not each.blocks)
            provider = next(same, None) or next(free, None) or await self._start()
            provider.configuration = configuration
            provider.blocks.add(block)
            return provider

    async def _start(self) -> _Provider:
        provider = await _Provider.start(self._program, self._environ, self._folder)
        self._started.append(provider)
        return provider


def _reduced(answer: bytes) -> bytearray:
    """The schema with the resources and data sources that `stacks/` and the pages use."""
    names = imported_in(PROJECT / "stacks")
    shown = {name for page in (PROJECT / "docs").rglob("*.md") for name in _SHOWN.findall(page.read_text())}
    data_sources = {name.removeprefix("data_") for name in names} | shown
    return reduced_schema(answer, resources={f"aws_{name}" for name in names} | shown, data_sources=data_sources)
