"""The rule of the channel `latest`: in each region it points to the newest build that can be used there.

It moves to an older build only when the build that it points to is revoked or gone: its output cannot be used any more,
or Image Builder does not have the build, or has it in another status than AVAILABLE. While Image Builder's answer about
that build is missing or incomplete, `latest` moves only to a newer build. The channel's record says which build it
points to; a record that names no build of this image is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence

from .builds import Build, good_builds, time_in
from .channels import LATEST
from .configuration import Gate
from .gate import Verdict, judge
from .known_builds import KnownBuilds
from .outputs import Usable
from .run import Decision, Present, Region, Run
from .soak import MOVED_BACK

NEW_BUILD = "new build"


def choose_latest(run: Run, known: KnownBuilds) -> Decision | None:
    """Where `latest` has to move; None when it is right in every region that can be asked."""
    outputs, good = {}, _acceptable(run, good_builds(known.builds, now=run.now))
    for region in run.working_regions:
        with run.attempt_in(region):
            run.check_time()
            usable = region.target.outputs.newest_usable(good, failures=run.failures)
            if usable and _has_to_move(run, region, usable, known):
                outputs[region] = usable
    if not outputs:
        return None
    why = next(filter(None, (_why_back(run, region, usable, known) for region, usable in outputs.items())), "")
    return Decision(channel=LATEST, how=MOVED_BACK if why else NEW_BUILD, why=why, outputs=outputs)


def was_latest(run: Run) -> set[str]:
    """The ARNs of the builds that `latest` points to or pointed to in any region: the gate has let them pass."""
    channels = (region.channels.get(LATEST) for region in run.regions)
    return {version.build for channel in channels if channel for version in channel.versions}


def _acceptable(run: Run, good: Sequence[Build]) -> list[Build]:
    """Those of the good builds, newest first, that the gate lets pass.

    What `latest` already pointed to has passed. Of the others only the newest ones are judged, down to the first that
    passes: older ones can only matter where that one cannot be used.
    """
    gate = run.image.gate
    if gate is None:
        return list(good)
    arns = {build.arn for build in good}
    kept = run.cache.refused.get(gate.text, {})  # another gate may judge otherwise
    run.cache.refused = {gate.text: {arn: reason for arn, reason in kept.items() if arn in arns}}
    passed = was_latest(run)
    accepted: list[Build] = []
    judging = True
    for build in good:
        if build.arn in passed or (judging and _passes(run, build, gate)):
            accepted.append(build)
            judging = False
    return accepted


def _passes(run: Run, build: Build, gate: Gate) -> bool:
    """Whether the gate lets a build pass. One that cannot be judged now does not.

    Verdicts that are final are not asked for again: each costs two calls or more, in every run.
    """
    refused = run.cache.refused.setdefault(gate.text, {})
    if reason := refused.get(build.arn):
        run.report.gate[build.arn] = Verdict(passes=False, reason=reason, is_final=True)
        return False
    with run.failures.collected("gate"):
        run.check_time()
        verdict = judge(run.imagebuilder, build, gate, now=run.now, failures=run.failures)
        if not verdict.passes:
            run.report.gate[build.arn] = verdict
        if verdict.is_final:
            refused[build.arn] = verdict.reason
        return verdict.passes
    return False


def _why_back(run: Run, region: Region, usable: Usable, known: KnownBuilds) -> str:
    """Why the present build must not stay, if it is newer than the usable one, or revoked."""
    present = region.points_to(LATEST)
    build = known.get(present.build) if present else None
    if build and build.revocation and build.is_revoked(run.now):
        return f"the build is revoked: {build.revocation.why}"
    created = (build and build.created) or (time_in(present.created) if present else None)
    if not created or not usable.build.created or usable.build.created >= created:
        return ""
    return "its output cannot be used any more" if build else "the build is gone"


def _has_to_move(run: Run, region: Region, usable: Usable, known: KnownBuilds) -> bool:
    latest = region.points_to(LATEST)
    if latest is None:
        return True
    if latest.value == usable.value:
        return False
    if _may_move(latest, usable, known, region=region.name):
        return True
    if latest.build not in known.unknown:  # that failure is collected already
        reason = f"what Image Builder says about {latest.build} is incomplete"
        run.failures.add_problem(region.name, f"latest does not move back to {usable.build.arn}: {reason}")
    return False


def _may_move(latest: Present, usable: Usable, known: KnownBuilds, *, region: str) -> bool:
    """Whether the present build is clearly gone or revoked, or older than the usable one."""
    present = known.get(latest.build)
    is_unclear = present is not None and present.is_unclear_in(region)
    if present == usable.build or not (is_unclear or latest.build in known.unknown):
        return True
    created = (present and present.created) or time_in(latest.created)
    return bool(created and usable.build.created and usable.build.created > created)
