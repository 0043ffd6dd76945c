"""Answers of AWS that are incomplete or cannot be read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from typing import Any

import pytest

from lambda_src.handoff.builds import Build
from lambda_src.handoff.failures import Failures
from lambda_src.handoff.handler import respond
from lambda_src.handoff.outputs import Amis, Usable
from lambda_src.handoff.run import Target
from local_aws.server import LocalAws
from tests.support.answers import sent
from tests.support.handoff_world import ABROAD, BY, HOME, REGIONS, ContainerImageWorld, ImageWorld, intercepted, retold

PAGE = b"<html><body>Please log in to this network</body></html>"
JSON = {
    "cut off": b'{"Parameters": [{"Name": "/imagebuilder/acme/web/latest", "Va',
    "not UTF-8": b'{"Parameters": "\xff\xfe"}',
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"Parameters"',
    "a page": PAGE,
    "no members": b"{}",
    "members of other types": b'{"Parameters": 7, "Parameter": 7, "Version": "x", "imageDetails": 7}',
    "entries of other types": b'{"Parameters": [null, 7], "Parameter": [], "Version": [], "imageDetails": [null]}',
    "entries without members": b'{"Parameters": [{}], "Parameter": {}, "Version": null, "imageDetails": [{}]}',
    "deeper than a parser goes": b"[" * 100_000,
}
IMAGES = b"<DescribeImagesResponse><imagesSet>%s</imagesSet></DescribeImagesResponse>"
XML = {
    "cut off": IMAGES[:40],
    "not UTF-8": IMAGES % b"\xff\xfe",
    "a page": PAGE,
    "no members": b"<DescribeImagesResponse/>",
    "entries without members": IMAGES % b"<item/>",
}
CALLS = [
    ("ssm", "GetParametersByPath", JSON),
    ("ssm", "GetParameterHistory", JSON),
    ("ssm", "PutParameter", JSON),
    ("ssm", "GetParameter", JSON),
    ("ec2", "DescribeImages", XML),
]


@pytest.mark.parametrize(("service", "operation", "bodies"), CALLS, ids=[operation for _, operation, _ in CALLS])
def test_answer_that_cannot_be_read_stays_in_its_region(
    web: ImageWorld, service: str, operation: str, bodies: dict[str, bytes]
) -> None:
    build = web.build()
    for name, body in bodies.items():
        for region in REGIONS:
            web.write_latest(region, value="ami-0f0f0f0f", record="by hand")

        with intercepted(web.abroad(service), operation, partial(sent, body)):
            run = web.run()

        assert web.latest()[HOME] == web.amis(build)[HOME], name
        assert run.error.startswith(f"acme/{web.name} needs another run: {ABROAD}: "), name
        assert HOME not in run.error, name
        assert (run.line["Unfinished"] > 0, run.line["Problems"]) == (True, 0), name

    again = web.run()
    assert (web.latest(), again.error) == (web.amis(build), "")


def test_registry_whose_answer_cannot_be_read_stops_its_region_alone(local_aws: LocalAws) -> None:
    web = ContainerImageWorld(local_aws)
    build = web.build()
    for name, body in JSON.items():
        with intercepted(web.abroad("ecr"), "DescribeImages", partial(sent, body)):
            run = web.run()
        assert web.latest() == {HOME: web.values(build)[HOME]}, name
        assert run.error.startswith(f"acme/{web.name} needs another run: {ABROAD}: "), name
    assert (web.run().error, web.latest()) == ("", web.values(build))


def test_list_of_builds_that_cannot_be_read_changes_nothing_and_is_raised_after_the_line(web: ImageWorld) -> None:
    older = web.build()
    web.run()
    newest, tags = web.build(), web.tags(older)
    for name, body in JSON.items():
        with intercepted(web.imagebuilder, "ListImagePipelineImages", partial(sent, body)):
            run = web.run(web.message(newest))
        assert (web.latest(), web.tags(older), web.tags(newest)) == (web.amis(older), tags, {}), name
        assert run.error.startswith(f"acme/{web.name} needs another run: Image Builder: "), name
        assert (run.line["Unfinished"], run.line["latest"]) == (1, web.amis(older)), name
    assert (web.run().error, web.latest()) == ("", web.amis(newest))


def test_build_that_cannot_be_read_is_released_without_its_parent(web: ImageWorld) -> None:
    build = web.build()
    for name, body in JSON.items():
        for region in REGIONS:
            web.write_latest(region, value="ami-0f0f0f0f", record="by hand")
        with intercepted(web.imagebuilder, "GetImage", partial(sent, body)):
            run = web.run()
        assert web.latest() == web.amis(build), name
        assert f"parent of {build}: " in run.error, name


@pytest.mark.parametrize("body", [b"", PAGE, b'"x"', b"\xff"])
def test_tagging_with_an_answer_that_cannot_be_read_is_tried_again(web: ImageWorld, body: bytes) -> None:
    build = web.build()
    with intercepted(web.imagebuilder, "TagResource", lambda: sent(body)):
        web.run()
    assert web.latest() == web.amis(build)
    assert web.run().error == ""
    assert web.tags(build)["goldsmith:in-use"] == "true"


def test_refusal_without_a_code_is_a_refusal(web: ImageWorld) -> None:
    web.build()
    with intercepted(web.abroad("ec2"), "DescribeImages", lambda: sent(b"<Response/>", status=400)):
        run = web.run()
    assert (set(web.latest()), run.line["Problems"], run.error) == ({HOME}, 1, "")


def test_mistake_of_the_program_is_raised_and_the_line_written_before(web: ImageWorld) -> None:
    """Whatever it is, the counts of the run are not lost, and it is not taken for an answer of AWS."""

    class Broken(Amis):
        def newest_usable(self, builds: Sequence[Build], *, failures: Failures) -> Usable | None:
            raise KeyError("a mistake")

    build = web.build()
    ssm = web.targets[1].ssm
    output = io.StringIO()
    with redirect_stdout(output), pytest.raises(KeyError, match="a mistake"):
        respond(
            web.message(build, status="FAILED"),
            image=web.image,
            imagebuilder=web.imagebuilder,
            targets=[web.targets[0], Target(ABROAD, Broken(web.registry[ABROAD], ABROAD, "x86_64"), ssm)],
            history=web.history,
            by=BY,
        )
    line = json.loads(output.getvalue())
    assert (line["mistake"], line["FailedBuilds"]) == ("KeyError: 'a mistake'", 1)
    assert [metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]] == ["FailedBuilds"]


def test_line_stays_short_enough_for_its_metrics_however_much_goes_wrong(web: ImageWorld) -> None:
    builds = [web.build() for _ in range(3)]

    def multiply(answer: Any) -> None:
        (image,) = [each for each in answer["imageSummaryList"] if each["arn"] == builds[0]]
        answer["imageSummaryList"] = [
            {**image, "arn": f"{image['arn'].rpartition('/')[0]}/{number}", "tags": {}} for number in range(1, 101)
        ]

    with (
        retold(web.imagebuilder, "ListImagePipelineImages", multiply),
        intercepted(web.registry[HOME], "DescribeImages", lambda: sent(IMAGES % b"")),
    ):
        run = web.run()
    assert run.line["Problems"] >= 100
    assert (len(run.line["problems"]), run.line["problems"][-1]) == (51, f"and {run.line['Problems'] - 50} more")


# Members that are absent.


def _ami(answer: Any, arn: str, region: str) -> Any:
    images = answer.get("imageSummaryList") or [answer["image"]]
    (image,) = [each for each in images if each["arn"] == arn]
    (ami,) = [each for each in image["outputResources"]["amis"] if each["region"] == region]
    return ami


INCOMPLETE: dict[str, Callable[[Any], None]] = {
    "no region": lambda ami: ami.pop("region"),
    "no image": lambda ami: ami.pop("image"),
    "an empty image": lambda ami: ami.update(image=""),
    "nothing": lambda ami: ami.clear(),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_output_that_lacks_something_is_skipped_and_reported(web: ImageWorld, name: str) -> None:
    older = web.build()
    web.run()
    newest = web.build()

    with retold(
        web.imagebuilder, "ListImagePipelineImages", lambda answer: INCOMPLETE[name](_ami(answer, newest, ABROAD))
    ):
        run = web.run()

    assert web.latest() == {HOME: web.amis(newest)[HOME], ABROAD: web.amis(older)[ABROAD]}
    assert run.line["problems"] == [f"{ABROAD}: {newest} cannot be used: it has no AMI in this region"]
    assert run.error == ""


@pytest.mark.parametrize("name", INCOMPLETE)
def test_latest_does_not_move_back_because_an_output_lacks_something(web: ImageWorld, name: str) -> None:
    web.build()
    newest = web.build()
    web.run()

    with retold(
        web.imagebuilder, "ListImagePipelineImages", lambda answer: INCOMPLETE[name](_ami(answer, newest, ABROAD))
    ):
        run = web.run()

    assert web.latest() == web.amis(newest)
    assert f"what Image Builder says about {newest} is incomplete" in run.line["problems"][-1]
    assert run.line["problems"][-1].startswith(f"{ABROAD}: latest does not move back to ")


@pytest.mark.parametrize("member", ["state", "dateCreated", "outputResources"])
def test_latest_does_not_move_back_because_a_build_lacks_something(web: ImageWorld, member: str) -> None:
    web.build()
    newest = web.build()
    web.run()

    def forget(answer: Any) -> None:
        for image in answer["imageSummaryList"]:
            if image["arn"] == newest:
                del image[member]

    with retold(web.imagebuilder, "ListImagePipelineImages", forget):
        run = web.run()
        assert (web.latest(), run.error) == (web.amis(newest), "")
        last = web.build()
        web.run()
    assert web.latest() == web.amis(last), "to a newer one it does"


@pytest.mark.parametrize(
    "arn", [None, "", 7, "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-web/1.0.7", "x/1"]
)
def test_entry_without_the_arn_of_a_build_is_left_out_and_reported(web: ImageWorld, arn: object) -> None:
    build = web.build()

    with retold(
        web.imagebuilder,
        "ListImagePipelineImages",
        lambda answer: answer["imageSummaryList"].insert(0, {**answer["imageSummaryList"][0], "arn": arn}),
    ):
        run = web.run()

    assert (web.latest(), run.error) == (web.amis(build), "")
    assert run.line["problems"] == [
        "Image Builder: its list has an entry without the ARN of a build, which is left out"
    ]


def test_container_image_without_uris_is_skipped(local_aws: LocalAws) -> None:
    web = ContainerImageWorld(local_aws)
    build = web.build()

    def forget(answer: Any) -> None:
        for image in answer["imageSummaryList"]:
            for container in image["outputResources"]["containers"]:
                if container["region"] == ABROAD:
                    container["imageUris"] = [None, ""]

    with retold(web.imagebuilder, "ListImagePipelineImages", forget):
        run = web.run()
    assert (web.latest(), run.error) == ({HOME: web.values(build)[HOME]}, "")


@pytest.mark.parametrize("member", ["OwnerId", "Architecture", "State", "ImageId"])
def test_ami_with_an_incomplete_answer_is_neither_chosen_nor_taken_for_deleted(web: ImageWorld, member: str) -> None:
    older = web.build()
    web.run()
    web.build()

    def forget(answer: Any) -> None:
        for image in answer["Images"]:
            del image[member]

    with retold(web.registry[ABROAD], "DescribeImages", forget):
        run = web.run()

    assert web.latest()[ABROAD] == web.amis(older)[ABROAD]
    assert run.error == f"acme/{web.name} needs another run: {ABROAD}: an answer of AWS has no {member}"
