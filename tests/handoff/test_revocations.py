"""The tag of revoked builds on their AMIs: the function copies it to every region, and takes it away again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from lambda_src.handoff.configuration import ChannelRule
from local_aws.server import LocalAws
from tests.support.answers import refused_by_ec2
from tests.support.handoff_world import (
    ABROAD,
    HOME,
    REGIONS,
    ContainerImageWorld,
    ImageWorld,
    asked,
    intercepted,
    retold,
)

REVOKED = "goldsmith:revoked"
SINCE_EVER = "2026-01-02T03:04:05Z openssl is broken"
LATER = "2126-01-02T03:04:05Z end of support"


def revoke(web: ImageWorld, build: str, value: str = SINCE_EVER) -> None:
    web.other_imagebuilder.tag_resource(resourceArn=build, tags={REVOKED: value})


def undo(web: ImageWorld, build: str) -> None:
    web.other_imagebuilder.untag_resource(resourceArn=build, tagKeys=[REVOKED])


def copies(web: ImageWorld, build: str) -> dict[str, str | None]:
    """The tag on a build's AMIs, by region."""
    found: dict[str, str | None] = {}
    for region, ami in web.amis(build).items():
        ec2 = web.aws.client("ec2", region=region)
        (image,) = ec2.describe_images(ImageIds=[ami], IncludeDisabled=True)["Images"]
        found[region] = {tag["Key"]: tag["Value"] for tag in image.get("Tags", ())}.get(REVOKED)
    return found


def everywhere(value: str | None) -> dict[str, str | None]:
    return dict.fromkeys(REGIONS, value)


def test_tag_of_a_revoked_build_is_copied_to_its_amis_and_taken_away_again(web: ImageWorld) -> None:
    older, newest = web.build(), web.build()
    web.run()
    revoke(web, newest)
    run = web.run()
    assert (copies(web, newest), copies(web, older)) == (everywhere(SINCE_EVER), everywhere(None))
    assert web.latest() == web.amis(older)
    amis = web.amis(newest)
    assert run.line["revoked"] == [f"{region}: {amis[region]} is revoked: {SINCE_EVER}" for region in REGIONS]

    undo(web, newest)
    run = web.run()
    assert copies(web, newest) == everywhere(None)
    assert web.latest() == web.amis(newest)
    assert run.line["revoked"] == [f"{region}: {amis[region]} is not revoked any more" for region in REGIONS]
    assert "revoked" not in web.run().line


@pytest.mark.parametrize("value", ["", "tomorrow or so", LATER, f"2026-01-02T03:04:05Z {'x' * 200}"])
def test_value_is_copied_as_it_is(web: ImageWorld, value: str) -> None:
    """Also one that cannot be read, which stops a plan, and one that is for later."""
    build = web.build()
    revoke(web, build, value)
    web.run()
    assert copies(web, build) == everywhere(value)


def test_copy_that_was_changed_or_taken_away_by_hand_comes_back(web: ImageWorld) -> None:
    build = web.build()
    revoke(web, build)
    web.run()
    ami = web.amis(build)
    web.aws.client("ec2", region=HOME).delete_tags(Resources=[ami[HOME]], Tags=[{"Key": REVOKED}])
    web.aws.client("ec2", region=ABROAD).create_tags(Resources=[ami[ABROAD]], Tags=[{"Key": REVOKED, "Value": LATER}])
    web.run()
    assert copies(web, build) == everywhere(SINCE_EVER)


def test_amis_of_other_images_and_of_nobody_keep_their_tags(web: ImageWorld) -> None:
    other = ImageWorld(web.aws)
    theirs, own = other.build(), web.build()
    revoke(other, theirs)
    other.run()
    ec2 = web.aws.client("ec2", region=HOME)
    nobody = ec2.register_image(Name=f"{web.name} by hand", Architecture="x86_64", RootDeviceName="/dev/xvda")[
        "ImageId"
    ]
    ec2.create_tags(Resources=[nobody], Tags=[{"Key": REVOKED, "Value": LATER}])
    revoke(web, own)
    web.run()
    undo(web, own)
    web.run()
    assert (copies(web, own), copies(other, theirs)) == (everywhere(None), everywhere(SINCE_EVER))
    (image,) = ec2.describe_images(ImageIds=[nobody])["Images"]
    assert image["Tags"] == [{"Key": REVOKED, "Value": LATER}]


def test_disabled_ami_gets_the_tag_and_a_gone_one_is_looked_for_once(web: ImageWorld) -> None:
    build, _ = web.build(), web.build()
    web.run()
    amis = web.amis(build)
    web.aws.client("ec2", region=HOME).disable_image(ImageId=amis[HOME])
    web.withdraw(ABROAD, amis[ABROAD])
    revoke(web, build)
    with intercepted(web.registry[ABROAD], "DescribeImages") as looks:
        run = web.run()
    first = len(looks)
    with intercepted(web.registry[ABROAD], "DescribeImages") as looks:
        again = web.run()
    ec2 = web.aws.client("ec2", region=HOME)
    (image,) = ec2.describe_images(ImageIds=[amis[HOME]], IncludeDisabled=True)["Images"]
    assert {"Key": REVOKED, "Value": SINCE_EVER} in image["Tags"]
    assert run.line["revoked"] == [f"{HOME}: {amis[HOME]} is revoked: {SINCE_EVER}"]
    assert (first - len(looks), again.line["problems"], again.error) == (1, [], "")


def test_incomplete_answer_takes_no_tag_away(web: ImageWorld) -> None:
    build = web.build()
    revoke(web, build)
    web.run()

    def forget(answer: Any) -> None:
        for image in answer["imageSummaryList"]:
            image.pop("tags")
            image.pop("dateCreated")

    with retold(web.imagebuilder, "ListImagePipelineImages", forget):
        web.run()
    assert copies(web, build) == everywhere(SINCE_EVER)


@pytest.mark.parametrize(
    ("operation", "fault", "is_retried"),
    [
        ("DescribeImages", lambda: refused_by_ec2("RequestLimitExceeded", status=503), True),
        ("CreateTags", lambda: refused_by_ec2("RequestLimitExceeded", status=503), True),
        ("CreateTags", lambda: refused_by_ec2("UnauthorizedOperation", status=403), False),
        ("CreateTags", lambda: refused_by_ec2("TagLimitExceeded", status=400), False),
    ],
)
def test_region_that_fails_does_not_stop_the_others_and_the_next_run_finishes(
    web: ImageWorld, operation: str, fault: Callable[[], Any], is_retried: bool
) -> None:
    build = web.build()
    revoke(web, build)
    with intercepted(web.registry[HOME], operation, fault):
        run = web.run()
    assert copies(web, build) == {HOME: None, ABROAD: SINCE_EVER}
    named = [run.error] if is_retried else run.line["problems"]
    assert [HOME in each and operation in each for each in named] == [True]
    web.run()
    assert copies(web, build) == everywhere(SINCE_EVER)


def test_region_whose_channels_cannot_be_read_gets_the_tags(web: ImageWorld) -> None:
    build = web.build()
    revoke(web, build)
    with intercepted(web.abroad("ssm"), "GetParametersByPath", lambda: refused_by_ec2("AccessDenied", status=403)):
        web.run()
    assert copies(web, build) == everywhere(SINCE_EVER)


def test_undo_that_is_interrupted_is_finished_by_the_next_run(web: ImageWorld) -> None:
    build = web.build()
    revoke(web, build)
    web.run()
    undo(web, build)
    with intercepted(web.abroad("ec2"), "DeleteTags", lambda: refused_by_ec2("InternalError", status=500)):
        run = web.run()
    assert copies(web, build) == {HOME: None, ABROAD: SINCE_EVER}
    assert run.error
    web.run()
    assert copies(web, build) == everywhere(None)


def test_container_images_move_back_and_are_not_tagged(local_aws: LocalAws) -> None:
    web = ContainerImageWorld(local_aws)
    older = web.build()
    web.run()
    newest = web.build()
    web.run()
    revoke(web, newest)
    run = web.run()
    assert (web.latest(), run.line["problems"], run.error) == (web.values(older), [], "")
    assert "revoked" not in run.line


def test_run_that_has_nothing_to_do_makes_few_calls(local_aws: LocalAws) -> None:
    """For 2,000 builds, of which one is revoked and gone, 15 regions and five channels."""
    regions = [region for region in boto3.Session().get_available_regions("ec2") if region != HOME][:14]
    web = ImageWorld(local_aws, regions=[HOME, *regions])
    soaking = {name: ChannelRule(source="latest", soak_minutes=60) for name in ("a", "b", "c", "d")}
    web.image = replace(web.image, channels=soaking)
    gone, build = web.build(), web.build()
    revoke(web, gone)
    for region, ami in web.amis(gone).items():
        web.aws.client("ec2", region=region).deregister_image(ImageId=ami)
    for channel in soaking:
        for region, ami in web.amis(build).items():
            web.other_ssm[region].put_parameter(Name=f"{web.path}/{channel}", Value=ami, Type="String")
    for _ in range(2):
        web.run()

    def multiply(answer: Any) -> None:
        (image,) = [each for each in answer["imageSummaryList"] if each["arn"] == build]
        older = [
            {
                **image,
                "arn": f"{build.rpartition('/')[0]}/{1_000_000 + number}",
                "dateCreated": "2025-01-01T00:00:00Z",
                "tags": {"goldsmith:image": web.image.label},
                "outputResources": {"amis": [{"region": HOME, "image": f"ami-{number:017x}"}]},
            }
            for number in range(2_000)
        ]
        answer["imageSummaryList"] += older

    clients = [web.imagebuilder, web.history.s3, *web.registry.values(), *(target.ssm for target in web.targets)]
    with retold(web.imagebuilder, "ListImagePipelineImages", multiply), asked(*clients) as operations:
        run = web.run()
    assert (run.line["Moved"], run.line["Untagged"], run.line["problems"], run.error) == (0, 0, [], "")
    pages = operations.count("ListImagePipelineImages")
    assert len(operations) - pages <= 60, operations
