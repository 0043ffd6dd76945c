"""The configuration of a command: where it is, and loading it.

It is the file or folder that `--config` names, or else the one that GOLDSMITH_CONFIG names, both seen from the current
folder. Default: the nearest folder `config` that has a YAML file, in the current folder or in a folder above it. The
command works then as if it were started in the folder that has `config`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cdktf_out
from estate.estate import Estate
from estate.load import load
from estate.problems import EstateError
from ops.errors import UsageError

_FOLDER = "config"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Where a configuration is."""

    path: Path
    """A file or a folder."""
    base: Path
    """The folder in which the command works: the one that has the folder `config`, if that was searched for, and
    otherwise the current one."""

    @property
    def beside(self) -> Path:
        """Where pins, snapshots and the lock file of providers are: its folder, or the one that its file is in."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def out(self) -> Path:
        """Where its Terraform is written: the folder in CDKTF_OUTDIR, or else `cdktf.out`."""
        return cdktf_out.folder(self.base)

    def load(self) -> Estate:
        """The estate. Raises `UsageError` with every problem."""
        return load_estate(self.path)


def find_configuration(named: Path | None) -> Configuration:
    """The configuration of a command; `named` is the value of `--config`. Raises `UsageError` if there is none."""
    if written := named or os.environ.get("GOLDSMITH_CONFIG"):
        return Configuration(path=Path(written), base=Path())
    try:
        here = Path.cwd()
    except OSError as error:
        raise UsageError(f"the current folder cannot be used: {error.strerror}") from None
    for folder in (here, *here.parents):
        if _has_yaml(folder / _FOLDER):
            base = Path(os.path.relpath(folder, here))
            return Configuration(path=base / _FOLDER, base=base)
    raise UsageError(
        f"no configuration: neither {here} nor a folder above it has a folder config with a YAML file; change to the "
        "folder of your configuration, or name it with --config or GOLDSMITH_CONFIG"
    )


def load_estate(path: Path | None = None) -> Estate:
    """The estate in this file or folder. Default: `GOLDSMITH_CONFIG`, or else `config`. Raises `UsageError`."""
    try:
        return load(path or Path(os.environ.get("GOLDSMITH_CONFIG") or _FOLDER))
    except EstateError as error:
        raise UsageError(str(error)) from error


def _has_yaml(folder: Path) -> bool:
    try:
        return any(file.suffix.lower() in (".yaml", ".yml") for file in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # loading it says what is wrong
