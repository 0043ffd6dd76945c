"""Loading the configuration for a command."""

import os
from pathlib import Path

from estate.estate import Estate
from estate.load import load
from estate.problems import EstateError
from ops.errors import UsageError


def load_estate(path: Path | None = None) -> Estate:
    """The estate in this file or folder. Default: `GOLDSMITH_CONFIG`, or else `config`. Raises `UsageError`."""
    try:
        return load(path or Path(os.environ.get("GOLDSMITH_CONFIG") or "config"))
    except EstateError as error:
        raise UsageError(str(error)) from error
