"""Synthesizes the estate: one stack for each image pipeline, one for each fleet, one for each dashboard.

`python main.py` reads `config/`, or what GOLDSMITH_CONFIG names, and writes `cdktf.out/`, or what CDKTF_OUTDIR names;
the `cdktf` command runs the same program. Exit status 2 when the configuration has errors; nothing is written then.
"""

import os
import shutil
import sys
from datetime import date
from pathlib import Path

import entry


def main() -> int:
    """Load, build the stacks, synth."""
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

    out = Path(os.environ.get("CDKTF_OUTDIR") or "cdktf.out")
    out.mkdir(parents=True, exist_ok=True)
    app = stacks.App(outdir=str(out))
    images = [stacks.ImagePipelineStack(app, estate=estate, image=image) for image in estate.images.values()]
    fleets = [stacks.Ec2FleetStack(app, estate=estate, fleet=fleet) for fleet in estate.fleets.values()]
    overviews = [stacks.OverviewStack(app, estate=estate, region=region) for region in estate.overviews]
    app.synth()
    declared = {stack.node.id for stack in (*images, *fleets, *overviews)}
    for folder in (out / "stacks").iterdir():  # of a stack that is no more, which nobody should plan by accident
        if folder.name not in declared:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    entry.run("main.py", main)
