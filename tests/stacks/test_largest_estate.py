"""The largest estate that the rules allow, held against what AWS takes, resource by resource."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import stacks
from estate.load import assemble
from estate.models.accounts import Account
from estate.models.settings import Settings
from tests.support.aws_limits import LIMITS, MOST_TAGS, tags_of, too_much
from tests.support.estates import ESTATES, reviewed, synthesize
from tests.support.largest_estate import write
from tests.support.models import fleet, image

Stacks = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("largest")


@pytest.fixture(scope="module")
def largest(folder: Path) -> Stacks:
    return synthesize(write(folder), folder / "cdktf.out")


def test_aws_takes_every_resource_of_the_largest_estate(largest: Stacks) -> None:
    found = [
        f"{stack}: {kind}.{name}: {words}"
        for stack, terraform in largest.items()
        for kind, resources in terraform["resource"].items()
        for name, resource in resources.items()
        for words in too_much(kind, resource)
    ]
    assert found == []


def test_no_resource_of_the_largest_estate_has_more_tags_than_aws_takes(largest: Stacks) -> None:
    for stack, made in largest.items():
        provider = made["provider"]["aws"][0]
        for kind, resources in made["resource"].items():
            for name, resource in resources.items():
                tags = tags_of(resource, provider)
                most = 10 if kind == "aws_s3_object" else MOST_TAGS
                assert len(tags) <= most, f"{stack}: {kind}.{name}"
                assert all(len(key) <= 128 and len(value) <= 256 for key, value in tags.items())


def test_every_kind_of_resource_that_the_stacks_make_is_in_the_largest_estate(largest: Stacks) -> None:
    made = {kind for stack in largest.values() for kind in stack["resource"]}
    others = [reviewed(estate) for estate in ESTATES]
    assert {kind for stacks in others for stack in stacks.values() for kind in stack["resource"]} <= made
    assert made <= LIMITS.keys()


@pytest.mark.parametrize(
    ("own", "external", "organizations", "units"),
    [(36, 0, 0, 0), (35, 1, 0, 0), (1, 31, 1, 1), (1, 1, 1, 11), (1, 1, 25, 3)],
)
def test_policies_for_as_many_other_accounts_as_the_rules_allow_are_not_too_long(
    own: int, external: int, organizations: int, units: int, tmp_path: Path
) -> None:
    numbers = range(200_000_000_000, 200_000_000_000 + own)
    names = {f"account-{number}": Account(id=str(number), role="r" * 64) for number in numbers}
    others = [str(number) for number in range(300_000_000_000, 300_000_000_000 + (external or 100))]
    arn = "arn:aws-us-gov:organizations::111111111111:"
    permission = {
        "accounts": others,
        "organizations": [f"{arn}organization/o-{number:032}" for number in range(organizations)],
        "organizational_units": [f"{arn}ou/o-{'0' * 32}/ou-{'0' * 32}-{number:032}" for number in range(units)],
    }
    region = "us-gov-west-1"
    key = {region: {"kms_key_id": f"arn:aws-us-gov:kms:{region}:111111111111:key/1f2e"}}
    web = image(
        account="images",
        regions=[region],
        launch_permission=permission,
        target_accounts=others,
        external_fleets=bool(external),
        distribution=key if organizations or units else {},
    )
    settings = Settings(namespace="acme", accounts={"images": Account(id="1" * 12, role="goldsmith"), **names})
    fleets = [fleet(name=f"in-{name}", account=name, region=region) for name in names]
    app = stacks.App(outdir=str(tmp_path))
    stacks.ImagePipelineStack(app, estate=assemble(settings=settings, images=[web], fleets=fleets), image=web)
    app.synth()
    made = json.loads((tmp_path / "stacks" / "image-web" / "cdk.tf.json").read_text())["resource"]
    assert list(too_much("aws_iam_role", made["aws_iam_role"]["reader_role"])) == []
    for each in made.get("aws_kms_key", {}).values():
        assert list(too_much("aws_kms_key", each)) == []


def test_more_images_than_a_dashboard_takes_have_several(tmp_path: Path) -> None:
    images = [image(name=f"image-{number}", notifications={"no_new_image_for": "1 day"}) for number in range(801)]
    estate = assemble(settings=Settings(namespace="acme", dashboards=True), images=images)
    app = stacks.App(outdir=str(tmp_path))
    stacks.DashboardStack(app, estate=estate, region="eu-west-1")
    app.synth()
    made = json.loads((tmp_path / "stacks" / "overview-eu-west-1" / "cdk.tf.json").read_text())
    dashboards = made["resource"]["aws_cloudwatch_dashboard"]
    assert {each["dashboard_name"] for each in dashboards.values()} == {
        "acme_images",
        "acme_images_2",
        "acme_images_3",
    }
    assert [words for each in dashboards.values() for words in too_much("aws_cloudwatch_dashboard", each)] == []
    shown = "".join(each["dashboard_body"] for each in dashboards.values())
    assert all(f'"acme/image-{number}"' in shown for number in range(801))
