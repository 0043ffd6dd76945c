"""What `goldsmith rollout` does not start: AMIs that guards refuse, channels that went back, and groups."""

from __future__ import annotations

import re
from typing import Any

from lambda_src.handoff.builds import REVOKED_TAG
from tests.support.rollout_world import BY_GOLDSMITH, REGION, RolloutWorld


def refused(fleets: RolloutWorld, *arguments: str) -> list[str]:
    """Why nothing was started; no refresh may have been."""
    before = len(fleets["dev"].refreshes)
    status, (shown,) = fleets.shown(*arguments)
    assert (status, shown["state"], len(fleets["dev"].refreshes)) == (1, "refused", before)
    return [fleets.short(reason) for reason in shown["reasons"]]


def ec2(fleets: RolloutWorld) -> Any:
    return fleets["dev"].client("ec2")


def test_a_revoked_ami_is_refused_with_its_reason(fleets: RolloutWorld) -> None:
    _, new = fleets.deploy()
    tag = {"Key": REVOKED_TAG, "Value": "2026-01-02T03:04:05Z CVE-2026-1"}
    ec2(fleets).create_tags(Resources=[new], Tags=[tag])
    assert refused(fleets) == [f"{new} is revoked since 02 Jan 03:04 UTC: CVE-2026-1"]
    assert refused(fleets, "--now", "--why", "hurry") == refused(fleets, "--retry")
    ec2(fleets).delete_tags(Resources=[new], Tags=[{"Key": REVOKED_TAG}])
    assert fleets.rollout().status == 0


def test_an_ami_that_is_gone_is_refused(fleets: RolloutWorld) -> None:
    _, new = fleets.deploy()
    ec2(fleets).deregister_image(ImageId=new)
    assert refused(fleets) == [
        f"{new} does not exist in account 000000000000 and {REGION}: it was deregistered, or is not shared with this "
        "account"
    ]


def test_a_disabled_ami_is_refused(fleets: RolloutWorld) -> None:
    _, new = fleets.deploy()
    ec2(fleets).disable_image(ImageId=new)
    assert refused(fleets) == [f"{new} is disabled in account 000000000000 and {REGION}"]


def test_a_foreign_ami_and_one_for_another_architecture_are_refused(fleets: RolloutWorld) -> None:
    fleets.deploy()
    foreign = ec2(fleets).register_image(Name="somebody-else's", Architecture="x86_64", RootDeviceName="/dev/xvda")
    fleets["dev"].change(foreign["ImageId"])
    assert refused(fleets) == [
        f"{foreign['ImageId']} (somebody-else's) is not a build of this image: its name does not start with 'acme.web.'"
    ]
    arm = ec2(fleets).register_image(
        Name=f"acme.{fleets.web.name}.2026", Architecture="arm64", RootDeviceName="/dev/xvda"
    )["ImageId"]
    fleets["dev"].change(arm)
    reasons = refused(fleets)
    assert reasons == [
        f"{arm} (acme.web.2026) is not a build of this image: its tag Ec2ImageBuilderArn is missing",
        f"{arm} is built for arm64, and the image for x86_64",
    ]


def test_guards_that_warn_let_it_pass_and_say_so(fleets: RolloutWorld) -> None:
    fleets.declare(dev=f"guards: warn, {BY_GOLDSMITH}")
    _, new = fleets.deploy()
    tag = {"Key": REVOKED_TAG, "Value": "2026-01-02T03:04:05Z CVE-2026-1"}
    ec2(fleets).create_tags(Resources=[new], Tags=[tag])
    answer = fleets.rollout()
    assert (answer.status, answer.err) == (0, "")
    assert f"WARNING: {new} is revoked since 02 Jan 03:04 UTC: CVE-2026-1" in answer.out.splitlines()[1]
    assert fleets["dev"].versions == {"2": 4}


def test_a_channel_that_went_back_after_the_apply_stops_it(fleets: RolloutWorld) -> None:
    old, _ = fleets.deploy()
    fleets.point(old)
    assert refused(fleets) == [
        "web@prod points to 1.0.7/1, which is older than 1.0.7/2 in the launch template: run goldsmith "
        "plan fleet-web-dev and apply it"
    ]
    fleets["dev"].change(old)
    assert fleets.rollout().status == 0
    assert fleets["dev"].versions == {"3": 4}


def test_a_channel_that_went_forward_does_not(fleets: RolloutWorld) -> None:
    fleets.deploy()
    fleets.build()
    assert fleets.rollout().status == 0
    assert fleets["dev"].versions == {"2": 4}


def test_everything_that_is_wrong_is_said_at_once(fleets: RolloutWorld) -> None:
    old, new = fleets.deploy()
    fleets.point(old)
    ec2(fleets).create_tags(Resources=[new], Tags=[{"Key": REVOKED_TAG, "Value": "2026-01-02T03:04:05Z bad"}])
    fleets["dev"].update(LaunchTemplate=fleets["dev"].specification("$Latest"))
    assert len(refused(fleets)) == 3
    answer = fleets.rollout()
    assert answer.out.count("is revoked since") == 2, "once in the table, once at the end"


# --- Groups as people made them


def test_a_group_that_launches_latest_gets_a_number_by_the_printed_command(fleets: RolloutWorld) -> None:
    fleets.deploy()
    fleet = fleets["dev"]
    fleet.update(LaunchTemplate=fleet.specification("$Latest"))
    (reason,) = refused(fleets)
    command = (
        f"aws autoscaling update-auto-scaling-group --auto-scaling-group-name acme_web-dev --launch-template "
        f"LaunchTemplateId={fleet.template},Version=1"
    )
    assert reason == (
        f"the group launches version $Latest of its launch template, and AWS goes back to a number only: run {command}"
    )
    fleet.update(LaunchTemplate=fleet.specification(re.findall(r"Version=(\d+)$", reason)[0]))
    assert fleets.rollout().status == 0
    assert fleet.versions == {"2": 4}


def mixed(fleets: RolloutWorld, version: object) -> dict[str, Any]:
    return {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": fleets["dev"].specification(version),
            "Overrides": [{"InstanceType": "t3.small"}, {"InstanceType": "t3a.small"}],
        },
        "InstancesDistribution": {"OnDemandBaseCapacity": 1, "SpotAllocationStrategy": "capacity-optimized"},
    }


def test_a_mixed_instances_policy_is_kept(fleets: RolloutWorld) -> None:
    fleets.deploy()
    fleet = fleets["dev"]
    fleet.update(MixedInstancesPolicy=mixed(fleets, 1))
    before = fleet.described["MixedInstancesPolicy"]
    assert fleets.rollout().status == 0
    after = fleet.described["MixedInstancesPolicy"]
    assert after["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] == "2"
    assert after["LaunchTemplate"]["Overrides"] == before["LaunchTemplate"]["Overrides"]
    assert after["InstancesDistribution"] == before["InstancesDistribution"]
    assert fleet.versions == {"2": 4}
    assert (fleets.rollout().status, fleets.gaps()) == (0, [])


def test_a_mixed_instances_policy_is_kept_by_a_rollback_too(fleets: RolloutWorld) -> None:
    _, new = fleets.deploy()
    fleet = fleets["dev"]
    fleet.update(MixedInstancesPolicy=mixed(fleets, 1))
    before = fleet.described["MixedInstancesPolicy"]
    fleets.aws.break_instances(new)
    assert fleets.rollout().status == 1
    assert (fleet.described["MixedInstancesPolicy"], fleet.versions) == (before, {"1": 4})


def test_a_mixed_instances_policy_without_a_number_is_refused(fleets: RolloutWorld) -> None:
    fleets.deploy()
    fleets["dev"].update(MixedInstancesPolicy=mixed(fleets, "$Latest"))
    (reason,) = refused(fleets)
    assert reason.endswith("AWS goes back to a number only: write 1 in its policy")


def test_alarms_that_aws_does_not_accept_are_refused_in_its_words(fleets: RolloutWorld) -> None:
    fleets.declare(dev=f"rollout: {{by: goldsmith, alarms: [{fleets.web.name}-5xx]}}")
    fleets.deploy()
    missing, remedy = refused(fleets)
    assert remedy == "goldsmith doctor says which alarms exist, and their states"
    assert missing.startswith("AWS refused StartInstanceRefresh in eu-west-1: ValidationError: ")
    assert "web-5xx" in missing
    doctor = fleets.short(fleets.ops("doctor").out)
    assert "web-5xx does not exist in account 000000000000 and eu-west-1" in doctor
    fleets.add_alarm()
    assert "web-5xx is OK" in fleets.short(fleets.ops("doctor").out)
    fleets.set_alarm("ALARM")
    ringing, _ = refused(fleets)
    assert "web-5xx is in the state ALARM" in ringing
    fleets.set_alarm("OK")
    assert fleets.rollout().status == 0


def test_an_alarm_rolls_it_back(fleets: RolloutWorld) -> None:
    alarm = fleets.add_alarm()
    fleets.declare(dev=f"rollout: {{by: goldsmith, alarms: [{alarm}], bake: 5 minutes}}")
    fleets.deploy()
    fleets.aws.set_rollout_time(launch_seconds=30, scale=1)
    fleets["dev"].start(2, AutoRollback=True, BakeTime=300, AlarmSpecification={"Alarms": [alarm]})
    fleets.aws.pass_time(60)
    fleets.set_alarm("ALARM")
    with fleets.passing():
        answer = fleets.rollout()
    assert answer.status == 1
    assert f"was rolled back: The CloudWatch alarm {alarm} is in the ALARM state." in answer.out
    assert "  failed: " not in answer.out, "no launch failed"
    assert fleets["dev"].versions == {"1": 4}


def test_a_version_without_an_ami_is_refused(fleets: RolloutWorld) -> None:
    """Somebody has made it by hand."""
    fleets.deploy()
    fleets["dev"].client("ec2").create_launch_template_version(
        LaunchTemplateName=fleets["dev"].group, LaunchTemplateData={"InstanceType": "t3.large"}
    )
    answer = fleets.rollout()
    assert (answer.status, fleets["dev"].refreshes) == (1, [])
    assert f"{fleets.name('dev')}: the newest version of the launch template names no AMI\n" in answer.out
