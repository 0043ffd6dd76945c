"""What every stack has: versions, provider, backend, owner of the state; and how text is escaped for Terraform."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cdktf import (
    App,
    LocalBackend,
    NamedCloudWorkspace,
    Postcondition,
    S3Backend,
    S3BackendAssumeRoleConfig,
    TerraformResource,
    TerraformResourceLifecycle,
    TerraformStack,
)
from cdktf import CloudBackend as TerraformCloud
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderAssumeRole, AwsProviderDefaultTags

from estate import names
from estate.models.backends import STATE, CloudBackend
from estate.models.provider import Provider
from estate.models.settings import Settings


def literal(text: str) -> str:
    """Text that Terraform must not change.

    cdktf writes strings as they are, and Terraform evaluates `${…}` and `%{…}` in them as templates: a shell script
    would fail or do something else. So every text of the configuration is escaped here, except where its model refuses
    `$` and `%` anyway, as for names, ARNs and tags.
    """
    return text.replace("${", "$${").replace("%{", "%%{")


def stopping(*rules: tuple[str, str], ignoring: Sequence[str] = ()) -> TerraformResourceLifecycle:
    """Stops a plan with a message when its condition, an expression about `self`, is false.

    A message may contain expressions, too. A postcondition does not stop a destroy, as a failing lookup would.
    `ignoring` are arguments that Terraform leaves as they are.
    """
    return TerraformResourceLifecycle(
        ignore_changes=list(ignoring) or None,
        postcondition=[
            Postcondition(condition=f"${{{condition}}}", error_message=message) for condition, message in rules
        ],
    )


def add_check(stack: TerraformStack, name: str, *rules: tuple[str, str]) -> None:
    """A check block, for which cdktf has no class: warns with the message of each condition that is false.

    Each condition and each message must have a value whatever is missing: an expression that fails stops a destroy.
    """
    asserted = [{"condition": f"${{{condition}}}", "error_message": message} for condition, message in rules]
    stack.add_override(f"check.{name}", {"assert": asserted})


def add_terraform(
    stack: TerraformStack,
    *,
    settings: Settings,
    region: str,
    tags: dict[str, str],
    account: str | None,
    provider: Provider,
) -> None:
    """Versions, backend, provider and owner of a stack.

    All resources get `tags` and those of the settings. `account` is the name of the stack's account in the settings.
    """
    # replaces the exact version that the bindings were generated from
    version = settings.providers.aws_constraint
    stack.add_override("terraform.required_providers", {"aws": {"source": "hashicorp/aws", "version": version}})
    _add_backend(stack, settings=settings, region=region, account=account)
    _add_marker(stack, namespace=settings.namespace)
    add_provider(stack, settings=settings, region=region, tags=tags, provider=provider)


def add_provider(
    stack: TerraformStack,
    *,
    settings: Settings,
    region: str,
    tags: dict[str, str],
    provider: Provider,
    alias: str | None = None,
) -> AwsProvider:
    """The provider of a region. `alias` is for a second one in a stack."""
    role = provider.assume_role
    return AwsProvider(
        stack,
        f"aws_{alias}" if alias else "aws",
        alias=alias,
        region=region,
        profile=provider.profile,
        allowed_account_ids=[provider.account] if provider.account else None,
        assume_role=[AwsProviderAssumeRole(**role.arguments)] if role else None,
        default_tags=[AwsProviderDefaultTags(tags={**settings.tags, **tags})],
    )


def _add_backend(stack: TerraformStack, *, settings: Settings, region: str, account: str | None) -> None:
    owner = settings.account(account)
    name = names.state(settings.namespace, stack.node.id, region, account=owner.id if owner else None)
    if settings.backend.s3:
        s3, access = settings.backend.s3, settings.backend_access(account, region=region)
        role = access.assume_role
        S3Backend(
            stack,
            bucket=s3.bucket,
            region=s3.region,
            key=f"{s3.key_prefix}/{name}",
            encrypt=True,
            kms_key_id=s3.kms_key_id,
            profile=access.profile,
            assume_role=S3BackendAssumeRoleConfig(**role.arguments) if role else None,
        )
        # missing in the bindings of cdktf 0.21
        stack.add_override("terraform.backend.s3.use_lockfile", s3.use_lockfile)
    elif settings.backend.cloud:
        _add_cloud(stack, settings.backend.cloud, workspace=f"{settings.namespace}-{stack.node.id}-{region}")
    elif settings.backend.other:
        _add_other(stack, settings.backend.other, state=name)
    elif settings.backend.local:
        # relative to cdktf.out/stacks/<stack>, where Terraform runs, because an absolute path differs by machine
        LocalBackend(stack, path=f"../../../{settings.backend.local.folder}/{name}")


def _add_cloud(stack: TerraformStack, cloud: CloudBackend, *, workspace: str) -> None:
    TerraformCloud(
        stack,
        organization=cloud.organization,
        hostname=cloud.hostname,
        workspaces=NamedCloudWorkspace(workspace, cloud.project),
    )


def _add_other(stack: TerraformStack, backends: Mapping[str, Mapping[str, Any]], *, state: str) -> None:
    LocalBackend(stack)  # without a backend of ours cdktf would add one, with a path of this machine
    stack.add_override("terraform.backend.local", None)
    for kind, arguments in backends.items():
        filled = {
            key: value.replace(STATE, state) if isinstance(value, str) else value for key, value in arguments.items()
        }
        stack.add_override(f"terraform.backend.{kind}", filled)


def _add_marker(stack: TerraformStack, *, namespace: str) -> None:
    """Writes the owner into the state, so that a plan stops when the backend has the state of another estate.

    The first apply writes it, so it protects all later ones. It does not stop a destroy.
    """
    other = "${self.output}"
    message = (
        f"The state of {stack.node.id} belongs to the estate {other}, not to {namespace}: this plan would replace the "
        f"resources of {other}. Give {namespace} a state of its own (another backend, folder or key prefix). If "
        f"{other} was renamed to {namespace}: destroy the stack under the old name first."
    )
    marker = TerraformResource(
        stack,
        "estate",
        terraform_resource_type="terraform_data",
        lifecycle=TerraformResourceLifecycle(
            ignore_changes=["input"],
            postcondition=[Postcondition(condition=f'${{self.output == "{namespace}"}}', error_message=message)],
        ),
    )
    marker.add_override("input", namespace)


def forget(stack: TerraformStack, addresses: Sequence[str]) -> None:
    """Lets Terraform take resources out of the state without destroying them.

    cdktf has no class for these blocks, and checkov reads no file that has one. So they are in a file of their own
    beside the stack's JSON, `removed.tf.json`.
    """
    file = folder_of(stack) / "removed.tf.json"
    if not addresses:
        file.unlink(missing_ok=True)
        return
    blocks = [{"from": address, "lifecycle": {"destroy": False}} for address in addresses]
    file.write_text(json.dumps({"removed": blocks}, indent=2) + "\n")


def folder_of(stack: TerraformStack) -> Path:
    """The folder of the stack's JSON, in which Terraform runs."""
    folder = Path(App.of(stack).outdir) / "stacks" / stack.node.id
    folder.mkdir(parents=True, exist_ok=True)
    return folder
