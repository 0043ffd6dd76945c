"""Who replaces the instances of a fleet, as its stack says it to Terraform."""

from typing import Any

import pytest

from tests.support.estates import synthesize

ESTATE = """\
settings:
  namespace: rolls
  freeze:
    - {from: 2026-12-28, to: 2027-01-05, why: "year ${end}", time_zone: Asia/Tokyo}
    - {from: "2027-04-29", to: "2027-05-05", why: golden week}
images:
  web: {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}
defaults:
  fleets:
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.small
    subnets: [subnet-0a]
    capacity: {min: 1, max: 2}
fleets:
  web-dev: {}
  web-test:
    rollout:
      warmup: 2 minutes
      checkpoints: [20, 100]
      checkpoint_delay: 10 minutes
      protected_instances: wait
      standby_instances: terminate
  web-prod:
    rollout: {by: goldsmith, alarms: [web-5xx], checkpoints: [20, 100], bake: 15 minutes}
    window: mon-thu 10:00-16:00 Asia/Tokyo
    after: {fleets: [web-test], soak: 2 days}
"""


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("rollouts")
    (folder / "estate.yaml").write_text(ESTATE)
    return synthesize(folder / "estate.yaml", folder / "cdktf.out")


def group(stack: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = stack["resource"]["aws_autoscaling_group"]["fleet"]
    return found


def test_terraform_starts_the_rollout_with_the_preferences_that_its_provider_knows(
    stacks: dict[str, dict[str, Any]],
) -> None:
    percentages = {"min_healthy_percentage": 90, "max_healthy_percentage": 100, "skip_matching": True}
    plain = group(stacks["fleet-web-dev"])
    assert plain["instance_refresh"] == {"strategy": "Rolling", "preferences": percentages}
    assert "lifecycle" not in plain
    assert group(stacks["fleet-web-test"])["instance_refresh"]["preferences"] == {
        **percentages,
        "instance_warmup": "120",
        "checkpoint_percentages": [20, 100],
        "checkpoint_delay": "600",
        "scale_in_protected_instances": "Wait",
        "standby_instances": "Terminate",
    }


def test_terraform_starts_no_rollout_that_goldsmith_does_and_leaves_the_version_of_the_group(
    stacks: dict[str, dict[str, Any]],
) -> None:
    own, other = group(stacks["fleet-web-prod"]), group(stacks["fleet-web-dev"])
    assert "instance_refresh" not in own
    assert own["lifecycle"] == {"ignore_changes": ["launch_template"]}
    assert own["launch_template"] == other["launch_template"]
    assert "rollout" not in stacks["fleet-web-dev"]["check"]


def test_only_plans_of_rollouts_by_terraform_warn_in_a_freeze(stacks: dict[str, dict[str, Any]]) -> None:
    assert "freeze" not in stacks["fleet-web-prod"]["check"]
    stack = stacks["fleet-web-dev"]
    assert [each["error_message"] for each in stack["check"]["freeze"]["assert"]] == [
        "Fleet web-dev: freeze until Tue 5 Jan: year $${end}; apply this stack afterwards",
        "Fleet web-dev: freeze until Wed 5 May: golden week; apply this stack afterwards",
    ]
    locals_of_stack = stack["locals"]
    assert locals_of_stack["freeze_1"] == {"begins": "2026-12-27T15:00:00Z", "ends": "2027-01-05T15:00:00Z"}
    assert locals_of_stack["freeze_2"] == {"begins": "2027-04-29T00:00:00Z", "ends": "2027-05-06T00:00:00Z"}
    now, freeze = "plantimestamp()", "local.freeze_2"
    assert stack["check"]["freeze"]["assert"][1]["condition"] == (
        f"${{timecmp({now}, {freeze}.begins) < 0 || timecmp({now}, {freeze}.ends) >= 0}}"
    )
