"""The commands in several accounts: by roles and profiles, and what they say of accounts that they cannot reach."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from itertools import chain, repeat
from pathlib import Path

import pytest

from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from tests.support.fleet_world import FIELDS, REGION, FleetWorld
from tests.support.handoff_world import ContainerImageWorld, ImageWorld
from tests.support.ops_world import Answer, only, refusing, run_ops, serving

PEOPLE, PROD, OTHER = "700000000001", "700000000002", "700000000003"
ROLE = f"arn:aws:iam::{PROD}:role/operator"


class Team:
    """People whose account has nothing, an image in a second account and its fleet in a third, each with a role."""

    def __init__(self, world: FleetWorld, folder: Path) -> None:
        self.world, self.aws, self.name, self.folder = world, world.aws, world.web.name, folder
        for account in (ACCOUNT, PROD):
            self.trust([PEOPLE], account=account)

    def trust(self, callers: list[str], *, account: str) -> None:
        self.aws.make_role("operator", account=account, trusts=callers)

    def declare(self, *, image: str = "", images: str = "role: operator", prod: str = "role: operator") -> None:
        """The estate, with ways into its accounts, and fields of the image."""
        fields = f"{image}os: amazon-linux-2023, build: [update-os], regions: [us-east-1, {REGION}], channels: [prod]"
        self.world.config.write_text(
            f"settings:\n  namespace: acme\n  accounts:\n"
            f"    images: {{id: '{ACCOUNT}', {images}}}\n    prod: {{id: '{PROD}', {prod}}}\n"
            f"images:\n  {self.name}: {{{fields}, account: images}}\n"
            f"fleets:\n  {self.world.fleet}:\n    account: prod\n    image: {self.name}" + FIELDS.replace(ACCOUNT, PROD)
        )

    def share(self, ami: str) -> None:
        ec2 = self.aws.client("ec2", region=REGION)
        ec2.modify_image_attribute(ImageId=ami, LaunchPermission={"Add": [{"UserId": PROD}]})

    def copy(self, ami: str) -> str:
        """What Image Builder makes in the fleet's account."""
        (image,) = self.aws.client("ec2", region=REGION).describe_images(ImageIds=[ami])["Images"]
        made = self.aws.client("ec2", region=REGION, account=PROD).register_image(
            Name=image["Name"], Architecture="x86_64", RootDeviceName="/dev/xvda"
        )
        return str(made["ImageId"])


@pytest.fixture
def team(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Team:
    config = tmp_path / "estate.yaml"
    only(local_aws.environment(account=PEOPLE) | {"AWS_MAX_ATTEMPTS": "1"}, monkeypatch)

    def ops(*arguments: str) -> Answer:
        return run_ops([*arguments, "--config", str(config)], capsys)

    team = Team(FleetWorld(local_aws, ImageWorld(local_aws), config, ops, account=PROD), tmp_path)
    team.declare()
    return team


# --- Reading


def test_channels_are_read_in_the_images_account_and_instances_in_the_fleets(team: Team) -> None:
    world = team.world
    ami = world.build()
    team.share(ami)
    world.point(ami)
    world.add_version(ami)
    world.create_group()
    status, fleet = world.status("--check")
    assert (status, fleet["gaps"], fleet["errors"]) == (0, [], [])
    assert (fleet["account"], fleet["wanted"]) == (PROD, {"ami": ami, "build": "1.0.7/1"})
    assert fleet["instances"] == [{"template_version": "1", "ami": ami, "build": "1.0.7/1", "count": 4}]
    answer = json.loads(world.ops("status", "--json").out)
    assert [image["account"] for image in answer["images"]] == [ACCOUNT]
    assert answer["accounts"] == [
        {"name": name, "account": account, "caller": f"arn:aws:sts::{account}:assumed-role/operator/goldsmith"}
        | {"error": None}
        for name, account in (("images", ACCOUNT), ("prod", PROD))
    ]
    images, fleets = [line.split() for line in world.ops("status").out.splitlines() if line.isupper()]
    assert images[:3] == ["IMAGE", "ACCOUNT", "REGION"]
    assert fleets[:3] == ["FLEET", "ACCOUNT", "REGION"]


def test_an_ami_that_is_not_shared_is_a_gap(team: Team) -> None:
    ami = team.world.build()
    team.world.point(ami)
    assert team.world.gaps()[1:] == [
        f"channel prod of image {team.name}: {ami} is not shared with account {PROD} and {REGION}: apply "
        f"image-{team.name}, build the image, and move the channel"
    ]


def test_a_fleet_that_runs_a_copy_is_compared_with_the_copy(team: Team) -> None:
    world = team.world
    team.declare(image=f"target_accounts: ['{PROD}'], ")
    ami = world.build()
    world.point(ami)
    (gap,) = world.gaps()[1:]
    assert f": the copy of {ami}, acme.{team.name}." in gap
    copy = team.copy(ami)
    world.add_version(copy)
    world.create_group()
    assert world.gaps() == []
    _, fleet = world.status()
    assert (fleet["wanted"], fleet["instances"][0]["build"]) == ({"ami": copy, "build": "1.0.7/1"}, "1.0.7/1")


def test_a_rollout_is_started_in_the_account_of_the_fleet(team: Team) -> None:
    world = team.world
    old, new = world.build(), world.build()
    team.share(old)
    team.share(new)
    world.point(new)
    world.add_version(old)
    world.create_group()
    world.add_version(new)
    world.update_group("2")
    assert len(world.gaps()) == 1
    assert world.ops("rollout", world.fleet, "--retry", "--yes").status == 0
    assert world.gaps() == []


# --- Accounts that cannot be reached


def no_role(team: Team) -> str:
    team.trust([OTHER], account=PROD)
    return (
        f"the role cannot be assumed: User: arn:aws:iam::{PEOPLE}:root is not authorized to perform: sts:AssumeRole on "
        f"resource: {ROLE}; it must exist and trust these credentials, and their policies must allow sts:AssumeRole on "
        "it"
    )


def no_profile(team: Team) -> str:
    team.declare(prod="profile: nobody")
    return (
        "The config profile (nobody) could not be found: check AWS_PROFILE and the profile in the settings, or create "
        "it with aws configure"
    )


def wrong_account(team: Team) -> str:
    team.declare(prod="")
    named = "settings.accounts.prod"
    return (
        f"these credentials belong to account {PEOPLE}, and {named}.id is {PROD}: write its role or profile in "
        f"{named}, or set AWS_PROFILE to a profile of account {PROD}"
    )


def wrong_profile(team: Team) -> str:
    add_profile(team, "other", OTHER)
    team.declare(prod="profile: other")
    return (
        f"these credentials belong to account {OTHER}, and settings.accounts.prod.id is {PROD}: correct the profile "
        "other or the settings"
    )


def add_profile(team: Team, name: str, account: str) -> None:
    """A profile with credentials of an account."""
    (team.folder / "credentials").write_text(f"[{name}]\naws_access_key_id={account}\naws_secret_access_key=test\n")


@pytest.mark.parametrize("broken", [no_role, no_profile, wrong_account, wrong_profile])
def test_an_account_that_cannot_be_reached_is_one_line_and_the_others_are_shown(
    team: Team, monkeypatch: pytest.MonkeyPatch, broken: Callable[[Team], str]
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(team.folder / "credentials"))
    reason = broken(team)
    world = team.world
    second = world.config.read_text().partition("fleets:\n")[2].replace(f"{world.fleet}:", f"{world.fleet}-2:")
    with world.config.open("a") as config:
        config.write(f"\n{second}")
    world.point(world.build())
    answer = world.ops("status")
    assert answer.err == f"account prod ({PROD}) cannot be reached: {reason}\n"
    assert f"\n{team.name}  images   {REGION}  prod     ami-" in answer.out
    assert answer.status == 1
    shown = json.loads(world.ops("status", "--json").out)
    assert [(each["name"], each["account"], each["error"]) for each in shown["accounts"]] == [
        ("images", ACCOUNT, None),
        ("prod", PROD, reason),
    ]
    for fleet in shown["fleets"]:
        assert fleet["errors"] == [f"account prod ({PROD}) cannot be reached: {reason}"]
        assert (fleet["deployed"], fleet["gaps"], fleet["wanted"]["build"]) == (None, [], "1.0.7/1")


def test_without_the_images_account_fleets_are_shown(team: Team) -> None:
    world = team.world
    ami = world.build()
    world.add_version(ami)
    team.share(ami)
    world.create_group()
    team.trust([OTHER], account=ACCOUNT)
    status, fleet = world.status()
    assert (status, fleet["deployed"], fleet["gaps"]) == (1, True, [])
    assert fleet["instances"] == [{"template_version": "1", "ami": ami, "build": None, "count": 4}]
    (line,) = world.ops("status").err.splitlines()
    assert line.startswith(f"account images ({ACCOUNT}) cannot be reached: the role cannot be assumed: ")
    answer = world.ops("status", f"{team.name}@7/1")
    assert (answer.out, answer.err.splitlines(), answer.status) == ("", [line], 1)
    for command in (("build", team.name), ("build", team.name, "--attach")):
        answer = world.ops(*command)
        assert (answer.out, answer.err, answer.status) == ("", f"{line}\n", 1)


def test_what_all_accounts_lack_is_one_line(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    both = f"accounts images ({ACCOUNT}), prod ({PROD}) cannot be reached: "
    with refusing("ExpiredToken", "expired") as endpoint, monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL_STS", endpoint)
        answer = team.world.ops("status")
    expired = "the AWS session has expired: log in again, for example with aws sso login"
    assert (answer.out, answer.err, answer.status) == ("", f"{both}{expired}\n", 1)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    answer = team.world.ops("status", "--json")
    absent = "there are no AWS credentials: log in (aws sso login, aws configure) or set AWS_PROFILE"
    assert (answer.out, answer.err, answer.status) == ("", f"{both}{absent}\n", 1)


# --- Building, and sessions


def test_an_image_is_built_in_its_account_by_a_role_that_a_profile_assumes(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_profile(team, "people", PEOPLE)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(team.folder / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OTHER)
    team.declare(images=f"profile: people, role: 'arn:aws:iam::{ACCOUNT}:role/operator'")
    answer = team.world.ops("build", team.name, "--no-wait", "--json")
    arn = f"arn:aws:imagebuilder:us-east-1:{ACCOUNT}:image/acme-{team.name}/1.0.7/1"
    assert (answer.status, json.loads(answer.out)["arn"]) == (0, arn)


def test_a_container_image_is_built_and_read_in_its_account(team: Team) -> None:
    web = ContainerImageWorld(team.aws)
    fields = f"kind: container, parent: 'amazonlinux:2023', build: [update-os], regions: [us-east-1, {REGION}]"
    account = f"images: {{id: '{ACCOUNT}', role: operator}}"
    settings, images = f"{{namespace: acme, accounts: {{{account}}}}}", f"{{{web.name}: {{{fields}}}}}"
    team.world.config.write_text(f"settings: {settings}\nimages: {images}\n")
    build = json.loads(team.world.ops("build", web.name, "--no-wait", "--json").out)
    assert build["arn"].startswith(f"arn:aws:imagebuilder:us-east-1:{ACCOUNT}:image/")
    web.build()
    web.run()
    (image,) = json.loads(team.world.ops("status", "--json").out)["images"]
    assert {(each["build"], each["problem"]) for each in image["channels"]} == {("1.0.7/2", None)}
    assert image["channels"][0]["value"].startswith(f"{ACCOUNT}.dkr.ecr.us-east-1.")


def test_a_role_is_assumed_again_before_its_credentials_expire(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first credentials are those of an account without the image, so only the second find it."""
    team.world.build()
    team.world.web.run()
    keys = chain([OTHER], repeat(ACCOUNT))

    def sts(_: BaseHTTPRequestHandler, body: str) -> tuple[int, str]:
        if "GetCallerIdentity" in body:
            return 200, f"<R><GetCallerIdentityResult><Account>{ACCOUNT}</Account></GetCallerIdentityResult></R>"
        credentials = {
            "AccessKeyId": next(keys),
            "SecretAccessKey": "test",
            "SessionToken": "test",
            "Expiration": (datetime.now(UTC) + timedelta(minutes=5)).isoformat(),
        }
        members = "".join(f"<{name}>{value}</{name}>" for name, value in credentials.items())
        return 200, f"<R><AssumeRoleResult><Credentials>{members}</Credentials></AssumeRoleResult></R>"

    with serving(sts) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", endpoint)
        answer = team.world.ops("build", team.name, "--attach", "--json")
    assert (answer.status, json.loads(answer.out)["status"]) == (0, "AVAILABLE")
