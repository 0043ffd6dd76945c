"""One command at a time in a folder of synthesized stacks: Terraform works in the stacks' folders."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.errors import OpsError


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Raises `OpsError` while another `goldsmith plan` or `apply` works in the folder, which is made if needed.

    The lock ends with the process, however it ends.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out, os.O_RDONLY)
    except OSError as error:
        raise OpsError(
            f"{error.filename or out}: cannot be written: {error.strerror}; CDKTF_OUTDIR names the folder to write to"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OpsError(
                f"another goldsmith plan or apply works in {out}: wait for its end, or name another folder with "
                "CDKTF_OUTDIR"
            ) from None
        except OSError:
            pass  # some file systems have no locks
        yield
    finally:
        os.close(descriptor)
