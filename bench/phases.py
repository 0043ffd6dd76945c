"""Synthesizes as `main.py` does, and writes when each phase ended: `python bench/phases.py PHASES.json`.

A phase is `[name, end, seconds of it in calls to Node, number of calls]`; ends are of `time.monotonic`. The names stand
in the order of `main.py`, from which this must not differ.
"""

import json
import os
import sys
from pathlib import Path
from time import monotonic
from typing import Any

_BEGAN = monotonic()


class _Watched:
    """Stands between jsii and its connection to Node, and adds up what calls take."""

    def __init__(self, kernel: Any) -> None:
        self.seconds = 0.0
        self.calls = 0
        self._kernel, self._node = kernel, kernel.provider
        kernel.provider = self

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            began = monotonic()
            try:
                return getattr(self._node, name)(*arguments)
            finally:
                self.seconds += monotonic() - began
                self.calls += 1
                if self._kernel.provider is not self:  # another connection has taken the place of the first
                    self._node, self._kernel.provider = self._kernel.provider, self

        return call


def main(target: Path) -> None:
    """Each import stands where the program pays for it."""
    phases: list[tuple[str, float, float, int]] = [("Python starts", _BEGAN, 0.0, 0)]
    import stacks

    phases.append(("jsii is imported, and Node started", monotonic(), 0.0, 0))
    import jsii

    watched = _Watched(jsii.kernel)

    def ended(name: str) -> None:
        phases.append((name, monotonic(), watched.seconds, watched.calls))
        watched.seconds, watched.calls = 0.0, 0

    from estate.load import load

    ended("the estate's models are imported")
    estate = load(Path("config"))
    ended("the estate is loaded and checked")
    out = Path(os.environ["CDKTF_OUTDIR"])
    new_app = stacks.App
    ended("cdktf is imported")
    app = new_app(outdir=str(out))
    ended("Node is ready, with an empty app")
    image_stack, fleet_stack = stacks.ImagePipelineStack, stacks.Ec2FleetStack
    ended("stacks and their bindings are imported")
    for image in estate.images.values():
        image_stack(app, estate=estate, image=image)
    ended("the image's stack is built")
    for fleet in estate.fleets.values():
        fleet_stack(app, estate=estate, fleet=fleet)
    ended("the fleet's stack is built")
    app.synth()
    ended("the JSON is written")
    target.write_text(json.dumps(phases))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
