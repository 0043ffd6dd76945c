"""What becomes of old builds: a lifecycle policy, and the role with which Image Builder applies it."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_lifecycle_policy import (
    ImagebuilderLifecyclePolicy,
    ImagebuilderLifecyclePolicyPolicyDetail,
    ImagebuilderLifecyclePolicyPolicyDetailAction,
    ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources,
    ImagebuilderLifecyclePolicyPolicyDetailExclusionRules,
    ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis,
    ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmisLastLaunched,
    ImagebuilderLifecyclePolicyPolicyDetailFilter,
    ImagebuilderLifecyclePolicyResourceSelection,
)

from estate import names
from estate.estate import Estate
from estate.models.ages import in_aws_words
from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.models.images import Image
from estate.models.retention import Retention
from stacks.image.container_role import on_repositories
from stacks.policy import Statement, any_of, for_account, only_in
from stacks.role import add_role

_MADE_BY_IMAGE_BUILDER = {"aws:ResourceTag/CreatedBy": "EC2 Image Builder"}
_BACK_TO_AVAILABLE = ("ec2:DisableImageDeprecation", "ec2:EnableImage")
_ACTIONS = {
    "DEPRECATE": ("ec2:EnableImageDeprecation", *_BACK_TO_AVAILABLE),
    "DISABLE": ("ec2:DisableImage", *_BACK_TO_AVAILABLE),
    "DELETE": ("ec2:DeregisterImage",),
}


def add_retention(stack: TerraformStack, *, estate: Estate, image: Image, account: str) -> None:
    """The lifecycle policy of an image that has `retention:`; of another, nothing."""
    retention, settings = image.retention, estate.settings
    if retention is None:
        return
    role, role_policy = add_role(
        stack,
        "lifecycle",
        name=names.global_name(settings.namespace, image.name, "lifecycle", image.home),
        service="imagebuilder.amazonaws.com",
        statements=_statements(estate, image, retention, account),
        iam=settings.iam,
        trust_condition=for_account(account),
    )
    ImagebuilderLifecyclePolicy(
        stack,
        "retention",
        name=names.image_builder(settings.namespace, image.name),
        description=f"Old builds of image {settings.namespace}/{image.name}",
        execution_role=role.arn,
        resource_type="AMI_IMAGE" if isinstance(image, AmiImage) else "CONTAINER_IMAGE",
        policy_detail=[_rule(image, retention, action=action, age=age) for action, age in retention.rules.items()],
        # By a tag: recipes would have to be named with their versions. By this one, because AWS may run a policy at
        # once, and the function that protects the newest looks within the hour.
        resource_selection=[
            ImagebuilderLifecyclePolicyResourceSelection(
                tag_map=names.retention_tag(settings.namespace, image.name, retention.newest)
            )
        ],
        depends_on=[role_policy],
    )


def _rule(image: Image, retention: Retention, *, action: str, age: str) -> ImagebuilderLifecyclePolicyPolicyDetail:
    """One of AWS's rules. Without `retain_at_least`, which AWS counts for each version of the recipe by itself."""
    value, unit = in_aws_words(age)
    amis, deletes = isinstance(image, AmiImage), action == "DELETE"
    return ImagebuilderLifecyclePolicyPolicyDetail(
        action=[
            ImagebuilderLifecyclePolicyPolicyDetailAction(
                type=action,
                include_resources=[
                    ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources(
                        amis=amis, snapshots=amis and deletes, containers=not amis
                    )
                ],
            )
        ],
        filter=[ImagebuilderLifecyclePolicyPolicyDetailFilter(type="AGE", value=value, unit=unit)],
        exclusion_rules=[
            ImagebuilderLifecyclePolicyPolicyDetailExclusionRules(
                tag_map={**retention.exclusion_rules.tag_map, **names.IN_USE_TAG, **names.NEWEST_TAG},
                amis=[_excluded_amis(image, retention)] if isinstance(image, AmiImage) else None,
            )
        ],
    )


def _excluded_amis(image: AmiImage, retention: Retention) -> ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis:
    rules = retention.exclusion_rules
    value, unit = in_aws_words(rules.last_launched)
    return ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis(
        is_public=True,
        last_launched=[ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmisLastLaunched(value=value, unit=unit)],
        shared_accounts=list(_spared_accounts(image, retention)) or None,
        regions=list(rules.regions) or None,
        tag_map=rules.tag_map or None,
    )


def _spared_accounts(image: AmiImage, retention: Retention) -> tuple[str, ...]:
    """Accounts whose share in an AMI lets it stay: those that are written, or all that the image shares with."""
    written, shared = retention.exclusion_rules.shared_accounts, image.launch_permissions
    return written if written is not None else shared.accounts if shared else ()


def _statements(estate: Estate, image: Image, retention: Retention, account: str) -> list[Statement]:
    """AWS's EC2ImageBuilderLifecycleExecutionPolicy, narrowed to the rules' actions and to what this image made."""
    namespace, partition = estate.settings.namespace, names.partition(image.home)
    own = names.in_arn(names.image_builder(namespace, image.name))
    common: list[Statement] = [
        # these two know no resources
        {"Sid": "FindResources", "Action": ["ec2:DescribeImages", "tag:GetResources"], "Resource": "*"},
        {
            "Sid": "DeleteBuilds",
            "Action": "imagebuilder:DeleteImage",
            "Resource": f"arn:{partition}:imagebuilder:{image.home}:{account}:image/{own}/*",
        },
    ]
    if isinstance(image, ContainerImage):
        delete = ["ecr:BatchGetImage", "ecr:BatchDeleteImage"]
        return [*common, on_repositories("DeleteContainers", delete, image, estate=estate, account=account)]
    made_of_it = {
        **_MADE_BY_IMAGE_BUILDER,
        **{f"aws:ResourceTag/{key}": value for key, value in names.owner_tag(namespace, image.name).items()},
    }

    def everywhere(kind: str) -> list[str]:
        return [f"arn:{partition}:ec2:{any_of(image.regions)}::{kind}/*"]

    actions = sorted({action for rule in retention.rules for action in _ACTIONS[rule]})
    statements: list[Statement] = [
        {
            "Sid": "ChangeAmis",
            "Action": ["ec2:DescribeImageAttribute", *actions],
            "Resource": everywhere("image"),
            "Condition": {"StringEquals": made_of_it},
        },
    ]
    if retention.rules.keys() - {"DELETE"}:
        statements += [
            _marking("MarkAmis", everywhere("image"), made_of_it),
            _marking("MarkSnapshots", everywhere("snapshot"), _MADE_BY_IMAGE_BUILDER),
        ]
    if "DELETE" in retention.rules:
        statements.append(
            {
                # Image Builder gives them its own tag, not those of the AMI; EC2 keeps those that an AMI needs
                "Sid": "DeleteSnapshots",
                "Action": "ec2:DeleteSnapshot",
                "Resource": everywhere("snapshot"),
                "Condition": {"StringEquals": _MADE_BY_IMAGE_BUILDER},
            }
        )
    return [*common, *(only_in(image.regions, statement) for statement in statements)]


def _marking(sid: str, resources: list[str], tagged: dict[str, str]) -> Statement:
    """Leave for the one tag that Image Builder puts on what it deprecates, and takes away again."""
    return {
        "Sid": sid,
        "Action": ["ec2:CreateTags", "ec2:DeleteTags"],
        "Resource": resources,
        "Condition": {
            "StringEquals": {"aws:RequestTag/DeprecatedBy": "EC2 Image Builder", **tagged},
            "ForAllValues:StringEquals": {"aws:TagKeys": "DeprecatedBy"},
        },
    }
