"""The basis of the tests of `goldsmith report`: a fleet, its image with components of its own, and a plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.fleet_world import REGION, FleetWorld
from tests.support.ops_world import Answer
from tests.support.recorded_plans import PLANS

INSTALL = """\
name: app
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        inputs:
          commands:
            - dnf install -y PACKAGES
"""
BOOTS = "{name: boots, schemaVersion: 1.0, phases: [{name: test, steps: [{name: Boot, action: Reboot}]}]}"


class ReportWorld(FleetWorld):
    """A fleet, its image with components of its own, and the plan that gives it another AMI."""

    def install(self, version: str, packages: str) -> None:
        """Another recipe, as Terraform makes it."""
        builder = self.web.other_imagebuilder
        arns = []
        for name, data in (("app", INSTALL.replace("PACKAGES", packages)), ("boots", BOOTS)):
            made = builder.create_component(
                name=f"acme_{self.web.name}_{name}", semanticVersion=version, platform="Linux", data=data
            )
            arns.append({"componentArn": made["componentBuildVersionArn"]})
        recipe = builder.create_image_recipe(**self.web.recipe, semanticVersion=version, components=arns)
        builder.update_image_pipeline(
            **self.web.pipeline, imageRecipeArn=recipe["imageRecipeArn"], enhancedImageMetadataEnabled=True
        )

    def report(self, old: str, new: str, *arguments: str) -> Answer:
        """The report of a plan that Terraform made, with the names and AMIs of this fleet."""
        file = self.config.parent.parent / "plan" / f"fleet-{self.fleet}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(self.plan(old, new))
        return self.ops("report", str(file), *arguments)

    def plan(self, old: str, new: str) -> str:
        plan = json.loads((PLANS / "image-move" / "fleet-web-prod.json").read_text())
        (template,) = (each for each in plan["resource_changes"] if each["type"] == "aws_launch_template")
        was, will = (template["change"][side]["image_id"] for side in ("before", "after"))
        plan["prior_state"] = {}  # as in a plan that others may read
        text = json.dumps(plan).replace(was, old).replace(will, new)
        text = text.replace("acme/web-prod", f"acme/{self.fleet}").replace("acme_web-prod", self.group)
        return text.replace('"acme/web"', f'"acme/{self.web.name}"').replace("ap-northeast-1", REGION)

    def members(self, old: str, new: str, *arguments: str) -> Mapping[str, Any]:
        answer = self.report(old, new, "--format", "json", *arguments)
        assert answer.status == 0, answer.err
        found: Mapping[str, Any] = json.loads(answer.out)
        return found

    def move(self) -> tuple[str, str]:
        """A fleet on one build, and a newer one in its channel; the AMIs."""
        self.install("1.0.111222333", "openssl-1.1.1 nginx-1.26.3 telnet-0.17")
        old = self.deploy()
        self.install("1.0.444555666", "openssl-3.0.7 nginx-1.28.0 jq-1.7.1")
        new = self.build()
        self.point(new)
        return old, new
