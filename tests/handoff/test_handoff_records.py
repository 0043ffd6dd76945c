"""Records of channels that are foreign, or too long."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from local_aws.server import LocalAws
from tests.support.answers import refused, sent
from tests.support.handoff_world import ABROAD, BY, HOME, PARENT, REGIONS, ImageWorld, intercepted

PAGE = b"<html><body>Please log in to this network</body></html>"


FOREIGN = {
    "of another image": "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-db/1.0.0/1",
    "of an image whose name goes on": "arn:aws:imagebuilder:us-east-1:000000000000:image/%s-admin/1.0.0/1",
    "of another account": "arn:aws:imagebuilder:us-east-1:111111111111:image/%s/1.0.0/1",
    "of another region": "arn:aws:imagebuilder:eu-west-1:000000000000:image/%s/1.0.0/1",
    "of another partition": "arn:aws-cn:imagebuilder:us-east-1:000000000000:image/%s/1.0.0/1",
    "no build": "arn:aws:imagebuilder:us-east-1:000000000000:image/%s/1.0.x/1",
    "digits of another script": "arn:aws:imagebuilder:us-east-1:000000000000:image/%s/1.0.0/\N{ARABIC-INDIC DIGIT ONE}",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_record_of_another_image_is_not_asked_for_and_holds_nothing_back(web: ImageWorld, name: str) -> None:
    """A copied parameter, or one that was restored; the function's role may not look at that build."""
    build = web.build()
    web.run()
    foreign = FOREIGN[name].replace("%s", f"acme-{web.name}")
    record = {"build": foreign, "created": "2099-01-01T00:00:00+00:00", "by": "a copy"}
    web.write_latest(ABROAD, value="ami-0f0f0f0f", record=record)

    with intercepted(web.imagebuilder, "GetImage", lambda: refused("AccessDeniedException", status=403)) as asked:
        run = web.run()

    assert len(asked) == 1, "only for the parent"
    assert (web.latest(), run.error) == (web.amis(build), "")
    latest = web.channels(ABROAD)["latest"]
    assert (latest.record["build"], latest.record["previous"]) == (build, "ami-0f0f0f0f")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", ""])
def test_build_that_is_not_shown_stops_only_the_regions_whose_record_names_it(web: ImageWorld, code: str) -> None:
    build = web.build()
    arn = f"{build.rpartition('/')[0]}/99"
    record = {"build": arn, "created": web.details(build)["dateCreated"]}
    web.write_latest(ABROAD, value="ami-0f0f0f0f", record=record)

    with intercepted(web.imagebuilder, "GetImage", lambda: refused(code, status=403) if code else sent(PAGE)):
        run = web.run()

    assert web.latest() == {HOME: web.amis(build)[HOME], ABROAD: "ami-0f0f0f0f"}
    said = run.line["problems"] if code == "AccessDeniedException" else run.line["unfinished"]
    assert said[0].startswith(f"{ABROAD}: ")
    assert not [each for each in said if each.startswith((HOME, "Image Builder"))]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_build_that_is_not_shown_gives_way_to_a_newer_one(web: ImageWorld, code: str) -> None:
    build = web.build()
    before = datetime.fromisoformat(web.details(build)["dateCreated"]) - timedelta(seconds=1)
    record = {"build": f"{build.rpartition('/')[0]}/99", "created": before.isoformat()}
    web.write_latest(ABROAD, value="ami-0f0f0f0f", record=record)

    with intercepted(web.imagebuilder, "GetImage", lambda: refused(code)):
        web.run()

    assert web.latest() == web.amis(build)


LONG = 4000
"""Characters; Parameter Store takes 4,096 as a value."""


@pytest.mark.parametrize("text", ["x" * LONG, "ゴールド" * (LONG // 4), '"\\' * (LONG // 2), "x" * 650, "\n" * 600])
@pytest.mark.parametrize("long_parent", [False, True])
def test_record_fits_whatever_was_there(local_aws: LocalAws, text: str, long_parent: bool) -> None:
    web = ImageWorld(local_aws, parent=f"ssm:{_long_parent(local_aws)}" if long_parent else PARENT)
    build = web.build()
    for region in REGIONS:
        web.write_latest(region, value=text, record="by hand")

    run = web.run()

    assert (web.latest(), run.line["Problems"], run.error) == (web.amis(build), 0, "")
    record = web.channels(HOME)["latest"].record
    created = datetime.fromisoformat(web.details(build)["dateCreated"]).isoformat()
    assert (record["build"], record["created"], record["by"]) == (build, created, BY)
    assert record.get("parent") == (None if long_parent else PARENT), "as little as possible is left out"
    *_, version = web.other_ssm[HOME].get_parameter_history(Name=f"{web.path}/latest")["Parameters"]
    assert len(version["Description"]) <= 1024, "what PutParameter takes"


def _long_parent(aws: LocalAws) -> str:
    name = "/long-name" * 95
    ssm = aws.client("ssm", region=HOME)
    public = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    ami = ssm.get_parameter(Name=public)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value=ami, Type="String", Overwrite=True)
    return name
