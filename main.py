"""Synthesizes the estate: one stack for each image pipeline, one for each fleet, one for each dashboard.

`python main.py` reads `config/`, or what GOLDSMITH_CONFIG names, and writes `cdktf.out/`, or what CDKTF_OUTDIR names;
the `cdktf` command runs the same program. Exit status 2 when the configuration or the command line has errors; nothing
is written then.
"""

import argparse
import errno
import os
import re
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import cdktf_out
import entry

if TYPE_CHECKING:
    from estate.estate import Estate

_HELP = """environment:
  GOLDSMITH_CONFIG          file or folder of the configuration (default: config)
  CDKTF_OUTDIR              where to write (default: cdktf.out)
  GOLDSMITH_CACHE           where the AWS bindings that are used are kept (default: ~/.cache/goldsmith)
  GOLDSMITH_ALLOW_UNBUILT   1 synthesizes fleets that have no pin yet, as stacks that wait for it
  GOLDSMITH_STOCK_BINDINGS  1 loads all AWS bindings, which takes ten seconds longer

exit status:
  0    all stacks are written
  1    the folder cannot be written, or there was an unexpected error
  2    the configuration or the command line has errors; nothing is written
  130  Ctrl-C
"""

_UNBUILT = ", or set GOLDSMITH_ALLOW_UNBUILT=1 while its image has no build yet"
_NODE_FAILED = re.compile(r"\bE[A-Z]+: (?P<reason>[^,]+), [a-z]+(?: '(?P<path>[^']*)')?")
"""Node.js's message about a file that cannot be written; cdktf writes most files there."""


def main(arguments: Sequence[str] = ()) -> int:
    """The program; the exit status."""
    argparse.ArgumentParser(
        prog="main.py",
        description="Writes the Terraform JSON of every stack of the estate. Reads files only, never AWS.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    ).parse_args(arguments)
    allow_unbuilt = os.environ.get("GOLDSMITH_ALLOW_UNBUILT", "") not in ("", "0")
    config = Path(os.environ.get("GOLDSMITH_CONFIG") or "config")
    return synthesize(config, cdktf_out.folder(), allow_unbuilt=allow_unbuilt)


def synthesize(config: Path, out: Path, *, allow_unbuilt: bool = False) -> int:
    """Load the configuration, build the stacks, and write them into a folder; the exit status.

    With `allow_unbuilt`, fleets with `updates: pull-request` and without a pin get a stack that waits for one.
    """
    import bindings

    bindings.start()  # Node starts while the estate is loaded

    from estate.load import load
    from estate.problems import EstateError
    from estate.remarks import lacks_of_pins, remarks

    try:
        estate = load(config)
    except EstateError as error:
        print(error, file=sys.stderr)
        return 2
    for line in remarks(estate, today=date.today()):
        print(line, file=sys.stderr)
    if (lacks := lacks_of_pins(estate)) and not allow_unbuilt:
        for lack in lacks:
            print(f"{lack}{_UNBUILT}", file=sys.stderr)
        return 2

    try:
        write(estate, out)
    except OSError as error:
        reason = error.strerror or error
        print(
            f"{error.filename or out}: cannot be written: {reason}; CDKTF_OUTDIR names the folder to write to",
            file=sys.stderr,
        )
        return 1
    return 0


def write(estate: "Estate", out: Path) -> None:
    """Write all stacks of an estate into a folder. Raises `OSError`."""
    import bindings

    bindings.start()  # before `stacks`
    try:
        _write(estate, out)
    except RuntimeError as error:
        failed = _NODE_FAILED.search(str(error))
        if failed is None:
            raise
        raise OSError(errno.EIO, failed["reason"], failed["path"] or str(out)) from None


def _write(estate: "Estate", out: Path) -> None:
    import stacks

    out.mkdir(parents=True, exist_ok=True)
    app = stacks.App(outdir=str(out))
    for image in estate.images.values():
        stacks.ImagePipelineStack(app, estate=estate, image=image)
    for fleet in estate.fleets.values():
        stacks.Ec2FleetStack(app, estate=estate, fleet=fleet)
    for name in estate.histories:
        stacks.HistoryStack(app, estate=estate, name=name)
    for region in estate.overviews:
        stacks.DashboardStack(app, estate=estate, region=region)

    namespace = estate.namespace
    for line in cdktf_out.used_by_others(out, namespace=namespace).values():
        print(line, file=sys.stderr)
    cdktf_out.forget_others(out, namespace=namespace)
    app.synth()
    for name in cdktf_out.set_aside(out, declared=estate.stacks, namespace=namespace):
        print(
            f"{name} is not declared any more: its Terraform is kept in {cdktf_out.removed(out, name)}; "
            f"goldsmith destroy {name} destroys its resources in AWS",
            file=sys.stderr,
        )


if __name__ == "__main__":
    entry.run(".venv/bin/python main.py", lambda: main(sys.argv[1:]))
