"""Synthesizes as `main.py` does, and prints its phases: `[name, seconds, seconds in calls to Node, number of calls]`.

The steps are those of `main.py` in the same order. BENCH_BEGAN is the time at which the process was started.
"""

import json
import os
from pathlib import Path
from time import monotonic
from typing import Any

import entry


class _Watched:
    """Stands between jsii and its connection to Node, and adds up the time of its calls."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0

    def watch(self, kernel: Any) -> None:
        self._kernel, self._node, kernel.provider = kernel, kernel.provider, self

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            began = monotonic()
            try:
                return getattr(self._node, name)(*arguments)
            finally:
                self.seconds += monotonic() - began
                self.calls += 1
                if self._kernel.provider is not self:  # another connection has replaced the first
                    self._node, self._kernel.provider = self._kernel.provider, self

        return call


def main() -> int:
    """Each import is where the program pays for it."""
    ends = [float(os.environ["BENCH_BEGAN"])]
    phases: list[tuple[str, float, float, int]] = []
    watched = _Watched()

    def ended(name: str) -> None:
        ends.append(monotonic())
        phases.append((name, ends[-1] - ends[-2], watched.seconds, watched.calls))
        watched.seconds, watched.calls = 0.0, 0

    ended("Python has started")
    import bindings

    bindings.start()
    ended("jsii is imported, and Node is starting")
    import jsii

    watched.watch(jsii.kernel)
    from estate.load import load

    ended("the estate's models are imported")
    estate = load(Path("config"))
    ended("the estate is loaded and checked")
    import stacks

    ended("cdktf, the stacks and their bindings are imported")
    app = stacks.App(outdir=os.environ["CDKTF_OUTDIR"])
    ended("Node is ready, with an empty app")
    for image in estate.images.values():
        stacks.ImagePipelineStack(app, estate=estate, image=image)
    ended("the image's stack is built")
    for fleet in estate.fleets.values():
        stacks.Ec2FleetStack(app, estate=estate, fleet=fleet)
    ended("the fleet's stack is built")
    app.synth()
    ended("the JSON is written")
    print(json.dumps(phases))
    return 0


if __name__ == "__main__":
    entry.run("-m bench.phases", main)
