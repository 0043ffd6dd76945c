"""What Terraform makes of an estate in AWS, changes in place, replaces and takes away again, with the real provider.

The estate goes through all steps once; each test looks at its subject in what AWS had after them.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from lambda_src.handoff.configuration import history_bucket
from local_aws.server import LocalAws
from scripts import terraform
from tests.support.applied_estate import Applied, AppliedEstate, Seen
from tests.support.permissions import Estate, Recorder, check_called
from tests.support.whole_estate import (
    ABROAD,
    BOUNDARY,
    BUILD,
    CHANGED,
    FULL,
    GROUP,
    HOME,
    LETTERS,
    LONG,
    OTHER,
    OWN,
    PLAIN,
    STRANGER,
    TEST,
    TO_CHANGED,
    TO_PLAIN,
    WITHOUT_WORKFLOWS,
)


@pytest.fixture(scope="module")
def estate(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AppliedEstate:
    local_aws.client("inspector2", region=HOME).enable(resourceTypes=["EC2"])
    s3 = local_aws.client("s3", region=HOME)
    s3.create_bucket(Bucket="disks-of-whole", CreateBucketConfiguration={"LocationConstraint": HOME})
    for disk in ("noble/1.vmdk", "noble/2.vmdk"):
        s3.put_object(Bucket="disks-of-whole", Key=disk, Body=b"a disk image")
    folder = tmp_path_factory.mktemp("applied")
    recorder = Recorder(local_aws)
    return AppliedEstate(
        local_aws, shared_providers_environment, folder, region=HOME, prefix="whole", recorder=recorder
    )


@pytest.fixture(scope="module")
def full(estate: AppliedEstate) -> Applied:
    """Everything that an image can have."""
    FULL.declare(estate)
    estate.terraform("init")
    return estate.apply()


@pytest.fixture(scope="module")
def changed(full: Applied, estate: AppliedEstate) -> Applied:
    """Other values, and less of them."""
    CHANGED.declare(estate)
    return estate.apply()


@pytest.fixture(scope="module")
def build(changed: Applied, estate: AppliedEstate) -> dict[str, Any]:
    """A build that starts now, as GetImage has it."""
    client = estate.aws.client("imagebuilder", region=HOME)
    pipeline = changed.seen.named("imagePipeline", "whole_desk")["arn"]
    arn = client.start_image_pipeline_execution(imagePipelineArn=pipeline)["imageBuildVersionArn"]
    image: dict[str, Any] = client.get_image(imageBuildVersionArn=arn)["image"]
    return image


@pytest.fixture(scope="module")
def refusal(build: dict[str, Any], estate: AppliedEstate) -> str:
    """What a plan says that would take the workflows away."""
    WITHOUT_WORKFLOWS.declare(estate)
    with pytest.raises(terraform.TerraformError) as refused:
        estate.terraform("plan")
    return " ".join(str(refused.value).split())


@pytest.fixture(scope="module")
def plain(refusal: str, estate: AppliedEstate) -> Applied:
    """Image Builder's own values, written out where AWS's provider needs that."""
    PLAIN.declare(estate)
    return estate.apply()


@pytest.fixture(scope="module")
def renamed(plain: Applied, estate: AppliedEstate) -> Applied:
    """One resource, under another name."""
    replace(PLAIN, namespace="wholes").declare(estate)
    return estate.apply("-target=module.image-desk.aws_imagebuilder_lifecycle_policy.retention")


@pytest.fixture(scope="module")
def with_export(renamed: Applied, estate: AppliedEstate) -> str:
    """What a destroy says while a disk image is in the bucket."""
    s3 = estate.aws.client("s3", region=HOME)
    (bucket,) = (
        each["s3ExportConfiguration"]["s3Bucket"]
        for each in renamed.seen.named("distributionConfiguration", "whole_kiosk")["distributions"]
        if "s3ExportConfiguration" in each
    )
    s3.put_object(Bucket=bucket, Key="export-ami-1.raw", Body=b"a disk image")
    with pytest.raises(terraform.TerraformError) as refused:
        estate.terraform("destroy", "-auto-approve", "-target=module.image-kiosk.aws_s3_bucket.exports")
    s3.delete_object(Bucket=bucket, Key="export-ami-1.raw")
    return str(refused.value)


@pytest.fixture(scope="module")
def destroyed(with_export: str, estate: AppliedEstate) -> Seen:
    s3 = estate.aws.client("s3", region=HOME)
    history = history_bucket("whole", account=OWN, region=HOME)
    for move in s3.list_objects_v2(Bucket=history).get("Contents", ()):  # otherwise it is kept
        s3.delete_object(Bucket=history, Key=move["Key"])
    estate.terraform("destroy", "-auto-approve")
    return estate.look()


def test_nothing_is_left_to_plan(full: Applied, changed: Applied, plain: Applied, renamed: Applied) -> None:
    for applied in (full, changed, plain, renamed):
        assert "No changes." in applied.plan, applied.plan


def test_nothing_changes_but_what_was_written_otherwise(changed: Applied, plain: Applied) -> None:
    assert changed.actions == TO_CHANGED
    assert plain.actions == TO_PLAIN


# --- Where builds run


def test_infrastructure_is_made_changed_in_place_and_taken_away(
    full: Applied, changed: Applied, plain: Applied
) -> None:
    made, other, without = (
        applied.seen.named("infrastructureConfiguration", "whole_desk") for applied in (full, changed, plain)
    )
    assert made["placement"] == {
        "tenancy": "host",
        "hostId": "h-0123456789abcdef0",
        "availabilityZone": f"{HOME}a",
    }
    assert made["instanceMetadataOptions"] == {"httpTokens": "optional", "httpPutResponseHopLimit": 3}
    assert (made["keyPair"], made["terminateInstanceOnFailure"]) == ("builders", False)

    assert other["placement"] == {"tenancy": "host", "hostResourceGroupArn": GROUP}
    assert other["instanceMetadataOptions"] == {"httpTokens": "required", "httpPutResponseHopLimit": 1}
    assert other["terminateInstanceOnFailure"] is True
    assert "keyPair" not in other

    assert "placement" not in without
    assert without["arn"] == made["arn"]


# --- Where AMIs are distributed


def test_distribution_is_made_and_what_it_no_longer_has_is_taken_away_in_place(full: Applied, changed: Applied) -> None:
    made, plain = (
        {
            each["region"]: each
            for each in applied.seen.named("distributionConfiguration", "whole_desk")["distributions"]
        }
        for applied in (full, changed)
    )
    for region in (HOME, ABROAD):
        ami = made[region]["amiDistributionConfiguration"]
        assert ami["kmsKeyId"] == f"arn:aws:kms:{region}:111122223333:key/1f2e"
        assert ami["launchPermission"] == {"userIds": [STRANGER]}
        assert sorted(ami["targetAccountIds"]) == [OWN, OTHER], "who names others has to name its own account"
    assert {each["launchTemplateId"]: each for each in made[HOME]["launchTemplateConfigurations"]} == {
        "lt-0123456789abcdef0": {"launchTemplateId": "lt-0123456789abcdef0", "setDefaultVersion": True},
        "lt-0fedcba9876543210": {
            "launchTemplateId": "lt-0fedcba9876543210",
            "accountId": OTHER,
            "setDefaultVersion": False,
        },
    }
    (fast_launch,) = made[HOME]["fastLaunchConfigurations"]
    assert fast_launch["maxParallelLaunches"] == 10
    assert fast_launch["launchTemplate"] == {
        "launchTemplateId": "lt-0123456789abcdef0",
        "launchTemplateVersion": "$Default",
    }
    assert made[ABROAD]["amiDistributionConfiguration"]["amiTags"]["purpose"] == "recovery"
    assert len(made[ABROAD]["licenseConfigurationArns"]) == 1

    assert plain[HOME]["fastLaunchConfigurations"] == [{"enabled": True, "accountId": OWN}]
    assert [key for key in plain[HOME] if key.startswith("launchTemplate")] == []
    assert plain[ABROAD].keys() == {"region", "amiDistributionConfiguration"}
    for region in (HOME, ABROAD):
        ami = plain[region]["amiDistributionConfiguration"]
        assert ami.keys() == {"name", "description", "amiTags"}
        assert (ami["name"], "purpose" in ami["amiTags"]) == ("whole.desk.{{ imagebuilder:buildDate }}", False)


# --- Documents


def test_long_document_reaches_image_builder_letter_for_letter(full: Applied, changed: Applied, plain: Applied) -> None:
    for applied, step in ((full, FULL), (changed, CHANGED), (plain, PLAIN)):
        assert applied.seen.named("component", "whole_desk_app")["data"] == step.component
    assert full.seen.named("workflow", "whole_desk_long")["data"] == LONG
    components, workflows = (
        [[key for key in applied.seen.objects if key.startswith(folder)] for applied in (full, changed, plain)]
        for folder in ("components/", "workflows/")
    )
    assert list(map(len, components)) == [1, 1, 0], "one that has become short again needs no object"
    assert components[0] != components[1]
    assert list(map(len, workflows)) == [1, 1, 0]


# --- Workflows and scans


def test_workflows_are_made_and_moved_to(full: Applied, changed: Applied) -> None:
    first, second = (applied.seen.named("workflow", "whole_desk_look") for applied in (full, changed))
    assert (first["type"], first["data"]) == ("TEST", FULL.look)
    assert first["parameters"] == [{"name": "note", "type": "string"}]
    assert (second["data"], second["arn"] != first["arn"]) == (CHANGED.look, True)
    for applied, look in ((full, first), (changed, second)):
        pipeline = applied.seen.named("imagePipeline", "whole_desk")
        assert pipeline["workflows"] == [
            {"workflowArn": applied.seen.named("workflow", "whole_desk_long")["arn"]},
            {
                "workflowArn": look["arn"],
                "parameters": [{"name": "note", "value": [LETTERS]}],
                "onFailure": "CONTINUE",
            },
            {"workflowArn": TEST, "onFailure": "ABORT"},
        ]
        assert pipeline["executionRole"].endswith(f":role/whole_desk_execution_{HOME}")


def test_build_keeps_what_it_ran(changed: Applied, build: dict[str, Any]) -> None:
    pipeline = changed.seen.named("imagePipeline", "whole_desk")
    ran = [each["workflowArn"] for each in build["workflows"]]
    assert ran == [each["workflowArn"] for each in pipeline["workflows"]]
    assert build["executionRole"] == pipeline["executionRole"]


def test_workflows_are_not_left_behind(refusal: str, plain: Applied) -> None:
    """AWS's provider cannot take workflows away, so a plan says what to do instead."""
    assert (
        "Image desk: its pipeline has workflows, and AWS's provider cannot remove them. Name Image Builder's own "
        f"instead: workflows: {{build: {BUILD}, test: [{TEST}]}}."
    ) in refusal
    pipeline = plain.seen.named("imagePipeline", "whole_desk")
    assert [each["workflowArn"] for each in pipeline["workflows"]] == [BUILD, TEST]
    assert plain.seen.resources["workflow"] == []


def test_scans_are_enabled_and_disabled(full: Applied, plain: Applied) -> None:
    on, off = (
        applied.seen.named("imagePipeline", "whole_desk")["imageScanningConfiguration"] for applied in (full, plain)
    )
    assert (on, off) == ({"imageScanningEnabled": True}, {"imageScanningEnabled": False})


def test_lifecycle_policy_is_made_changed_in_place_and_replaced(
    full: Applied, changed: Applied, renamed: Applied
) -> None:
    (made,), (updated,), (replaced,) = (
        applied.seen.resources["lifecyclePolicy"] for applied in (full, changed, renamed)
    )
    assert [each["filter"] for each in made["policyDetails"]] == [{"type": "AGE", "value": 1, "unit": "DAYS"}]
    assert updated["arn"] == made["arn"]
    assert {each["action"]["type"] for each in updated["policyDetails"]} == {"DEPRECATE", "DISABLE", "DELETE"}
    assert replaced["arn"] != made["arn"]


# --- Disk images


def test_disk_image_becomes_the_parent_and_the_next_one_replaces_it(full: Applied, plain: Applied) -> None:
    (parent,), (newer,) = (applied.seen.parents for applied in (full, plain))
    assert (parent["BootMode"], parent["RootDeviceName"], parent["EnaSupport"]) == ("uefi", "/dev/sda1", True)
    first, second = (applied.seen.named("imageRecipe", "whole_kiosk") for applied in (full, plain))
    assert first["parentImage"] == parent["ImageId"]
    assert second["parentImage"] == newer["ImageId"] != parent["ImageId"]
    assert second["version"] != first["version"]


def test_builds_become_disk_images(full: Applied, changed: Applied) -> None:
    """A bucket whose name is not known yet enters a configuration that exists."""
    plain, exporting = (
        {
            each["region"]: each
            for each in applied.seen.named("distributionConfiguration", "whole_kiosk")["distributions"]
        }
        for applied in (full, changed)
    )
    assert [each for each in plain.values() if "s3ExportConfiguration" in each] == []
    export = exporting[HOME]["s3ExportConfiguration"]
    assert export["s3Bucket"].startswith("whole-kiosk-")
    assert (export["diskImageFormat"], export["s3Prefix"]) == ("RAW", "whole/kiosk/")
    assert "s3ExportConfiguration" not in exporting[ABROAD]
    assert exporting[ABROAD]["amiDistributionConfiguration"]["launchPermission"] == {"userGroups": ["all"]}
    assert changed.seen.roles[export["roleName"]] == "/"


# --- Notifications


def test_failed_builds_of_the_image_and_no_others_are_reported(
    full: Applied, changed: Applied, local_aws: LocalAws
) -> None:
    def matching(event: dict[str, Any]) -> list[str]:
        """The rules that an event matches, all the while."""
        events = local_aws.client("events", region=HOME)
        text = json.dumps({"id": "1", "account": OWN, "time": "2026-01-18T17:50:56Z", "region": HOME, **event})
        first, second = (
            [
                name
                for name, pattern in sorted(applied.seen.event_patterns.items())
                if pattern and events.test_event_pattern(EventPattern=pattern, Event=text)["Result"]
            ]
            for applied in (full, changed)
        )
        assert first == second
        return first

    def state_change(image: str, status: str) -> dict[str, Any]:
        """As in Image Builder's user guide, "EC2 Image Builder Image State Change"."""
        return {
            "source": "aws.imagebuilder",
            "detail-type": "EC2 Image Builder Image State Change",
            "resources": [f"arn:aws:imagebuilder:{HOME}:{OWN}:image/{image}/1.0.123/4"],
            "detail": {"previous-state": {"status": "TESTING"}, "state": {"status": status}},
        }

    assert matching(state_change("whole-desk", "FAILED")) == ["whole_desk_failures"]
    assert matching(state_change("whole-desk", "AVAILABLE")) == []
    assert matching(state_change("whole-desk-admin", "FAILED")) == []
    disabled = {
        "source": "aws.imagebuilder",
        "detail-type": "EC2 Image Builder Image Pipeline Automatically Disabled",
        "resources": [f"arn:aws:imagebuilder:{HOME}:{OWN}:image-pipeline/whole-desk"],
        "detail": {"consecutive-failures": "5"},
    }
    assert matching(disabled) == ["whole_desk_failures_disabled"]


def test_region_has_a_dashboard_with_alarms_that_the_images_have(full: Applied) -> None:
    (dashboard,) = full.seen.dashboards
    alarms, *charts = dashboard["widgets"]
    shown = {arn.rpartition(":")[2] for arn in alarms["properties"]["alarms"]}
    assert shown == {alarm["AlarmName"] for alarm in full.seen.alarms}
    metrics = {tuple(metric[:2]) for widget in charts for metric in widget["properties"]["metrics"]}
    watched = {(alarm["Namespace"], alarm["MetricName"]) for alarm in full.seen.alarms}
    assert watched - metrics == {("Goldsmith", "Overdue")}, "which is an alarm, and has no chart"


def test_what_was_exported_stops_the_destroy_of_its_bucket(with_export: str) -> None:
    assert "BucketNotEmpty" in with_export


def test_nothing_is_left_after_a_destroy(plain: Applied, destroyed: Seen, local_aws: LocalAws) -> None:
    assert destroyed.everything() == []
    (parent,) = plain.seen.parents
    ours = [{"Name": "tag:Name", "Values": [parent["Name"]]}]
    assert local_aws.client("ec2", region=HOME).describe_snapshots(Filters=ours)["Snapshots"] == []


# --- Permissions


def test_policies_allow_what_was_called(destroyed: Seen, estate: AppliedEstate, request: pytest.FixtureRequest) -> None:
    namespaces = "whole*"  # of which one step renames a resource
    deployer = Estate(namespace=namespaces, account=OWN, boundary=BOUNDARY)
    assert estate.recorder.refused(deployer, "images") == []
    check_called("images-of-every-kind", estate.recorder.called(OWN), request)
