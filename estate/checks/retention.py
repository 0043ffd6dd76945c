"""Rules between the `retention:` of an image and the rest of it."""

from collections.abc import Iterator

from estate.checks.context import Context
from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.problems import Problem, shown


def regions(image: AmiImage, context: Context) -> Iterator[Problem]:
    """`exclusion_rules.regions` has only regions of the image."""
    for index, region in enumerate(image.retention.exclusion_rules.regions if image.retention else ()):
        if region not in image.regions:
            key = ("retention", "exclusion_rules", "regions", index)
            yield Problem(key, "the image is not distributed to this region", shown(region), "delete it")


def public(image: AmiImage, context: Context) -> Iterator[Problem]:
    """An image with public AMIs has no `retention`, because AWS never deletes public AMIs."""
    if image.retention and image.is_public:
        rule, remedy = "AWS never deletes public AMIs", "delete it, or launch_permission"
        yield Problem(("retention",), rule, remedy=remedy)


def shared_with_organizations(image: AmiImage, context: Context) -> Iterator[Problem]:
    """If AMIs are shared with organizations and old ones are disabled or deleted, `exclusion_rules.shared_accounts` is
    required: AWS compares accounts only."""
    shared = image.launch_permissions
    if image.retention is None or shared is None or not (shared.organizations or shared.organizational_units):
        return
    takes_away = {"DISABLE", "DELETE"} & image.retention.rules.keys()
    if takes_away and image.retention.exclusion_rules.shared_accounts is None:
        rule = "AMIs that are shared with organizations cannot be excluded: AWS compares only accounts"
        remedy = "write exclusion_rules: {shared_accounts: […]}, or [] to exclude none"
        yield Problem(("retention",), rule, remedy=remedy)


def of_a_container_image(image: ContainerImage, context: Context) -> Iterator[Problem]:
    """`retention` of a container image has no ages and no exclusions that are only for AMIs."""
    if image.retention is None:
        return
    for field in ("deprecate_after", "disable_after"):
        if age := getattr(image.retention, field):
            rule, remedy = "container images can only be deleted", "delete it, or write delete_after"
            yield Problem(("retention", field), rule, shown(str(age)), remedy)
    for field in ("last_launched", "shared_accounts", "regions"):
        if field in image.retention.exclusion_rules.model_fields_set:
            yield Problem(("retention", "exclusion_rules", field), "is only for AMIs", remedy="delete it")


def of_a_repository(image: ContainerImage, context: Context) -> Iterator[Problem]:
    """A container image has `retention` or `repository.keep_newest`, not both: ECR does not know which images channels
    point to."""
    if image.retention and image.made_repository and (keep := image.made_repository.keep_newest):
        rule = "ECR would delete images to which channels point, which retention keeps"
        yield Problem(("repository", "keep_newest"), rule, str(keep), "delete it")
