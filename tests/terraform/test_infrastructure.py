"""Where builds run, by the real Terraform: each field is made, changed in place and taken away again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize

REGION = "eu-west-1"
ESTATE = f"""
settings:
  namespace: hosts
  kms_key: arn:aws:kms:{REGION}:000000000000:key/0a1b2c3d-0000-0000-0000-000000000000
images:
  web:
    os: amazon-linux-2023
    build: [update-os]
    regions: [{REGION}]
    infrastructure: INFRASTRUCTURE
"""
ONE_HOST = """
      instance_types: [m5.large]
      placement: {tenancy: host, host_id: h-0123456789abcdef0, availability_zone: eu-west-1a}
      key_pair: builders
      instance_metadata_options: {http_tokens: optional, http_put_response_hop_limit: 3}
      terminate_instance_on_failure: false
"""
GROUP = f"arn:aws:resource-groups:{REGION}:000000000000:group/hosts"
HOSTS_OF_A_GROUP = f"""
      instance_types: [m5.large, m5a.large]
      placement: {{tenancy: host, host_resource_group_arn: "{GROUP}"}}
"""


class DeployedStack:
    """The infrastructure configuration of one image, and what it needs."""

    def __init__(self, aws: LocalAws, environment: Mapping[str, str], folder: Path) -> None:
        self._client = aws.client("imagebuilder", region=REGION)
        self._environment, self._folder = environment, folder

    def apply(self, infrastructure: str) -> str:
        """Terraform's output; a plan after it is empty."""
        (self._folder / "config").mkdir(exist_ok=True)
        text = ESTATE.replace("INFRASTRUCTURE", infrastructure)
        (self._folder / "config" / "estate.yaml").write_text(text)
        synthesize(self._folder / "config", self._folder / "cdktf.out")
        if not (self._folder / "cdktf.out" / "stacks" / "image-web" / ".terraform").exists():
            self.terraform("init")
        # the rest of the stack takes a minute, and is tested elsewhere
        target = "-target=aws_imagebuilder_infrastructure_configuration.infrastructure"
        said = self.terraform("apply", "-auto-approve", target)
        plan = self.terraform("plan", target)
        assert "No changes." in plan, plan
        return said

    def terraform(self, *arguments: str) -> str:
        stack = self._folder / "cdktf.out" / "stacks" / "image-web"
        return terraform.run(*arguments, folder=stack, environ=self._environment)

    def configurations(self) -> list[dict[str, Any]]:
        """Those that there are, as Image Builder has them."""
        listed = self._client.list_infrastructure_configurations()["infrastructureConfigurationSummaryList"]
        get = self._client.get_infrastructure_configuration
        found = [get(infrastructureConfigurationArn=each["arn"])["infrastructureConfiguration"] for each in listed]
        return [dict(each) for each in found if each["name"].startswith("hosts")]


@pytest.fixture
def world(local_aws: LocalAws, terraform_environment: Mapping[str, str], tmp_path: Path) -> DeployedStack:
    return DeployedStack(local_aws, terraform_environment, tmp_path)


def test_infrastructure_is_made_changed_in_place_and_destroyed(world: DeployedStack) -> None:
    world.apply(ONE_HOST)
    (made,) = world.configurations()
    assert made["placement"] == {
        "tenancy": "host",
        "hostId": "h-0123456789abcdef0",
        "availabilityZone": "eu-west-1a",
    }
    assert made["instanceMetadataOptions"] == {"httpTokens": "optional", "httpPutResponseHopLimit": 3}
    assert (made["keyPair"], made["terminateInstanceOnFailure"]) == ("builders", False)

    assert "Resources: 0 added, 1 changed, 0 destroyed." in world.apply(HOSTS_OF_A_GROUP)
    (changed,) = world.configurations()
    assert changed["placement"] == {"tenancy": "host", "hostResourceGroupArn": GROUP}
    assert changed["instanceMetadataOptions"] == {"httpTokens": "required", "httpPutResponseHopLimit": 1}
    assert changed["terminateInstanceOnFailure"] is True
    assert "keyPair" not in changed

    assert "Resources: 0 added, 1 changed, 0 destroyed." in world.apply("{}")
    (plain,) = world.configurations()
    assert "placement" not in plain
    assert plain["arn"] == made["arn"]

    world.terraform("destroy", "-auto-approve")
    assert world.configurations() == []
