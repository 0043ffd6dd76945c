"""Copies the tag of revoked builds to their AMIs, in each region of the image's account, and takes it away again.

The tag of the build in Image Builder is the one that counts. That of an AMI is a copy, which every plan of a fleet can
read, also one in another account. Container images have no such copies: a tag in ECR is a name. They need none, because
no fleet runs them, and their channels move by the tag of the build.

A run that changes nothing makes one call a region, DescribeImages of the AMIs with the tag: so a copy that somebody has
taken away comes back. A revocation is not stopped by what failed before in a region.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from .answers import ask, entries, member, text
from .builds import REVOKED_TAG, Build
from .outputs import Amis
from .run import Run

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef

_MOST_IN_A_FILTER = 200
"""Values in a filter of DescribeImages."""


def copy_revocations(run: Run, builds: Sequence[Build]) -> None:
    """Write and remove the tag where AMIs do not have it as their builds do. What was done is in the run's report."""
    for region in sorted(run.regions, key=lambda region: region.failed):
        outputs = region.target.outputs
        if isinstance(outputs, Amis):
            with run.failures.collected(region.name):
                run.check_time()
                _copy(run, outputs.ec2, region.name, builds)


def _copy(run: Run, ec2: EC2Client, region: str, builds: Sequence[Build]) -> None:
    made = {build.outputs[region]: build for build in builds if region in build.outputs}
    revoked = {ami: build.tags[REVOKED_TAG] for ami, build in made.items() if REVOKED_TAG in build.tags}
    # an answer that lacks something may lack the tag
    allowed = {ami for ami, build in made.items() if ami not in revoked and not build.unclear}
    copied = _copied(ec2)
    missing = [ami for ami, value in revoked.items() if copied.get(ami) != value]
    gone = _gone(ec2, run.cache.gone.get(region, ()), revoked=revoked, missing=set(missing) - copied.keys())
    run.cache.gone[region] = sorted(gone)

    def tag(ami: str) -> None:
        ask(ec2.create_tags, Resources=[ami], Tags=[{"Key": REVOKED_TAG, "Value": revoked[ami]}])
        run.report.revoked.append(f"{region}: {ami} is revoked: {revoked[ami]}")

    def untag(ami: str) -> None:
        ask(ec2.delete_tags, Resources=[ami], Tags=[{"Key": REVOKED_TAG}])
        run.report.revoked.append(f"{region}: {ami} is not revoked any more")

    _change_each(run, region, [ami for ami in missing if ami not in gone], tag)
    _change_each(run, region, sorted(copied.keys() & allowed), untag)


def _copied(ec2: EC2Client) -> dict[str, str]:
    """The AMIs of the account that have the tag, with its value; also those of other images."""
    answer = ask(
        ec2.describe_images,
        Owners=["self"],
        Filters=[{"Name": "tag-key", "Values": [REVOKED_TAG]}],
        IncludeDisabled=True,  # it may be enabled again
    )
    return {
        member(image, "ImageId", str): text(tag, "Value") or ""
        for image in entries(answer, "Images")
        for tag in entries(image, "Tags")
        if text(tag, "Key") == REVOKED_TAG
    }


def _gone(ec2: EC2Client, known: Collection[str], *, revoked: Mapping[str, str], missing: Collection[str]) -> set[str]:
    """The AMIs of revoked builds that do not exist any more. Those that are known are not looked for again, and of the
    others only those without the tag."""
    gone = revoked.keys() & set(known)
    unknown = sorted(set(missing) - gone)
    for start in range(0, len(unknown), _MOST_IN_A_FILTER):
        # a filter, because ImageIds with one AMI that does not exist returns an error instead of the others
        asked: FilterTypeDef = {"Name": "image-id", "Values": unknown[start : start + _MOST_IN_A_FILTER]}
        answer = ask(ec2.describe_images, Owners=["self"], Filters=[asked], IncludeDisabled=True)
        gone |= set(asked["Values"]) - {member(image, "ImageId", str) for image in entries(answer, "Images")}
    return gone


def _change_each(run: Run, region: str, amis: Sequence[str], change: Callable[[str], None]) -> None:
    """Change one AMI after the other: the refusal of one does not stop the others, an AWS that does not answer does."""
    for ami in amis:
        with run.failures.collected(region) as attempt:
            run.check_time()
            change(ami)
        if attempt.retryable:
            return
