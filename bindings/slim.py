"""A slim copy of the provider bindings' jsii assembly, which holds only the submodules that are used.

A jsii assembly is an npm package: JavaScript, and a description of every type in `.jsii`. The copy has the same name
and version, so the Python bindings cannot tell it from the whole one. It is made once for each version of the bindings
and of jsii and each set of submodules, and kept in the user's cache folder.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Set
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

BINDINGS = "cdktf_cdktf_provider_aws"
WHOLE = "@cdktf/provider-aws-whole"
"""The name by which the whole assembly is loaded beside the slim one. jsii registers what it has loaded by the name
that stands in it, so types are then found in the whole one; JavaScript modules are looked up in the slim one's index,
which hands on what it lacks."""

_SOURCE_MAP = re.compile(rb"\n//# sourceMappingURL=\S+\s*\Z")
_INDEX = """\
const slim = { %s };
module.exports = new Proxy(slim, {
  get: (slim, name) => (name in slim ? slim[name] : typeof name === "string" ? whole()[name] : undefined),
});
function whole() {
  try {
    return require("%s");
  } catch (error) {
    if (error.code === "MODULE_NOT_FOUND") return {};
    throw error;
  }
}
"""


def cached(stock: Path, needed: Set[str]) -> Path:
    """A folder whose `_jsii` package is that of the bindings, with the slim assembly."""
    tarball = tarball_in(stock)
    key = [tarball.name, tarball.stat().st_size, version("jsii"), sorted(needed), Path(__file__).read_text("utf-8")]
    moved = os.environ.get("GOLDSMITH_CACHE")
    cache = Path(moved) if moved else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "goldsmith")
    slim = cache / "bindings" / sha256(repr(key).encode()).hexdigest()[:32]
    if not _is_whole(slim):
        _make(stock, needed, slim)
    return slim


def tarball_in(folder: Path) -> Path:
    """The assembly of a jsii package, by the folder of its Python package."""
    (tarball,) = (folder / "_jsii").glob("*.jsii.tgz")
    return tarball


def _is_whole(slim: Path) -> bool:
    """Whether a copy is as it was made: the file that was written last holds the digest of the others."""
    try:
        return (slim / "digest").read_text() == _digest(slim)
    except OSError:
        return False


def _digest(slim: Path) -> str:
    return sha256(b"".join(file.read_bytes() for file in sorted((slim / "_jsii").glob("*.*")))).hexdigest()


def _make(stock: Path, needed: Set[str], slim: Path) -> None:
    """Makes a copy aside, proves it and moves it into its place. Who comes second waits for the first."""
    slim.parent.mkdir(parents=True, exist_ok=True)
    with (slim.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_whole(slim):
            return
        if sys.stderr.isatty():
            print(f"goldsmith: preparing the {len(needed)} AWS bindings that are used, once", file=sys.stderr)
        shutil.rmtree(slim, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=slim.parent, ignore_cleanup_errors=True) as folder:
            made = Path(folder, "made")
            (made / "_jsii").mkdir(parents=True)
            shutil.copy(stock / "_jsii" / "__init__.py", made / "_jsii")
            _write_slim(tarball_in(stock), needed, made / "_jsii" / tarball_in(stock).name)
            (made / "digest").write_text(_digest(made))
            _prove(stock, made)
            made.rename(slim)


def _write_slim(whole: Path, needed: Set[str], slim: Path) -> None:
    """Copies a jsii assembly, which is an npm package whose types stand in `.jsii`, for the needed submodules only."""
    import tarfile  # not for every run

    with tarfile.open(whole, "r|gz") as package:
        kept = {
            member.name: _SOURCE_MAP.sub(b"", content.read())
            for member in package
            if _is_kept(member.name, needed) and (content := package.extractfile(member))
        }
    assembly, folders = _assembly(kept.pop("package/.jsii").decode(), needed)
    modules = ", ".join(f"{name}: require({json.dumps(folder)})" for name, folder in folders.items())
    kept["package/.jsii"] = json.dumps(assembly).encode()
    kept["package/lib/index.js"] = (_INDEX % (modules, WHOLE)).encode()
    with tarfile.open(slim, "w:gz", compresslevel=1) as package:
        for name, text in kept.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            package.addfile(entry, BytesIO(text))


def _is_kept(name: str, needed: Set[str]) -> bool:
    match = re.fullmatch(r"package/(\.jsii|package\.json|lib/([^/]+)/.+\.js)", name)
    return match is not None and (match[2] is None or _python(match[2]) in needed)


def _assembly(text: str, needed: Set[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The assembly of the needed submodules, and the folder of each by its JavaScript name.

    Members are decoded one by one: all 25,000 types together take a gigabyte.
    """
    key, decode = re.compile(r'\s*[{,]\s*"([^"]+)"\s*:\s*'), json.JSONDecoder().raw_decode
    assembly: dict[str, Any] = {}
    at = 0
    while found := key.match(text, at):
        if found[1] in ("submodules", "types"):
            members, at = {}, found.end()
            while member := key.match(text, at):
                value, at = decode(text, member.end())
                if _python(_folder(value)) in needed:
                    members[member[1]] = value
            assembly[found[1]], at = members, text.index("}", at) + 1
        else:
            assembly[found[1]], at = decode(text, found.end())
    folders = {name.rpartition(".")[2]: f"./{_folder(fields)}" for name, fields in assembly["submodules"].items()}
    if len(folders) != len(needed):
        raise LookupError(f"of the {len(needed)} submodules that are used, jsii's assembly has {len(folders)}")
    return assembly, folders


def _folder(described: dict[str, Any]) -> str:
    """The folder of a type or submodule, as in `src/sns-topic/index:SnsTopic`."""
    return str(described["symbolId"].split("/")[1])


def _python(folder: str) -> str:
    return folder.replace("-", "_")


def _prove(stock: Path, slim: Path) -> None:
    """Has this jsii load the copy, in a process of its own: once it has failed there is no way back."""
    code = (
        f"import sys, types; sys.modules[{BINDINGS!r}] = parent = types.ModuleType({BINDINGS!r});"
        f"parent.__path__ = sys.argv[1:]; import {BINDINGS}._jsii"
    )
    done = subprocess.run([sys.executable, "-c", code, slim, stock], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"jsii refuses the copy: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
