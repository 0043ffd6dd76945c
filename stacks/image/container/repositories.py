"""The repositories of a container image in ECR, one in each of its regions."""

import json
from collections.abc import Mapping
from typing import Any

from cdktf import TerraformProvider, TerraformStack
from cdktf_cdktf_provider_aws.ecr_lifecycle_policy import EcrLifecyclePolicy
from cdktf_cdktf_provider_aws.ecr_repository import (
    EcrRepository,
    EcrRepositoryEncryptionConfiguration,
    EcrRepositoryImageScanningConfiguration,
)

from estate.models.container_image import ContainerImage, Repository
from stacks.image.scope import ImageScope
from stacks.terraform import add_provider

DAYS_WITHOUT_TAG = 1
"""When ECR deletes an image without a tag."""


def add_repositories(stack: TerraformStack, scope: ImageScope, *, image: ContainerImage, name: str) -> dict[str, str]:
    """The repository's name by region. Of repositories that the stack makes, it is a reference to the resource."""
    made = image.made_repository
    if made is None:
        return dict.fromkeys(image.regions, name)
    repositories = {}
    for region in image.regions:
        suffix = "" if region == image.home else f"_{region.replace('-', '_')}"
        # each other region needs a provider
        provider = (
            add_provider(
                stack,
                settings=scope.settings,
                region=region,
                tags=scope.declared.tags,
                provider=scope.declared.provider,
                alias=region,
            )
            if suffix
            else None
        )
        repositories[region] = _add_repository(
            stack,
            suffix,
            name=name,
            made=made,
            kms_key=made.kms_keys.get(region),
            provider=provider,
            # lifecycle policies need it to delete images ("Lifecycle management prerequisites" in the user guide)
            tags={"LifecycleExecutionAccess": "EC2 Image Builder"} if image.retention else None,
        )
    return repositories


def _add_repository(
    stack: TerraformStack,
    suffix: str,
    *,
    name: str,
    made: Repository,
    kms_key: str | None,
    provider: TerraformProvider | None,
    tags: dict[str, str] | None,
) -> str:
    repository = EcrRepository(
        stack,
        f"repository{suffix}",
        name=name,
        image_tag_mutability=made.image_tag_mutability,
        image_scanning_configuration=EcrRepositoryImageScanningConfiguration(scan_on_push=made.scan_on_push),
        encryption_configuration=[EcrRepositoryEncryptionConfiguration(encryption_type="KMS", kms_key=kms_key)],
        force_delete=made.force_delete,
        provider=provider,
        tags=tags,
    )
    EcrLifecyclePolicy(
        stack,
        f"repository_expiry{suffix}",
        repository=repository.name,
        policy=json.dumps({"rules": _rules(made.keep_newest)}, separators=(",", ":")),
        provider=provider,
    )
    return repository.name


def _rules(keep: int | None) -> list[Mapping[str, Any]]:
    """The rules of ECR's lifecycle policy, in the order in which it applies them."""
    untagged = {
        "rulePriority": 1,
        "description": "Without a tag",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": DAYS_WITHOUT_TAG,
        },
        "action": {"type": "expire"},
    }
    if keep is None:
        return [untagged]
    oldest = {
        "rulePriority": 2,
        "description": f"All but the newest {keep}",
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep},
        "action": {"type": "expire"},
    }
    return [untagged, oldest]
