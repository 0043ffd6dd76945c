"""What the commands call, held against the policies for people: viewer, releaser and emergency."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from estate.load import load
from local_aws.calls import Call
from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from ops.permissions import needs_of
from tests.support.fleet_world import FIELDS, REGION, FleetWorld
from tests.support.handoff_world import HOME, ImageWorld
from tests.support.ops_world import Answer, OpsWorld, Shell
from tests.support.permissions import TO_OPERATE, Estate, Need, actions_of, by, check_called
from tests.support.pin_world import PinWorld
from tests.support.report_world import ReportWorld
from tests.support.rollout_world import BY_GOLDSMITH, RolloutWorld

ESTATE = Estate(namespace="acme", account=ACCOUNT)
KEYS = {"aws:tagkeys": ["goldsmith:commit"]}
"""Of the tag that `build` gives to builds."""


class Recording:
    """The calls of the commands that a role is for, without those that are for a lesser role, too."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws
        self.calls: dict[str, list[Call]] = {role: [] for role in TO_OPERATE}

    @contextmanager
    def of(self, role: str) -> Iterator[None]:
        """Keeps what the commands call meanwhile."""
        self._aws.record_calls("goldsmith")
        try:
            yield
        finally:
            self.calls[role] += self._aws.calls()
            self._aws.record_calls(None)

    def keep_calls_of(self, account: str) -> None:
        """Forgets what was called as a role of another account, and the way into its role."""
        for role, calls in self.calls.items():
            here = (call for call in calls if call.caller.split(":")[4] == account)
            self.calls[role] = [call for call in here if call.operation != "AssumeRole"]

    def check(self, name: str, request: pytest.FixtureRequest) -> None:
        """Each role may do what its commands call, and the actions are those of the file."""
        for role, policies in TO_OPERATE.items():
            assert ESTATE.refused(self.calls[role], policies=policies) == []
        lines = {f"{role} {action}" for role, calls in self.calls.items() for action in actions_of(calls)}
        check_called(name, sorted(lines), request)


def well(answer: Answer) -> Answer:
    assert answer.err == ""
    return answer


def scan_builds(web: ImageWorld) -> None:
    """Let Inspector scan the builds of an image from now on."""
    web.aws.client("inspector2", region=HOME).enable(resourceTypes=["EC2", "ECR"])
    pipeline = web.other_imagebuilder.get_image_pipeline(imagePipelineArn=web.image.pipeline_arn)["imagePipeline"]
    web.other_imagebuilder.update_image_pipeline(
        **web.pipeline,
        imageRecipeArn=pipeline["imageRecipeArn"],
        imageScanningConfiguration={"imageScanningEnabled": True},
    )


def test_policies_allow_what_the_commands_for_amis_call(
    world: OpsWorld, local_aws: LocalAws, request: pytest.FixtureRequest
) -> None:
    name, web, recording = world.name, world.web, Recording(local_aws)
    gate = "{max_severity: high, except: [{cve: CVE-2026-2, until: 2099-01-31, why: not reachable}]}"
    scanned = f", image_scanning: {{image_scanning_enabled: true}}, gate: {gate}"
    world.declare(name, channels="{stable: {soak: 1 day}, prod: {}}", more=scanned)
    child = ImageWorld(local_aws, parent=f"ssm:{web.path}/prod")
    declared = world.config.read_text()
    fields = f"{{os: amazon-linux-2023, build: [update-os], parent: {name}@prod, regions: [us-east-1, eu-west-1]}}"
    world.config.write_text(f"{declared}\n  {child.name}: {fields}\n")
    scan_builds(web)
    local_aws.scan_next_build(web.image.pipeline_arn, findings=[])
    first = web.build()
    web.run()
    finding = {"severity": "CRITICAL", "vulnerability": "CVE-2026-3", "package": "openssl", "version": "3.0.1"}
    local_aws.scan_next_build(web.image.pipeline_arn, findings=[finding])
    web.build()
    with recording.of("viewer"):
        for reference in (name, f"{name}@latest", f"{name}@1.0.7/1", web.amis(first)[REGION]):
            well(world.ops("status", reference))
        well(world.ops("build", name, "--attach", "1.0.7/1"))
        world.ops("doctor")
    with recording.of("releaser"):
        well(world.ops("build", name, "--no-wait"))
        well(world.ops("promote", name, "prod", "--yes"))
        well(world.ops("hold", name, "--why", "audit", "--yes"))
        well(world.ops("hold", f"{name}@prod", "--why", "audit", "--yes"))
        world.ops("hold", name, "--undo", "--yes")
        world.ops("hold", f"{name}@prod", "--undo", "--yes")
    child.build()
    why = ("--why", "CVE-2026-1", "--yes")
    with recording.of("emergency"):
        well(world.ops("promote", f"{name}@1.0.7/1", "stable", "--skip-soak", *why))
        well(world.ops("promote", f"{name}@1.0.7/2", "prod", "--despite-gate", *why))
        well(world.ops("rollback", f"{name}@prod", "--yes"))
        world.ops("build", name, "--children", "--handoff-timeout", "0 seconds", *why)
        well(world.ops("revoke", f"{name}@1.0.7/1", "--children", *why))
        well(world.ops("revoke", f"{name}@1.0.7/1", "--undo", "--yes"))
    recording.check("commands-for-amis", request)


def test_policies_allow_what_the_commands_for_containers_call(
    container_world: OpsWorld, local_aws: LocalAws, request: pytest.FixtureRequest
) -> None:
    world, recording = container_world, Recording(local_aws)
    world.web.build()
    world.web.run()
    with recording.of("viewer"):
        well(world.ops("status", world.name))
    with recording.of("releaser"):
        well(world.ops("promote", world.name, "prod", "--yes"))
    recording.check("commands-for-containers", request)


def test_policies_allow_what_the_commands_for_fleets_call(
    local_aws: LocalAws, shell: Shell, request: pytest.FixtureRequest
) -> None:
    world, recording = FleetWorld(local_aws, ImageWorld(local_aws), shell.config, shell.ops), Recording(local_aws)
    world.declare()
    world.second_build()
    world.refresh()
    with recording.of("viewer"):
        world.ops("status", world.fleet)
        world.ops("doctor")
    with recording.of("emergency"):
        well(world.ops("revoke", f"{world.web.name}@1.0.7/2", "--why", "CVE-2026-1", "--yes"))
    recording.check("commands-for-fleets", request)


def test_policies_allow_what_pin_calls_in_the_accounts_of_image_and_fleet(
    local_aws: LocalAws, shell: Shell, request: pytest.FixtureRequest
) -> None:
    """And in the fleet's, where it calls what rollouts and `status` call."""
    prod = "270000000001"
    local_aws.make_role("operator", account=prod, trusts=[ACCOUNT])
    world, recording = PinWorld(local_aws, ImageWorld(local_aws), shell.config, shell.ops), Recording(local_aws)
    world.declare_elsewhere(prod)
    world.share(world.good_build(), prod)
    key = local_aws.client("kms", region=REGION).create_key()["KeyMetadata"]["Arn"]
    alias = f"alias/acme/{world.web.name}/amis"
    local_aws.client("kms", region=REGION).create_alias(AliasName=alias, TargetKeyId=key)
    with recording.of("viewer"):
        well(world.ops("pin"))
        well(world.ops("pin", world.fleet, "--build", f"{world.web.name}@7/1"))
    in_prod = Estate(namespace="acme", account=prod, images_account=ACCOUNT)
    assert in_prod.refused(by(recording.calls["viewer"], prod), policies=TO_OPERATE["viewer"]) == []
    recording.keep_calls_of(ACCOUNT)
    recording.check("commands-for-pins", request)


def test_policies_allow_what_rollouts_call(
    fleets: RolloutWorld, local_aws: LocalAws, request: pytest.FixtureRequest
) -> None:
    recording = Recording(local_aws)
    alarm, after = fleets.add_alarm(), "after: {fleets: [WEB-dev], soak: 0 minutes}"
    fleets.declare(dev=f"rollout: {{by: goldsmith, alarms: [{alarm}]}}", prod=f"{BY_GOLDSMITH}, {after}")
    fleets.deploy("dev", "prod")
    with recording.of("viewer"):
        well(fleets.ops("status"))
        fleets.ops("doctor")
    with recording.of("rollout"):
        fleets.aws.break_instances(f"{fleets['dev'].template}:2")
        well(fleets.rollout())
        fleets.aws.heal_instances(f"{fleets['dev'].template}:2")
        well(fleets.rollout("--retry"))
        local_aws.set_rollout_time(launch_seconds=3600)
        fleets["prod"].start(2)
        with fleets.passing(4000, when=lambda: fleets["prod"].statuses[0] == "RollbackInProgress"):
            well(fleets.rollout("--abort", fleets="prod"))
        fleets.declare(dev=BY_GOLDSMITH, prod="rollout: {by: terraform}")
        fleets["prod"].apply(fleets.build())
        with fleets.passing(4000, when=lambda: fleets["prod"].statuses[0] == "Cancelling"):
            well(fleets.rollout("--abort", fleets="prod"))
    recording.check("commands-for-rollouts", request)


def test_policies_allow_what_a_report_calls(local_aws: LocalAws, shell: Shell, request: pytest.FixtureRequest) -> None:
    world, recording = ReportWorld(local_aws, ImageWorld(local_aws), shell.config, shell.ops), Recording(local_aws)
    world.declare(f"{FIELDS}\n    rollout: {{by: goldsmith}}")
    old, new = world.move()
    with recording.of("viewer"):
        members = world.members(old, new)
    assert members["inside"], "it has read both builds"
    recording.check("commands-for-reports", request)


def test_policies_allow_what_doctor_says_is_needed(shell: Shell) -> None:
    """`doctor` simulates these actions; a person with the policies must not be asked to get more."""
    estate = load(shell.config)
    needs = needs_of([estate.image("web"), estate.image("api")], [], account=ACCOUNT)
    assert {need.command for need in needs} == {"status", "build"}
    for need in needs:
        role = {"status": "viewer", "build": "releaser"}[need.command]
        wanted = [Need(action, resource, KEYS) for action in need.actions for resource in need.resources]
        assert ESTATE.denied(wanted, account=ACCOUNT, policies=TO_OPERATE[role]) == []
