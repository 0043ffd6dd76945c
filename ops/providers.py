"""Terraform's providers for many stacks at once.

One init installs them, and all stacks use what it has installed: Terraform's cache of providers is not safe for inits
side by side (hashicorp/terraform#31964). An init of a stack reads the 700 MB of the provider twice, to compute its
checksum, which takes longer than all else that it does. Before each plan Terraform computes the checksum again and
compares it with the lock file, so inits do without: they only configure the backend.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from estate.estate import Estate
from ops.errors import OpsError
from ops.plan_folder import LOCK
from ops.programs import Ended, Programs, Stopped
from scripts.terraform import cached, plain

AWS = "registry.terraform.io/hashicorp/aws"
"""The address of the AWS provider."""
_LOCKED = re.compile(rf'provider "{AWS}" {{\s*version\s*=\s*"([^"]+)"')
"""Its version in a lock file."""
_READ_ONLY = "-lockfile=readonly"
REATTACH = "TF_REATTACH_PROVIDERS"
"""Names providers that run already, which Terraform then neither installs nor starts (Terraform's documentation,
"Debugging Providers")."""
_PACKAGES = "*/*/*/*/*"
"""Below a folder of providers: host, namespace, name, version and platform."""
_LOOKS_AGAIN_AFTER_SECONDS = 0.2


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """In which Terraform runs on several stacks."""
    # One data folder for all stacks would mix their backends.
    kept = {name: value for name, value in environ.items() if name not in ("TF_DATA_DIR", "TF_PLUGIN_CACHE_DIR")}
    unattended = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    # see scripts/terraform.py
    return {**kept, **unattended, "GOGC": environ.get("GOGC", "400")}


@dataclass(frozen=True, kw_only=True)
class Providers:
    """The installed providers."""

    folder: Path
    """A root for Terraform that needs them, and nothing else."""

    @property
    def program(self) -> Path | None:
        """The AWS provider that all stacks use; None where nothing is installed. Raises `OSError`."""
        lock, installed = self.folder / LOCK, self.folder / ".terraform" / "providers" / AWS
        locked = _LOCKED.search(lock.read_text(encoding="utf-8")) if lock.exists() else None
        found = installed.glob(f"{locked[1]}/*/terraform-provider-*") if locked else ()
        return next((program.absolute() for program in found), None)

    def init(self, stack: Path, *, programs: Programs, environ: Mapping[str, str]) -> Ended:
        """`terraform init` of a stack's folder, with the same versions as all others. Raises `Stopped`, `OSError`."""
        mirror, lock = (self.folder / ".terraform" / "providers").absolute(), self.folder / LOCK
        mirror.mkdir(parents=True, exist_ok=True)  # nothing is installed where the provider runs already
        if lock.exists():
            shutil.copyfile(lock, stack / LOCK)
            environ = {REATTACH: json.dumps({AWS: as_running(Path("none"))}), **environ}  # which no init connects to
        only = [_READ_ONLY] if lock.exists() else []
        command = ["terraform", f"-chdir={stack}", "init", "-input=false", "-no-color", f"-plugin-dir={mirror}", *only]
        try:
            ended = programs.run(command, environ=environ)
        finally:
            # Terraform remembers the mirror for later inits, also for those of cdktf
            with suppress(FileNotFoundError):
                (stack / ".terraform" / "plugin_path").unlink()
        _link(mirror, stack / ".terraform" / "providers")
        return ended


def _link(installed: Path, providers: Path) -> None:
    """Make the same folders with links to the packages, as Terraform does with those of a mirror. Raises `OSError`."""
    if providers.is_symlink() or not providers.is_dir():
        providers.unlink(missing_ok=True)
    else:
        shutil.rmtree(providers)
    for package in installed.glob(_PACKAGES):
        link = providers / package.relative_to(installed)
        link.parent.mkdir(parents=True)
        link.symlink_to(package.resolve())


def as_running(socket: Path) -> dict[str, Any]:
    """The value of `REATTACH` for a provider that answers at a socket. Terraform ends no process."""
    address = {"Network": "unix", "String": str(socket)}
    return {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": os.getpid(), "Test": True, "Addr": address}


def install(
    estate: Estate, folder: Path, *, lock: Path, programs: Programs, environ: Mapping[str, str], is_exact: bool
) -> Providers:
    """Install the providers of an estate's stacks. `lock` is a lock file, which need not exist; if it `is_exact`,
    Terraform may not add anything to it. Raises `OpsError`, and `Stopped` after Ctrl-C."""
    required = {"aws": {"source": "hashicorp/aws", "version": estate.settings.providers.aws_constraint}}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": required}}))
        (folder / LOCK).unlink(missing_ok=True)
        if lock.exists():
            shutil.copyfile(lock, folder / LOCK)
    except OSError as error:
        raise OpsError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None
    only = [_READ_ONLY] if is_exact and lock.exists() else []
    command = ["terraform", f"-chdir={folder}", "init", "-backend=false", "-input=false", "-no-color", *only]
    filling = cached({**environ, **_own_cache()})
    with _alone_in(filling.get("TF_PLUGIN_CACHE_DIR"), programs):
        ended = programs.run(command, environ=filling)
    if ended.interrupted:
        raise Stopped
    if ended.status != 0:
        by_lock = f" with the versions in {lock}" if only else ""
        raise OpsError(f"{complaint(ended)}\nTerraform's AWS provider cannot be installed{by_lock}")
    return Providers(folder=folder)


def complaint(ended: Ended) -> str:
    """What a Terraform that failed said: from its first error."""
    text = plain(ended.errors) or plain(ended.output)
    return text[max(0, text.find("Error: ")) :] or f"terraform ended with status {ended.status}"


def _own_cache() -> dict[str, str]:
    """The cache that the user has named."""
    named = os.environ.get("TF_PLUGIN_CACHE_DIR")
    return {"TF_PLUGIN_CACHE_DIR": named} if named else {}


@contextmanager
def _alone_in(cache: str | None, programs: Programs) -> Iterator[None]:
    """Wait for others that fill the same cache. Raises `Stopped`."""
    if cache is None or not Path(cache).is_dir():
        yield
        return
    descriptor = os.open(cache, os.O_RDONLY)
    try:
        while not _is_locked(descriptor):
            if programs.is_interrupted:
                raise Stopped
            time.sleep(_LOOKS_AGAIN_AFTER_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    """Whether the folder is ours now; also where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
