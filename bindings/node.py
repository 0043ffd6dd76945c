"""Node, started ahead: it boots and reads assemblies in a thread while Python goes on. Importing this imports jsii."""

from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, cast

import jsii

from bindings.slim import tarball_in


def start() -> None:
    """Starts Node, and has it read what every program here needs."""
    jsii.kernel.provider = cast(Any, _Ahead())
    for package in ("constructs", "cdktf"):
        spec = find_spec(package)
        load(package, Path(str(spec and spec.origin)).parent)


def load(name: str, folder: Path) -> None:
    """Loads the assembly in the folder of a Python package, under a name."""
    tarball = tarball_in(folder)
    jsii.kernel.load(name, tarball.name.partition("@")[2].removesuffix(".jsii.tgz"), str(tarball))


class _Ahead:
    """Stands in for jsii's connection to Node until its first answer is needed: nobody reads the answer to a load."""

    def __init__(self) -> None:
        self._node = jsii.kernel.provider
        self._error: Exception | None = None
        self._loads: SimpleQueue[Any] = SimpleQueue()
        self._thread = Thread(target=self._load_all, daemon=True)
        self._thread.start()

    def load(self, request: Any) -> None:
        """What jsii calls to load an assembly."""
        self._loads.put(request)

    def _load_all(self) -> None:
        try:
            while request := self._loads.get():
                self._node.load(request)
        except Exception as error:
            self._error = error

    def __getattr__(self, name: str) -> Any:
        """Any other call: then all must be loaded, and this object's work is done."""
        self._loads.put(None)
        self._thread.join()
        jsii.kernel.provider = self._node
        if self._error:
            raise self._error
        return getattr(self._node, name)
