"""The build that a reference means, among the builds of its image."""

from __future__ import annotations

from collections.abc import Sequence

from estate.references import BuildReference
from lambda_src.handoff.builds import Build, version_of
from ops.errors import OpsError, UsageError


def find_build(reference: BuildReference, builds: Sequence[Build]) -> Build:
    """The build; of several builds of one version the newest, unless the reference has a number.

    Raises `OpsError` when there is none, and `UsageError` when the reference means builds of several versions.
    """
    found = [build for build in builds if reference.matches(version_of(build.arn))]
    if not found:
        raise OpsError(f"{reference.image} has no build {_text(reference)}")
    if len({version_of(build.arn).partition("/")[0] for build in found}) > 1:
        choices = ", ".join(version_of(build.arn) for build in found[:5])
        raise UsageError(f"{reference} means several builds; write one of {choices}")
    return max(found, key=lambda build: build.order)


def _text(reference: BuildReference) -> str:
    return str(reference).partition("@")[2]
