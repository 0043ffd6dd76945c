"""Policies for container images: of the instances that build them, and on the repositories that hold them."""

from estate.models.container_image import ContainerImage
from stacks.image.scope import ImageScope
from stacks.policy import MADE_BY_IMAGE_BUILDER, Statement, any_of, only_in

_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
_PUSH = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]


def build_statements(image: ContainerImage, scope: ImageScope) -> list[Statement]:
    """AWS's EC2InstanceProfileForImageBuilderECRContainerBuilds, limited to this image.

    A build instance pushes to the repository of every region, and pulls from it for tests.
    """
    statements: list[Statement] = [
        {
            "Sid": "ReadRecipe",
            "Action": "imagebuilder:GetContainerRecipe",
            "Resource": f"{scope.image_builder_arn('container-recipe')}/*",
        },
        # it has no resource types
        {"Sid": "LogInToRegistry", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        on_repositories("PushImage", sorted([*_PULL, *_PUSH]), scope),
    ]
    if image.image_scanning.image_scanning_enabled:
        # a build pushes the image there for Inspector, before it is distributed
        arn = scope.arn("ecr", f"repository/{image.image_scanning.repository_name}")
        statements.append({"Sid": "PushForScan", "Action": sorted([*_PULL, *_PUSH]), "Resource": arn})
    if image.private_parent:
        owner, region, name = image.private_parent
        # a repository of another account must allow it, too
        arn = scope.arn("ecr", f"repository/{name}", account=owner, region=region)
        statements.append({"Sid": "PullParent", "Action": _PULL, "Resource": arn})
    return statements


def scan_repository_statements(scope: ImageScope) -> list[Statement]:
    """For the repository that Image Builder makes for scans, if none is configured."""
    repositories = scope.arn("ecr", "repository/image-builder-*")
    return [
        {
            "Sid": "CreateScanRepository",
            "Action": ["ecr:CreateRepository", "ecr:TagResource"],
            "Resource": repositories,
            "Condition": {"StringEquals": {"aws:RequestTag/CreatedBy": MADE_BY_IMAGE_BUILDER}},
        },
        {
            "Sid": "EmptyScanRepository",
            "Action": "ecr:BatchDeleteImage",
            "Resource": repositories,
            "Condition": {"StringEquals": {"ecr:ResourceTag/CreatedBy": MADE_BY_IMAGE_BUILDER}},
        },
    ]


def on_repositories(sid: str, action: str | list[str], scope: ImageScope) -> Statement:
    """A statement for the repository in every region of a container image."""
    regions = scope.image.regions
    repository = scope.arn("ecr", f"repository/{scope.declared.repository}", region=any_of(regions))
    return only_in(regions, {"Sid": sid, "Action": action, "Resource": [repository]})
