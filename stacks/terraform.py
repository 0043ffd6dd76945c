"""What every stack says to Terraform: versions, provider, backend, owner; and the one escaping boundary."""

from cdktf import (
    LocalBackend,
    Postcondition,
    S3Backend,
    S3BackendAssumeRoleConfig,
    TerraformResource,
    TerraformResourceLifecycle,
    TerraformStack,
)
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderAssumeRole, AwsProviderDefaultTags

from estate import names
from estate.models.provider import Provider
from estate.models.settings import Settings

_REQUIRED_PROVIDER = {5: ">= 5.100.0, < 7.0.0", 6: ">= 6.40.0, < 7.0.0"}
"""By the version that the settings name. With 5, the synthesized JSON uses only what both majors know, so either runs
it. From 6.22 to 6.39 the provider itself plans a change of every bucket's encryption for ever
(hashicorp/terraform-provider-aws#47320); a constraint over both majors cannot say so."""


def literal(text: str) -> str:
    """Text that Terraform must take letter for letter.

    cdktf writes strings as they are, and Terraform reads `${…}` and `%{…}` in them as templates: a shell script
    would break or, worse, change. Every text of the configuration passes here on its way into a construct, unless its
    model refuses `$` and `%` anyway, as those of names, ARNs and tags do.
    """
    return text.replace("${", "$${").replace("%{", "%%{")


def stopping(*rules: tuple[str, str]) -> TerraformResourceLifecycle:
    """Stops a plan when a condition, an expression over `self`, does not hold, with the words beside it.

    The words may have expressions of their own. A postcondition does not block a destroy, as a failing lookup would.
    """
    return TerraformResourceLifecycle(
        postcondition=[Postcondition(condition=f"${{{condition}}}", error_message=words) for condition, words in rules]
    )


def add_terraform(
    stack: TerraformStack,
    *,
    settings: Settings,
    region: str,
    tags: dict[str, str],
    account: str | None,
    provider: Provider,
) -> None:
    """Versions, backend, provider and owner of a stack. `tags` go to every resource, beside those of the settings;
    `account` is the name of the stack's account in the settings."""
    # over the exact version that the bindings were made from
    version = _REQUIRED_PROVIDER[settings.provider_version]
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
    """The provider of a region; one beside that of the stack has an alias."""
    role = provider.assume_role
    return AwsProvider(
        stack,
        f"aws_{alias}" if alias else "aws",
        alias=alias,
        region=region,
        profile=provider.profile,
        allowed_account_ids=list(provider.allowed_account_ids) or None,
        assume_role=[AwsProviderAssumeRole(**role.model_dump(exclude_none=True))] if role else None,
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
            assume_role=S3BackendAssumeRoleConfig(**role.model_dump(exclude_none=True)) if role else None,
        )
        # the bindings of 0.21 do not know it yet
        stack.add_override("terraform.backend.s3.use_lockfile", s3.use_lockfile)
    elif settings.backend.local:
        # relative to cdktf.out/stacks/<stack>, where Terraform runs; an absolute path would differ by machine
        LocalBackend(stack, path=f"../../../{settings.backend.local.folder}/{name}")


def _add_marker(stack: TerraformStack, *, namespace: str) -> None:
    """Whose state it is, in the state itself: whatever backend a stack is given, it stops at another estate's.

    The first apply writes it, so it protects from the second one on. It is never in the way of a destroy.
    """
    other = "${self.output}"
    words = (
        f"The state of {stack.node.id} belongs to the estate {other}, not to {namespace}: this plan would replace what "
        f"{other} has in AWS. Give {namespace} a state of its own (another backend, folder or key prefix). If {other} "
        f"was renamed to {namespace}: destroy the stack under the old name first."
    )
    marker = TerraformResource(
        stack,
        "estate",
        terraform_resource_type="terraform_data",
        lifecycle=TerraformResourceLifecycle(
            ignore_changes=["input"],
            postcondition=[Postcondition(condition=f'${{self.output == "{namespace}"}}', error_message=words)],
        ),
    )
    marker.add_override("input", namespace)
