"""Keys of AMIs that no fleet of another account needs any more: Terraform forgets them, because AMIs need them still.

Of the image's stack only its keys are applied.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize

HOME, OTHER = "eu-west-1", "eu-west-2"
IMAGES, FLEETS = "220000000001", "220000000002"
ALIAS = "alias/forgotten/web/amis"
ESTATE = f"""
settings:
  namespace: forgotten
  accounts:
    images: {{id: "{IMAGES}", role: deployer}}
    fleets: {{id: "{FLEETS}", role: deployer}}
images:
  web: {{account: images, os: amazon-linux-2023, build: [update-os], regions: [{HOME}, {OTHER}]}}
x-fleet: &fleet
  account: fleets
  image: web
  channel: latest
  instance_type: t3.micro
  subnets: [subnet-0a1b2c3d]
  capacity: {{min: 1, max: 1}}
"""


@dataclass(frozen=True)
class Keys:
    """The keys in the stack of the image, and fleets of another account in some regions."""

    aws: LocalAws
    folder: Path
    environment: Mapping[str, str]

    def terraform(self, *arguments: str) -> str:
        return terraform.run(*arguments, folder=self.folder, environ=self.environment)

    def declare(self, *regions: str) -> None:
        """Fleets in these regions."""
        fleets = "".join(f"  in-{region}: {{<<: *fleet, region: {region}}}\n" for region in regions)
        config = self.folder / "estate.yaml"
        config.write_text(ESTATE + (f"fleets:\n{fleets}" if fleets else ""))
        stack = synthesize(config, self.folder / "cdktf.out")["image-web"]
        needed: dict[str, Any] = {key: stack[key] for key in ("data", "provider") if key in stack}
        removed = self.folder / "cdktf.out" / "stacks" / "image-web" / "removed.tf.json"
        needed |= json.loads(removed.read_text()) if removed.exists() else {}
        needed["terraform"] = {"required_providers": stack["terraform"]["required_providers"]}
        resources = {
            kind: {name: each for name, each in stack["resource"].get(kind, {}).items() if name.startswith("ami_key")}
            for kind in ("aws_kms_key", "aws_kms_alias")
        }
        needed |= {"resource": resources} if resources["aws_kms_alias"] else {}
        (self.folder / "cdk.tf.json").write_text(json.dumps(needed))

    def in_use(self, region: str) -> str | None:
        """The key that Image Builder finds by its alias."""
        aliases = self.aws.client("kms", region=region, account=IMAGES).list_aliases()["Aliases"]
        return next((each["TargetKeyId"] for each in aliases if each["AliasName"] == ALIAS), None)

    def state(self, region: str, key: str | None) -> str:
        kms = self.aws.client("kms", region=region, account=IMAGES)
        return str(kms.describe_key(KeyId=key or "")["KeyMetadata"]["KeyState"])


@pytest.fixture
def keys(local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path: Path) -> Keys:
    local_aws.make_role("deployer", account=IMAGES, trusts=["000000000000"])
    keys = Keys(local_aws, tmp_path, shared_providers_environment)
    keys.declare(HOME, OTHER)
    keys.terraform("init")
    keys.terraform("apply", "-auto-approve")
    return keys


def test_keys_that_no_fleet_needs_are_forgotten_and_a_later_fleet_gets_new_ones(keys: Keys) -> None:
    at_home, in_other = keys.in_use(HOME), keys.in_use(OTHER)
    keys.declare(HOME)
    keys.terraform("apply", "-auto-approve")
    assert (keys.in_use(HOME), keys.in_use(OTHER)) == (at_home, None)
    assert keys.state(OTHER, in_other) == "Enabled"
    keys.declare()
    keys.terraform("apply", "-auto-approve")
    assert (keys.in_use(HOME), keys.state(HOME, at_home)) == (None, "Enabled")
    # exit status 0: nothing is left to forget
    keys.terraform("plan", "-detailed-exitcode")
    keys.declare(HOME, OTHER)
    keys.terraform("apply", "-auto-approve")
    for region, before in ((HOME, at_home), (OTHER, in_other)):
        assert keys.in_use(region) not in (None, before)
        assert keys.state(region, before) == "Enabled"
