"""What a build of a container image needs beside what every build does, and what the hand-off needs instead."""

from estate import names
from estate.estate import Estate
from estate.models.container_image import ContainerImage
from stacks.policy import Statement, any_of, only_in

_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
_PUSH = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]


def container_build_statements(image: ContainerImage, *, estate: Estate, account: str) -> list[Statement]:
    """AWS's EC2InstanceProfileForImageBuilderECRContainerBuilds, narrowed to this image.

    The instance that builds pushes to the repository of every region, and pulls from it to test.
    """
    partition = names.partition(image.home)
    recipe = names.in_arn(names.image_builder(estate.settings.namespace, image.name))
    statements: list[Statement] = [
        {
            "Sid": "ReadRecipe",
            "Action": "imagebuilder:GetContainerRecipe",
            "Resource": f"arn:{partition}:imagebuilder:{image.home}:{account}:container-recipe/{recipe}/*",
        },
        # it knows no resources
        {"Sid": "LogInToRegistry", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        on_repositories("PushImage", sorted([*_PULL, *_PUSH]), image, estate=estate, account=account),
    ]
    if image.image_scanning.image_scanning_enabled:
        # Image Builder puts it there for Inspector, before it is distributed
        arn = f"arn:{partition}:ecr:{image.home}:{account}:repository/{image.image_scanning.repository_name}"
        statements.append({"Sid": "PushToBeScanned", "Action": sorted([*_PULL, *_PUSH]), "Resource": arn})
    if image.private_parent:
        owner, region, name = image.private_parent
        # another account's repository has to give leave, too
        arn = f"arn:{partition}:ecr:{region}:{owner}:repository/{name}"
        statements.append({"Sid": "PullParent", "Action": _PULL, "Resource": arn})
    return statements


def on_repositories(
    sid: str, action: str | list[str], image: ContainerImage, *, estate: Estate, account: str
) -> Statement:
    """Lets a role do something with the repository in every region of a container image."""
    partition, region, name = names.partition(image.home), any_of(image.regions), estate.repository_of(image)
    return only_in(
        image.regions,
        {
            "Sid": sid,
            "Action": action,
            "Resource": [f"arn:{partition}:ecr:{region}:{account}:repository/{name}"],
        },
    )
