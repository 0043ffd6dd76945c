"""Writing the Terraform of all stacks before Terraform runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ops.configuration import Configuration
from ops.programs import Ended, run_program

_PROJECT = Path(__file__).parents[1]


def synthesize(configuration: Configuration, *, allow_unbuilt: bool) -> Ended:
    """Write them, and print what the synthesis says; how it ended. With `allow_unbuilt`, fleets without a pin are
    stacks that wait for it.

    It is a process of its own, so that Node has ended before Terraform begins.
    """
    places = {"GOLDSMITH_CONFIG": str(configuration.path), "CDKTF_OUTDIR": str(configuration.out)}
    places["GOLDSMITH_ALLOW_UNBUILT"] = "1" if allow_unbuilt else ""
    ended = run_program([sys.executable, str(_PROJECT / "main.py")], environ={**os.environ, **places}, shows=False)
    if not ended.interrupted:
        sys.stderr.write(ended.output)
    return ended
