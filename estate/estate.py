"""Everything that one configuration declares, and each image and fleet in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from estate import names
from estate.arns import Arn, arn_in
from estate.catalogue.operating_systems import Platform
from estate.component_documents.document import Document
from estate.models.ami_image import AmiImage
from estate.models.external_image import ExternalImage
from estate.models.fleet import Fleet
from estate.models.images import FleetImage, Image, by_kind
from estate.models.pin import Pin
from estate.models.provider import AssumeRole, Provider
from estate.models.settings import Iam, Settings
from estate.names import FleetNames, ImageNames
from estate.workflow_documents.actions import Stage
from estate.workflow_documents.document import WorkflowDocument

Kind = TypeVar("Kind", bound=Image, covariant=True)
AnyKind = TypeVar("AnyKind", bound=Image | ExternalImage, covariant=True)


class Estate(BaseModel):
    """Settings, images and fleets, and the documents that the images use.

    It comes from files by `estate.load.load`, or from Python by `estate.load.assemble`, with the same checks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    settings: Settings
    """Settings of the whole estate."""
    images: dict[str, Image] = {}
    """The golden images that the estate makes, by name."""
    external_images: dict[str, ExternalImage] = {}
    """Images of other estates, by name."""
    fleets: dict[str, Fleet] = {}
    """Fleets by name."""
    pins: SkipJsonSchema[dict[str, Pin]] = Field(default={}, exclude=True)
    """What fleets with `updates: pull-request` run, by fleet; `goldsmith pin` writes them."""
    documents: SkipJsonSchema[Mapping[tuple[str, Platform], Document]] = Field(default={}, exclude=True)
    """Component documents by their name or path in the configuration, and by platform."""
    workflow_documents: SkipJsonSchema[Mapping[tuple[str, Stage], WorkflowDocument]] = Field(default={}, exclude=True)
    """Workflow documents by their path in the configuration, and by stage."""
    dockerfiles: SkipJsonSchema[Mapping[str, str]] = Field(default={}, exclude=True)
    """Dockerfile templates by their paths in the configuration."""

    @property
    def namespace(self) -> str:
        """The prefix of the names of the estate's resources in AWS."""
        return self.settings.namespace

    @cached_property
    def amis(self) -> dict[str, AmiImage]:
        """The images that are AMIs."""
        return by_kind(self.images)[0]

    @cached_property
    def fleet_images(self) -> dict[str, FleetImage]:
        """The images that fleets can run, those of other estates included."""
        return {**self.amis, **self.external_images}

    def image(self, name: str) -> "EstateImage[Image]":
        """An image that the estate makes, by its name. Raises `KeyError`."""
        return EstateImage(self, self.images[name])

    def fleet(self, name: str) -> "EstateFleet":
        """A fleet by its name. Raises `KeyError`."""
        return EstateFleet(self, self.fleets[name])

    @property
    def unpinned(self) -> dict[str, str]:
        """The fleets with `updates: pull-request` that have no pin which fits, each with why."""
        pinned = (EstateFleet(self, fleet) for fleet in self.fleets.values() if fleet.is_pinned)
        return {declared.fleet.name: why for declared in pinned if (why := declared.lack_of_pin)}

    @property
    def overviews(self) -> tuple[str, ...]:
        """The regions that have a dashboard: the homes of images, if the settings want any."""
        homes = {image.home for image in self.images.values()} if self.settings.dashboards else ()
        return tuple(sorted(homes))

    def account_of_overview(self, region: str) -> str | None:
        """The name of the account of the dashboard of a region, that of the images there; None if none is named."""
        return next((image.account for image in self.images.values() if image.home == region), None)

    @property
    def histories(self) -> dict[str, tuple[str | None, str]]:
        """The stacks of the history of channels, each with the name of its account, if one is named, and its region:
        one for the images of each account and home region."""
        homes = {(image.account, image.home) for image in self.images.values()}
        stacks = {names.history_stack(account, region): (account, region) for account, region in homes}
        return dict(sorted(stacks.items()))

    def account_of_stack(self, stack: str) -> str | None:
        """The name of the account of a stack; None if none is named. Raises `KeyError` for an unknown stack."""
        kind, _, name = stack.partition("-")
        if kind == "history":
            return self.histories[stack][0]
        if kind == "image":
            return self.images[name].account
        return self.fleet(name).account_name if kind == "fleet" else self.account_of_overview(name)

    def state_of(self, stack: str) -> str:
        """Where below the backend's folder or prefix the state of a stack is. Raises `KeyError`."""
        account = self.settings.account(self.account_of_stack(stack))
        return names.state(self.namespace, stack, self.stacks[stack], account=account.id if account else None)

    @property
    def stacks(self) -> dict[str, str]:
        """The stacks of the estate, each with its region."""
        return {
            **{names.image_stack(image.name): image.home for image in self.images.values()},
            **{names.fleet_stack(fleet.name): fleet.region for fleet in self.fleets.values()},
            **{names.overview_stack(region): region for region in self.overviews},
            **{stack: region for stack, (_, region) in self.histories.items()},
        }


@dataclass(frozen=True)
class NamedImage(Generic[AnyKind]):
    """An image that the estate makes or knows: what follows from its names in AWS."""

    estate: Estate
    image: AnyKind

    @property
    def is_external(self) -> bool:
        """Whether another estate makes it."""
        return isinstance(self.image, ExternalImage)

    @cached_property
    def names(self) -> ImageNames:
        """The names of what belongs to it."""
        external = self.image.external if isinstance(self.image, ExternalImage) else None
        if external is None:
            return ImageNames(self.estate.namespace, self.image.name)
        return ImageNames(external.namespace, external.name or self.image.name)

    @property
    def settings(self) -> Settings:
        """The settings of the estate."""
        return self.estate.settings

    @property
    def account(self) -> str | None:
        """The ID of the account in which it is made; None where `account:` does not name one."""
        account = self.settings.account(self.image.account)
        return account.id if account else None

    @property
    def parameters(self) -> dict[str, str]:
        """The SSM parameter of each channel."""
        return {channel: self.names.parameter(channel) for channel in (names.LATEST, *self.image.channels)}

    @property
    def repository(self) -> str | None:
        """The ECR repository that a container image is pushed to; None for an AMI."""
        if isinstance(self.image, ExternalImage):
            return None
        return self.image.repository_name(namespace=self.estate.namespace)

    @property
    def reader_role(self) -> str:
        """The ARN of the role with which fleets of other accounts read its channels."""
        external = self.image.external if isinstance(self.image, ExternalImage) else None
        path, name = (
            external.iam_path if external else self.settings.iam.path,
            self.names.role("reader", self.image.home),
        )
        return self.arn("iam", f"role{path}{name}", account=self.account or "", region="")

    def arn(self, service: str, resource: str, *, account: str = "", region: str | None = None) -> str:
        """An ARN in the image's partition; of the home region, unless another one, or none, is given."""
        return arn_in(self.image.home, service, resource, account=account, region=region)

    def image_builder_arn(self, kind: str, *, account: str, name: str | None = None) -> str:
        """The ARN, without a version, of a resource of Image Builder: `image-pipeline`, `image`, `component`.

        By default the resource has the image's own name.
        """
        return self.arn("imagebuilder", f"{kind}/{names.in_arn(name or self.names.image_builder)}", account=account)


@dataclass(frozen=True)
class EstateImage(NamedImage[Kind]):
    """An image in its estate, which makes it: what follows from both, such as its tags and who runs it."""

    @property
    def provider(self) -> Provider:
        """The way into its account."""
        return self.settings.provider_of(self.image.account, region=self.image.home)

    @property
    def iam(self) -> Iam:
        """What its roles have in common."""
        return self.settings.iam_of(self.image.account, region=self.image.home)

    @property
    def fleets_elsewhere(self) -> "tuple[EstateFleet, ...]":
        """The fleets of other accounts that run it."""
        fleets = (
            self.estate.fleet(fleet.name) for fleet in self.estate.fleets.values() if fleet.image == self.image.name
        )
        return tuple(fleet for fleet in fleets if fleet.is_elsewhere)

    def accounts_elsewhere(self, region: str) -> tuple[str, ...]:
        """The IDs of the other accounts whose fleets run it in a region."""
        accounts = (fleet.account for fleet in self.fleets_elsewhere if fleet.fleet.region == region)
        return tuple(dict.fromkeys(account for account in accounts if account))

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tags of its AMIs, parameters and builds: the settings', its own, and the one it is found by."""
        return {**self.settings.tags, **self.image.tags, **self.names.owner_tag}

    @property
    def parent(self) -> str | None:
        """The parent image as Image Builder takes it."""
        base = self.image.base if isinstance(self.image, AmiImage) else None
        if base and base.image in self.estate.external_images:
            names_there = NamedImage(self.estate, self.estate.external_images[base.image]).names
            return f"ssm:{names_there.parameter(base.channel)}"
        return self.image.parent_reference(namespace=self.estate.namespace)

    @property
    def children(self) -> tuple[Image, ...]:
        """The images that are built on this one."""
        images = (self.estate.image(name) for name in self.estate.images)
        return tuple(each.image for each in images if (each.parent or "").startswith(f"ssm:{self.names.path}/"))


@dataclass(frozen=True)
class EstateFleet:
    """A fleet in its estate: what follows from both, such as its names, tags and image."""

    estate: Estate
    fleet: Fleet

    @cached_property
    def names(self) -> FleetNames:
        """The names of what belongs to it."""
        return FleetNames(self.estate.namespace, self.fleet.name)

    @property
    def settings(self) -> Settings:
        """The settings of the estate."""
        return self.estate.settings

    @property
    def account_name(self) -> str | None:
        """The account in which it runs, by its name in the settings: its own, or that of the image."""
        return self.fleet.account or self.image.image.account

    @property
    def account(self) -> str | None:
        """The ID of the account in which it runs; None where `account:` does not name one."""
        account = self.settings.account(self.account_name)
        return account.id if account else None

    @property
    def pin(self) -> Pin | None:
        """What it runs, if it has `updates: pull-request` and a pin that fits."""
        return self.estate.pins[self.fleet.name] if self.fleet.is_pinned and not self.lack_of_pin else None

    @property
    def lack_of_pin(self) -> str:
        """Why it has no pin that fits; empty if it has one."""
        pin = self.estate.pins.get(self.fleet.name)
        return next(self._lacks(pin), "") if pin else "has no pin"

    def _lacks(self, pin: Pin) -> Iterator[str]:
        """Where a pin does not fit what is declared. Who can write pins.yaml must not name accounts of their own."""
        for field, value in (("image", self.fleet.image), ("region", self.fleet.region)):
            if (pinned := getattr(pin, field)) != value:
                yield f"has a pin for {field} {pinned}, and not for {value}"
        accounts = {account for account in (self.image.account, self.account) if account}
        if accounts and pin.owner not in accounts:
            yield f"has a pin to an AMI of account {pin.owner}, and not of {' or '.join(sorted(accounts))}"
        configured = self.image.image.distribution_in(self.fleet.region).kms_key_id
        key = Arn.parse(pin.key) if pin.key and pin.key != configured and self.is_elsewhere else None
        if key and (key.account, key.region) != (self.image.account, self.fleet.region):
            right = f"{self.image.account} in {self.fleet.region}"
            yield f"has a pin with a key of account {key.account} in {key.region}, and not of {right}"

    @property
    def before(self) -> tuple[str, ...]:
        """The fleets that must have run a build before this one runs it."""
        after = self.fleet.after
        if after is None or after.environment is None:
            return after.fleets if after else ()
        return tuple(
            name
            for name, other in self.estate.fleets.items()
            if (other.image, other.environment) == (self.fleet.image, after.environment) and name != self.fleet.name
        )

    @property
    def is_elsewhere(self) -> bool:
        """Whether it runs in another account than that of its image."""
        return self.account != self.image.account

    @property
    def runs_copy(self) -> bool:
        """Whether it runs a copy of the AMI that its own account owns, not the shared AMI of the image's account."""
        return self.is_elsewhere and self.account in self.image.image.target_accounts

    @property
    def provider(self) -> Provider:
        """The way into its account: what its own `provider` says, otherwise as into the account."""
        own, special = self.settings.provider_of(self.account_name, region=self.fleet.region), self.fleet.provider
        if special is None:
            return own
        role = AssumeRole(**special.assume_role.model_dump()) if special.assume_role else own.assume_role
        account = own.account or (Arn.parse(role.role_arn).account if role else None)
        return Provider(profile=special.profile or own.profile, assume_role=role, account=account)

    @property
    def iam(self) -> Iam:
        """What its roles have in common."""
        return self.settings.iam_of(self.account_name, region=self.fleet.region)

    @property
    def image(self) -> NamedImage[FleetImage]:
        """The image that it runs."""
        return NamedImage(self.estate, self.estate.fleet_images[self.fleet.image])

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tags of everything in its stack: the settings', its own, and the one of the image that it runs."""
        return {**self.settings.tags, **self.fleet.tags, **self.image.names.owner_tag}

    def arn(self, service: str, resource: str, *, account: str, region: str | None = None) -> str:
        """An ARN in the fleet's partition; of its region, unless another one, or none, is given."""
        return arn_in(self.fleet.region, service, resource, account=account, region=region)
