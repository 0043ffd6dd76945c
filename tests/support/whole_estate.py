"""An estate with everything that an image can have, step by step: made, changed, and taken away again.

The image `desk` has all, the image `kiosk` comes from a disk image and becomes one, and their region has a dashboard.
"""

from dataclasses import dataclass, replace

from tests.support.applied_estate import AppliedEstate
from tests.support.modules import Stacks

HOME, ABROAD = "eu-central-1", "eu-west-1"
OWN, OTHER, STRANGER = "000000000000", "444455556666", "777788889999"
MANAGED = f"arn:aws:imagebuilder:{HOME}:aws:workflow"
BUILD, TEST = f"{MANAGED}/build/build-image/x.x.x", f"{MANAGED}/test/test-image/x.x.x"
GROUP = f"arn:aws:resource-groups:{HOME}:{OWN}:group/hosts"
CHAT = f"arn:aws:sns:{HOME}:{OWN}:chat"
BOUNDARY = f"arn:aws:iam::{OWN}:policy/limits-of-roles"
LETTERS = "letter for letter: ${HOME} and %{http_code}"
COMPONENT = f"""\
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Install
        action: ExecutePowerShell
        inputs: {{commands: ['# {LETTERS}', 'curl --write-out "%{{http_code}}" "${{HOME}}/app"']}}
"""
LOOK = """\
schemaVersion: 1.0
parameters: [{name: note, type: string}]
steps:
  - name: Wait
    action: WaitForAction
    inputs: {payload: '"{{ $.parameters.note }} ${HOME} %{http_code}"'}
"""
# more bytes than are put into a request, and fewer characters
LONG = f"""\
schemaVersion: 1.0
steps: [{{name: Run, action: ExecuteComponents, inputs: {{instanceId: i-0}}}}]
outputs: [{{name: ImageId, value: $.stepOutputs.Run.status}}]
#{"あ" * 6_000}"""


@dataclass(frozen=True)
class Step:
    """What is written in the estate."""

    namespace: str = "whole"
    component: str = COMPONENT
    look: str = LOOK
    desk: str = ""
    kiosk: str = ""
    disk: str = "noble/1.vmdk"

    def declare(self, estate: AppliedEstate) -> Stacks:
        # more tags than S3 takes of an object
        tags = ", ".join(f"tag{number}: value" for number in range(12))
        kms_key = f"arn:aws:kms:{HOME}:{OWN}:key/0a1b2c3d-0000-0000-0000-000000000000"
        text = f"""
settings:
  namespace: {self.namespace}
  dashboards: true
  kms_key_id: "{kms_key}"
  iam: {{permissions_boundary: "{BOUNDARY}"}}
  tags: {{{tags}}}
images:
  desk:
    os: windows-server-2022-full
    build: [update-os, documents/app.yaml]
    regions: [{HOME}, {ABROAD}]
{self.desk}
  kiosk:
    os: ubuntu-server-24.04
    parent: {{disk_image: "s3://disks-of-whole/{self.disk}", format: VMDK, boot_mode: uefi}}
    build: [update-os]
    regions: [{HOME}, {ABROAD}]
    root_volume: {{encrypted: false}}
{self.kiosk}
"""
        return estate.declare(text, {"app": self.component, "look": self.look, "long": LONG})


_WORKFLOWS = f"""\
    workflows:
      build: documents/long.yaml
      test:
        - {{use: documents/look.yaml, with: {{note: "{LETTERS}"}}, on_failure: CONTINUE}}
        - {TEST}
"""
FULL = Step(
    component=COMPONENT + "#" * 20_000,
    desk=f"""
    image_scanning: {{image_scanning_enabled: true}}
{_WORKFLOWS}    infrastructure:
      instance_types: [m5.large]
      placement: {{tenancy: host, host_id: h-0123456789abcdef0, availability_zone: {HOME}a}}
      key_pair: builders
      instance_metadata_options: {{http_tokens: optional, http_put_response_hop_limit: 3}}
      terminate_instance_on_failure: false
    distribution:
      {HOME}:
        kms_key_id: arn:aws:kms:{HOME}:111122223333:key/1f2e
        launch_templates:
          - {{launch_template_id: lt-0123456789abcdef0}}
          - {{launch_template_id: lt-0fedcba9876543210, account_id: "{OTHER}", default: false}}
        fast_launch: {{max_parallel_launches: 10, launch_template_id: lt-0123456789abcdef0}}
      {ABROAD}:
        ami_name: whole.desk.{{{{ imagebuilder:buildDate }}}}-copy
        kms_key_id: arn:aws:kms:{ABROAD}:111122223333:key/1f2e
        ami_tags: {{purpose: recovery}}
        license_configuration_arns:
          - arn:aws:license-manager:{ABROAD}:111122223333:license-configuration:lic-0123456789abcdef0123456789abcdef
    launch_permission: {{accounts: ["{STRANGER}"]}}
    target_accounts: ["{OTHER}"]
    retention: {{keep_newest: 3}}
    notifications: {{emails: [left@example.com, team@example.com], topic_arns: ["{CHAT}"], no_new_image_for: 2 weeks}}
""",
)
_LATER = f"""
    distribution: {{{HOME}: {{fast_launch: {{}}}}}}
    retention:
      {{deprecate_after: 30 days, disable_after: 8 weeks, delete_after: 6 months, exclusion_rules: {{tag_map: {{}}}}}}
    notifications: {{emails: [team@example.com], no_new_image_for: 2 weeks}}
"""
_PUBLIC = """
    launch_permission: public
    export: {disk_image_format: RAW}
"""
CHANGED = Step(
    component=COMPONENT + "#" * 20_001,
    look=f"{LOOK}# one more line\n",
    kiosk=_PUBLIC,
    desk=f"""
    image_scanning: {{image_scanning_enabled: true}}
{_WORKFLOWS}    infrastructure:
      instance_types: [m5.large, m5a.large]
      placement: {{tenancy: host, host_resource_group_arn: "{GROUP}"}}
{_LATER}
""",
)
WITHOUT_WORKFLOWS = replace(CHANGED, desk=_LATER)
PLAIN = Step(
    kiosk=_PUBLIC,
    disk="noble/2.vmdk",
    desk=f"""
    image_scanning: {{image_scanning_enabled: false}}
    workflows: {{build: {BUILD}, test: [{TEST}]}}
{_LATER}
""",
)

TO_CHANGED = {
    'image-desk.aws_cloudwatch_event_target.disabled_pipeline_topic["CHAT"]'.replace("CHAT", CHAT): "deleted",
    'image-desk.aws_cloudwatch_event_target.failed_builds_topic["CHAT"]'.replace("CHAT", CHAT): "deleted",
    "image-desk.aws_iam_role_policy.execution_policy": "updated",
    "image-desk.aws_iam_role_policy.function_policy": "updated",
    "image-desk.aws_iam_role_policy.lifecycle_policy": "updated",
    "image-desk.aws_imagebuilder_component.component_app": "created and deleted",
    "image-desk.aws_imagebuilder_distribution_configuration.distribution": "updated",
    "image-desk.aws_imagebuilder_image_pipeline.pipeline": "updated",
    "image-desk.aws_imagebuilder_image_recipe.recipe": "created and deleted",
    "image-desk.aws_imagebuilder_infrastructure_configuration.infrastructure": "updated",
    "image-desk.aws_imagebuilder_lifecycle_policy.retention": "updated",
    "image-desk.aws_imagebuilder_workflow.workflow_look": "created and deleted",
    "image-desk.aws_s3_object.document_app": "created and deleted",
    "image-desk.aws_lambda_function.function": "updated",
    # whoever stays has no subscription to confirm again
    'image-desk.aws_sns_topic_subscription.email["left@example.com"]': "deleted",
    "image-kiosk.aws_iam_role.export_role": "created",
    "image-kiosk.aws_iam_role_policy.export_policy": "created",
    "image-kiosk.aws_imagebuilder_distribution_configuration.distribution": "updated",
    "image-kiosk.aws_s3_bucket.exports": "created",
    "image-kiosk.aws_s3_bucket_policy.exports_policy": "created",
    "image-kiosk.aws_s3_bucket_public_access_block.exports_private": "created",
    "image-kiosk.aws_s3_bucket_server_side_encryption_configuration.exports_encryption": "created",
}
"""What Terraform does from `FULL` to `CHANGED`, by address."""

TO_PLAIN = {
    "image-desk.aws_iam_role_policy.execution_policy": "updated",
    "image-desk.aws_imagebuilder_component.component_app": "created and deleted",
    "image-desk.aws_imagebuilder_image_pipeline.pipeline": "updated",
    "image-desk.aws_imagebuilder_image_recipe.recipe": "created and deleted",
    "image-desk.aws_imagebuilder_infrastructure_configuration.infrastructure": "updated",
    "image-desk.aws_imagebuilder_workflow.workflow_long": "deleted",
    "image-desk.aws_imagebuilder_workflow.workflow_look": "deleted",
    "image-desk.aws_s3_object.document_app": "deleted",
    "image-desk.aws_s3_object.workflow_document_long": "deleted",
    "image-kiosk.aws_ami.parent_ami": "created and deleted",
    "image-kiosk.aws_ebs_snapshot_import.parent_snapshot": "created and deleted",
    "image-kiosk.aws_iam_role_policy.import_policy": "updated",
    "image-kiosk.aws_imagebuilder_image_pipeline.pipeline": "updated",
    "image-kiosk.aws_imagebuilder_image_recipe.recipe": "created and deleted",
}
"""What Terraform does from `CHANGED` to `PLAIN`, by address."""
