"""Where Terraform keeps its states: each kind of backend, with a state of its own for each stack."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.estates import synthesize

ESTATE = """\
settings: {{namespace: acme, backend: {{{backend}}}}}
images:
  web: {{os: amazon-linux-2023, build: [update-os], regions: [eu-west-1, us-east-1]}}
fleets:
  web-dev:
    image: web
    channel: latest
    region: us-east-1
    instance_type: t3.small
    subnets: [subnet-0a]
    capacity: {{min: 1, max: 1}}
"""


@pytest.mark.parametrize(
    ("backend", "image", "fleet"),
    [
        (
            "cloud: {organization: acme, hostname: tfe.example.com, project: images}",
            {
                "cloud": {
                    "organization": "acme",
                    "hostname": "tfe.example.com",
                    "workspaces": {"name": "acme-image-web-eu-west-1", "project": "images"},
                }
            },
            "acme-fleet-web-dev-us-east-1",
        ),
        (
            'other: {azurerm: {container_name: states, key: "goldsmith/{state}", use_oidc: true}}',
            {
                "backend": {
                    "azurerm": {
                        "container_name": "states",
                        "key": "goldsmith/acme/image-web.eu-west-1.tfstate",
                        "use_oidc": True,
                    }
                }
            },
            "goldsmith/acme/fleet-web-dev.us-east-1.tfstate",
        ),
    ],
)
def test_each_stack_has_a_state_of_its_own(backend: str, image: dict[str, Any], fleet: str, tmp_path: Path) -> None:
    (tmp_path / "estate.yaml").write_text(ESTATE.format(backend=backend), encoding="utf-8")
    stacks = synthesize(tmp_path, tmp_path / "out")
    found = {key: value for key, value in stacks["image-web"]["terraform"].items() if key != "required_providers"}
    assert found == image
    assert fleet in str(stacks["fleet-web-dev"]["terraform"])
