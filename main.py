"""Synthesizes the estate: one stack for each image pipeline, one for each fleet, one for each dashboard.

`python main.py` reads `config/`, or what GOLDSMITH_CONFIG names, and writes `cdktf.out/`, or what CDKTF_OUTDIR names;
the `cdktf` command runs the same program. Exit status 2 when the configuration or the command line has errors; nothing
is written then.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import cdktf_out
import entry

_HELP = """environment:
  GOLDSMITH_CONFIG          file or folder of the configuration (default: config)
  CDKTF_OUTDIR              where to write (default: cdktf.out)
  GOLDSMITH_CACHE           where the AWS bindings that are used are kept (default: ~/.cache/goldsmith)
  GOLDSMITH_STOCK_BINDINGS  1 loads all AWS bindings, which takes ten seconds longer

exit status:
  0    all stacks are written
  1    something failed that nobody expects
  2    the configuration or the command line has errors; nothing is written
  130  Ctrl-C
"""


def main(arguments: Sequence[str] = ()) -> int:
    """Load, build the stacks, synth."""
    argparse.ArgumentParser(
        prog="main.py",
        description="Writes the Terraform JSON of every stack of the estate. Reads files only, never AWS.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    ).parse_args(arguments)

    import stacks  # first: Node starts while the estate is loaded
    from estate.load import load
    from estate.problems import EstateError
    from estate.remarks import remarks

    try:
        estate = load(Path(os.environ.get("GOLDSMITH_CONFIG") or "config"))
    except EstateError as error:
        print(error, file=sys.stderr)
        return 2
    for line in remarks(estate, today=date.today()):
        print(line, file=sys.stderr)

    out = cdktf_out.folder()
    out.mkdir(parents=True, exist_ok=True)
    app = stacks.App(outdir=str(out))
    for image in estate.images.values():
        stacks.ImagePipelineStack(app, estate=estate, image=image)
    for fleet in estate.fleets.values():
        stacks.Ec2FleetStack(app, estate=estate, fleet=fleet)
    for region in estate.overviews:
        stacks.OverviewStack(app, estate=estate, region=region)
    app.synth()
    for name in cdktf_out.set_aside(out, declared=estate.stacks):
        print(
            f"{name} is not declared any more: its Terraform is kept in {cdktf_out.removed(out, name)}; "
            f"make destroy STACK={name} destroys what it still has in AWS",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    entry.run("main.py", lambda: main(sys.argv[1:]))
