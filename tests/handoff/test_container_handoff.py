"""The hand-off of container images: what is theirs alone. What they share with AMIs is in `test_latest.py`, with the
state machine, which runs for both."""

from __future__ import annotations

import json

import pytest

from local_aws.server import LocalAws
from tests.support.answers import refused
from tests.support.handoff_world import ABROAD, HOME, REGIONS, ContainerImageWorld, asked, intercepted, retold


@pytest.fixture
def web(local_aws: LocalAws) -> ContainerImageWorld:
    return ContainerImageWorld(local_aws)


def test_channel_holds_the_uri_by_digest_as_text_in_every_region(web: ContainerImageWorld) -> None:
    build = web.build()

    run = web.run(web.message(build))

    (image,) = web.registry[ABROAD].describe_images(repositoryName=web.repository)["imageDetails"]
    uri = f"000000000000.dkr.ecr.{ABROAD}.amazonaws.com/{web.repository}@{image['imageDigest']}"
    assert (web.latest()[ABROAD], run.error) == (uri, "")
    assert web.latest() == web.values(build)
    for region in REGIONS:
        parameter = web.other_ssm[region].get_parameter(Name=f"{web.path}/latest")["Parameter"]
        assert (parameter["Type"], parameter["DataType"]) == ("String", "text")


def test_record_names_the_parent_and_what_was_there_before(web: ContainerImageWorld) -> None:
    first = web.build()
    web.run()
    second = web.build()
    web.run()

    latest = web.channels(HOME)["latest"]
    assert latest.history == (web.values(first)[HOME], web.values(second)[HOME])
    assert (latest.record["build"], latest.record["parent"]) == (second, "amazonlinux:2023")
    assert latest.record["previous"] == web.values(first)[HOME]


def test_second_run_writes_nothing(web: ContainerImageWorld) -> None:
    web.build()
    web.run()
    with intercepted(web.abroad("ssm"), "PutParameter") as puts:
        run = web.run()
    assert (puts, run.line["Moved"], run.line["latest"]) == ([], 0, web.latest())


def test_tag_that_moved_on_names_no_older_build(web: ContainerImageWorld) -> None:
    """Both builds have the tag `newest`; the older one is not what that means now."""
    older, newest = web.build(), web.build()
    web.run()
    moved_to = web.values(newest)
    assert web.latest() == moved_to
    web.other_imagebuilder.delete_image(imageBuildVersionArn=newest)

    web.run()

    assert web.latest() == web.values(older)
    assert set(web.values(older).values()).isdisjoint(moved_to.values())


def test_of_several_tags_the_one_that_image_builder_gives_counts(web: ContainerImageWorld) -> None:
    """Others that have the version in them may move on, or be gone."""
    build = web.build()

    def tagged(answer: dict[str, list[dict[str, dict[str, list[dict[str, list[str]]]]]]]) -> None:
        for image in answer["imageSummaryList"]:
            for container in image["outputResources"]["containers"]:
                uri = container["imageUris"][-1]
                container["imageUris"] = [f"{uri}-slim", f"{uri}1", uri, uri.replace(":", ":v")]

    with retold(web.imagebuilder, "ListImagePipelineImages", tagged):
        run = web.run()

    assert (web.latest(), run.line["problems"]) == (web.values(build), [])


def test_latest_goes_back_only_in_the_region_where_its_image_was_deleted(web: ContainerImageWorld) -> None:
    older, newest = web.build(), web.build()
    web.run()
    uri = web.uris(newest)[ABROAD]
    web.withdraw(ABROAD, web.values(newest)[ABROAD])

    run = web.run()

    assert web.latest() == {HOME: web.values(newest)[HOME], ABROAD: web.values(older)[ABROAD]}
    assert run.line["problems"] == [f"{ABROAD}: {newest} cannot be used: {uri} does not exist"]


def test_image_that_ecr_does_not_find_does_not_exist(web: ContainerImageWorld) -> None:
    """As AWS says it, by a refusal; the local one answers with nothing."""
    build = web.build()
    with intercepted(web.abroad("ecr"), "DescribeImages", lambda: refused("ImageNotFoundException")):
        run = web.run()
    assert web.latest() == {HOME: web.values(build)[HOME]}
    assert run.line["problems"] == [f"{ABROAD}: {build} cannot be used: {web.uris(build)[ABROAD]} does not exist"]
    assert run.error == ""


def test_image_of_another_repository_or_account_is_not_chosen(web: ContainerImageWorld) -> None:
    build = web.build()
    for uri in (
        f"000000000000.dkr.ecr.{ABROAD}.amazonaws.com/acme/other:1.0.7-1",
        f"111111111111.dkr.ecr.{ABROAD}.amazonaws.com/{web.repository}:1.0.7-1",
        f"000000000000.dkr.ecr.{HOME}.amazonaws.com/{web.repository}:1.0.7-1",
    ):

        def elsewhere(answer: dict[str, list[dict[str, dict[str, object]]]], uri: str = uri) -> None:
            for image in answer["imageSummaryList"]:
                image["outputResources"]["containers"] = [{"region": ABROAD, "imageUris": [uri]}]

        with retold(web.imagebuilder, "ListImagePipelineImages", elsewhere):
            run = web.run()
        assert web.latest() == {}
        fault = f"{uri} is not in repository {web.repository} of this account and region"
        assert run.line["problems"] == [f"{ABROAD}: {build} cannot be used: {fault}"]


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "RepositoryNotFoundException"])
def test_registry_that_refuses_stops_its_region_alone(web: ContainerImageWorld, code: str) -> None:
    build = web.build()

    with intercepted(web.abroad("ecr"), "DescribeImages", lambda: refused(code)):
        run = web.run()

    assert web.latest() == {HOME: web.values(build)[HOME]}
    if code == "ThrottlingException":
        assert f"acme/{web.name} needs another run: {ABROAD}: " in run.error
    else:
        assert (run.error, run.line["Problems"]) == ("", 1)
    assert web.run().error == ""
    assert web.latest() == web.values(build)


def test_builds_that_channels_point_or_pointed_to_are_tagged_by_what_the_digest_means(web: ContainerImageWorld) -> None:
    never, once, now, newest = (web.build() for _ in range(4))
    for build in (once, now):
        web.other_ssm[ABROAD].put_parameter(
            Name=f"{web.path}/prod", Value=web.values(build)[ABROAD], Type="String", Overwrite=build == now
        )

    web.run()

    mine = {"goldsmith:image": f"acme/{web.name}"}
    in_use = {**mine, "goldsmith:in-use": "true"}
    assert [web.tags(build) for build in (never, once, now, newest)] == [mine, in_use, in_use, in_use]


def test_asks_aws_for_nothing_but_these_operations(web: ContainerImageWorld) -> None:
    """The function's role has to allow these, and no others."""
    with asked(web.imagebuilder, *web.registry.values(), *(target.ssm for target in web.targets)) as operations:
        for _ in range(3):
            web.build()
            web.run()
    assert set(operations) - {"UntagResource"} == {
        *("ListImagePipelineImages", "GetImage", "TagResource"),
        *("DescribeImages",),
        *("GetParametersByPath", "GetParameterHistory", "GetParameter", "PutParameter"),
    }


def test_message_of_a_container_build_is_understood(web: ContainerImageWorld, local_aws: LocalAws) -> None:
    topic = local_aws.client("sns", region=HOME).create_topic(Name=web.name)["TopicArn"]
    web.other_imagebuilder.update_infrastructure_configuration(
        infrastructureConfigurationArn=web.pipeline["infrastructureConfigurationArn"],
        instanceProfileName="acme_builder",
        snsTopicArn=topic,
    )
    build = web.build()
    (message,) = [each for each in local_aws.messages() if each["arn"] == build]
    assert (message["type"], message["containerRecipe"]["parentImage"]) == ("DOCKER", "amazonlinux:2023")
    assert "imageRecipe" not in message
    assert {each["region"]: each["imageUris"][-1] for each in message["outputResources"]["containers"]} == web.uris(
        build
    )

    run = web.run({"Records": [{"Sns": {"Message": json.dumps(message)}}]})

    assert run.line["messages"] == [{"image": build, "status": "AVAILABLE"}]
