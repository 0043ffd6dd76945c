"""A distribution configuration by the real Terraform: made with all that it can say, and changed in place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize

HOME, ABROAD = "eu-central-1", "eu-west-1"
OWN, OTHER, STRANGER = "000000000000", "444455556666", "777788889999"
ESTATE = """
settings: {namespace: distr}
images:
  desk:
    os: windows-server-2022-full
    build: [update-os]
    regions: [eu-central-1, eu-west-1]
"""
PLAIN = """
    distribution: {eu-central-1: {fast_launch: {}}}
"""
FULL = """
    distribution:
      eu-central-1:
        kms_key_id: arn:aws:kms:eu-central-1:111122223333:key/1f2e
        launch_templates:
          - {launch_template_id: lt-0123456789abcdef0}
          - {launch_template_id: lt-0fedcba9876543210, account_id: "444455556666", default: false}
        fast_launch: {max_parallel_launches: 10, launch_template_id: lt-0123456789abcdef0}
      eu-west-1:
        ami_name: distr.desk.{{ imagebuilder:buildDate }}-copy
        kms_key_id: arn:aws:kms:eu-west-1:111122223333:key/1f2e
        ami_tags: {purpose: recovery}
        license_configuration_arns:
          - arn:aws:license-manager:eu-west-1:111122223333:license-configuration:lic-0123456789abcdef0123456789abcdef
    launch_permission: {accounts: ["777788889999"]}
    target_accounts: ["444455556666"]
"""


def test_what_a_distribution_no_longer_has_is_removed_in_place_and_the_next_plan_is_empty(
    local_aws: LocalAws, terraform_environment: Mapping[str, str], tmp_path: Path
) -> None:
    stack = tmp_path / "cdktf.out" / "stacks" / "image-desk"

    def run(*arguments: str) -> str:
        target = "-target=aws_imagebuilder_distribution_configuration.distribution"
        return terraform.run(*arguments, target, folder=stack, environ=terraform_environment)

    def applied(more: str) -> tuple[str, dict[str, dict[str, Any]]]:
        """Terraform's last line, and what each region has in addition to its AMIs' descriptions."""
        (tmp_path / "estate.yaml").write_text(ESTATE + more)
        synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")
        if not (stack / ".terraform").exists():
            terraform.run("init", folder=stack, environ=terraform_environment)
        said = run("apply", "-auto-approve")
        assert "No changes." in run("plan")
        image_builder = local_aws.client("imagebuilder", region=HOME)
        (arn,) = (
            each["arn"]
            for each in image_builder.list_distribution_configurations()["distributionConfigurationSummaryList"]
            if each["name"] == "distr_desk"
        )
        told = image_builder.get_distribution_configuration(distributionConfigurationArn=arn)
        return said, {each["region"]: each for each in told["distributionConfiguration"]["distributions"]}

    _, full = applied(FULL)
    for region in (HOME, ABROAD):
        ami = full[region]["amiDistributionConfiguration"]
        assert ami["kmsKeyId"] == f"arn:aws:kms:{region}:111122223333:key/1f2e"
        assert ami["launchPermission"] == {"userIds": [STRANGER]}
        assert sorted(ami["targetAccountIds"]) == [OWN, OTHER], "who names others has to name its own account"
    assert {each["launchTemplateId"]: each for each in full[HOME]["launchTemplateConfigurations"]} == {
        "lt-0123456789abcdef0": {"launchTemplateId": "lt-0123456789abcdef0", "setDefaultVersion": True},
        "lt-0fedcba9876543210": {
            "launchTemplateId": "lt-0fedcba9876543210",
            "accountId": OTHER,
            "setDefaultVersion": False,
        },
    }
    (fast_launch,) = full[HOME]["fastLaunchConfigurations"]
    assert fast_launch["maxParallelLaunches"] == 10
    assert fast_launch["launchTemplate"] == {
        "launchTemplateId": "lt-0123456789abcdef0",
        "launchTemplateVersion": "$Default",
    }
    assert full[ABROAD]["amiDistributionConfiguration"]["amiTags"]["purpose"] == "recovery"
    assert len(full[ABROAD]["licenseConfigurationArns"]) == 1

    said, plain = applied(PLAIN)
    assert "0 added, 1 changed, 0 destroyed" in said
    assert plain[HOME]["fastLaunchConfigurations"] == [{"enabled": True, "accountId": OWN}]
    assert [key for key in plain[HOME] if key.startswith("launchTemplate")] == []
    assert plain[ABROAD].keys() == {"region", "amiDistributionConfiguration"}
    for region in (HOME, ABROAD):
        ami = plain[region]["amiDistributionConfiguration"]
        assert ami.keys() == {"name", "description", "amiTags"}
        assert (ami["name"], "purpose" in ami["amiTags"]) == ("distr.desk.{{ imagebuilder:buildDate }}", False)
    run("destroy", "-auto-approve")
