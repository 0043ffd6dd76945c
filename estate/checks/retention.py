"""Whether the `retention:` of an image goes with the rest of it."""

from collections.abc import Iterator

from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.models.images import Image
from estate.models.retention import Retention
from estate.problems import Key, Problem, shown


def check_retention(image: Image) -> Iterator[Problem]:
    """Every broken rule between an image and its retention."""
    retention = image.retention
    if retention is None:
        return
    key: Key = ("images", image.name, "retention")
    if isinstance(image, ContainerImage):
        yield from _container(image, retention, key)
    if isinstance(image, AmiImage):
        yield from _amis(image, retention, key)


def _container(image: ContainerImage, retention: Retention, key: Key) -> Iterator[Problem]:
    for field in ("deprecate_after", "disable_after"):
        if age := getattr(retention, field):
            rule, remedy = "container images can only be deleted", "delete it, or write delete_after"
            yield Problem((*key, field), rule, shown(age), remedy)
    for field in ("last_launched", "shared_accounts", "regions"):
        if field in retention.exclusion_rules.model_fields_set:
            yield Problem((*key, "exclusion_rules", field), "is for AMIs only", remedy="delete it")
    if image.made_repository and image.made_repository.keep:
        rule = "ECR would delete what channels point to, which retention spares"
        place: Key = ("images", image.name, "repository", "keep")
        yield Problem(place, rule, str(image.made_repository.keep), "delete it")


def _amis(image: AmiImage, retention: Retention, key: Key) -> Iterator[Problem]:
    rules = retention.exclusion_rules
    if image.is_public:
        yield Problem(key, "public AMIs always stay, so nothing would go", remedy="delete it, or launch_permission")
    for index, region in enumerate(rules.regions):
        if region not in image.regions:
            place = (*key, "exclusion_rules", "regions", index)
            yield Problem(place, "the image does not go to this region", shown(region), "delete it")
    shared = image.launch_permissions
    organizations = shared and (shared.organizations or shared.organizational_units)
    takes_away = {"DISABLE", "DELETE"} & retention.rules.keys()
    if takes_away and organizations and rules.shared_accounts is None:
        yield Problem(
            key,
            "AMIs that are shared with organizations cannot be spared: AWS looks at accounts only",
            remedy="write exclusion_rules: {shared_accounts: […]}, or [] to spare none",
        )
