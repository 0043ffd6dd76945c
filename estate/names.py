"""Every stack id, parameter path and AWS resource name, in one place.

Names of images, fleets, channels and components are lower-case letters, digits and hyphens, so `_`, `.` and `/` always
separate them. Namespaces have no hyphens, because Image Builder treats `_` and `-` as the same. The longest namespace
and the longest name together fit AWS's shortest limits: 37 characters for the prefix of a bucket, 64 for an IAM role.
"""

from dataclasses import dataclass

from estate.arns import arn_in

LONGEST_NAMESPACE = 12
LONGEST_NAME = 23
LONGEST_COMPONENT = 89
"""Namespace, image and component together have at most 126 characters in AWS's provider."""
LONGEST_WORKFLOW = 90
"""The same for a workflow, which may have 128."""

AUTO_SCALING_ROLE = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
"""The end of the ARN of the service-linked role with which Amazon EC2 Auto Scaling launches instances."""

LATEST = "latest"
"""The channel that only the hand-off function moves."""

IN_USE_TAG = {"goldsmith:in-use": "true"}
"""The hand-off function's tag for image builds that a channel points to or pointed to before."""

NEWEST_TAG = {"goldsmith:newest": "true"}
"""The hand-off function's tag for the newest image builds of an image with `retention:`."""

REVOKED_TAG = "goldsmith:revoked"
"""The tag of a build that nothing may use, and of its AMIs: since when (RFC 3339 in UTC), a space, and the reason."""

BUILD_TAG = "Ec2ImageBuilderArn"
"""Image Builder's tag of the AMIs that it distributes, in every region ("Tag Image Builder output resources" in its
user guide): the ARN of the build."""

RETENTION_TAG = "goldsmith:retention"
"""The key of the hand-off function's tag for builds whose other tags are up to date; its value has the number of builds
to keep."""


@dataclass(frozen=True)
class ImageNames:
    """The names of everything that belongs to an image."""

    namespace: str
    image: str

    @property
    def stack(self) -> str:
        """The stack of the pipeline, and therefore its Terraform state."""
        return image_stack(self.image)

    @property
    def label(self) -> str:
        """The image's name in descriptions, tags and aliases."""
        return f"{self.namespace}/{self.image}"

    @property
    def path(self) -> str:
        """The folder of the parameters. Image Builder's own role may read only parameters below `/imagebuilder/`."""
        return f"/imagebuilder/{self.namespace}/{self.image}"

    def parameter(self, channel: str) -> str:
        """The SSM parameter with the AMI ID of a channel."""
        return f"{self.path}/{channel}"

    @property
    def image_builder(self) -> str:
        """Recipe, pipeline, infrastructure and distribution configuration; each kind has its own names."""
        return f"{self.namespace}_{self.image}"

    @property
    def build_pattern(self) -> str:
        """A regular expression for the start of the ARNs of the image's builds, of any account and region: the image
        may have had another home."""
        return f"arn:[a-z-]+:imagebuilder:[a-z0-9-]+:[0-9]+:image/{in_arn(self.image_builder)}/"

    def component(self, component: str) -> str:
        """A build or test component. It belongs to one image, so no stack can break the recipe of another."""
        return f"{self.image_builder}_{component}"

    def workflow(self, workflow: str) -> str:
        """A workflow. It belongs to one image, so no stack can break the pipeline of another."""
        return f"{self.image_builder}_{workflow}"

    @property
    def ami_prefix(self) -> str:
        """The start of the name of every AMI; the fleets' guards check it."""
        return f"{self.namespace}.{self.image}."

    @property
    def ami(self) -> str:
        """The AMI's name; Image Builder replaces the placeholder with the time of the build, so no two builds have the
        same name."""
        return self.ami_prefix + "{{ imagebuilder:buildDate }}"

    def parent_ami(self, identity: str) -> str:
        """The AMI registered from a disk image. Its name differs from those of builds."""
        return f"{self.image_builder}_parent_{identity}"

    @property
    def ami_key_alias(self) -> str:
        """The alias, without `alias/`, of the key that encrypts the AMIs which other accounts use; the same in each
        region."""
        return f"{self.label}/amis"

    @property
    def repository(self) -> str:
        """The repository of a container image in ECR."""
        return f"{self.namespace}/{self.image}"

    @property
    def exports_folder(self) -> str:
        """The folder of the disk images in a bucket, unless the configuration names one."""
        return f"{self.namespace}/{self.image}"

    @property
    def handoff(self) -> str:
        """The topic, function, queue and schedule of the hand-off."""
        return f"{self.image_builder}_handoff"

    def alarm(self, kind: str) -> str:
        """An alarm of the hand-off."""
        return f"{self.handoff}_{kind}"

    @property
    def failures(self) -> str:
        """The topic that sends e-mails to people, and the rule that matches failed builds."""
        return f"{self.image_builder}_failures"

    @property
    def build_log(self) -> str:
        """The log group that builds write to. Image Builder may use any below `/aws/imagebuilder/` without a role of
        the estate (PipelineLoggingConfiguration in its API reference)."""
        return f"{self.default_build_log}/builds"

    @property
    def pipeline_log(self) -> str:
        """The log group of the pipeline's own messages."""
        return f"{self.default_pipeline_log}/runs"

    @property
    def default_build_log(self) -> str:
        """The log group of builds if the pipeline names none (PipelineLoggingConfiguration in its API reference)."""
        return f"/aws/imagebuilder/{self.image_builder}"

    @property
    def default_pipeline_log(self) -> str:
        """The log group of the pipeline if it names none."""
        return f"/aws/imagebuilder/pipeline/{self.image_builder}"

    @property
    def bucket_prefix(self) -> str:
        """The start of a bucket's name; AWS's provider adds a suffix that makes it globally unique."""
        return f"{self.namespace}-{self.image}-"

    def role(self, part: str, region: str) -> str:
        """A role, policy or instance profile: names in IAM are the same in all regions, so the region is in the
        name."""
        return f"{self.image_builder}_{part}_{region}"

    @property
    def owner_tag(self) -> dict[str, str]:
        """The tag by which image builds, AMIs and parameters of the image are found and selected."""
        return {"goldsmith:image": self.label}

    def retention_tag(self, newest: int) -> dict[str, str]:
        """The hand-off function's tag for builds whose other tags are up to date for this number of newest builds to
        keep."""
        return {RETENTION_TAG: f"{self.label}/{newest}"}


@dataclass(frozen=True)
class FleetNames:
    """The names of everything that belongs to a fleet."""

    namespace: str
    fleet: str

    @property
    def stack(self) -> str:
        """The stack, and therefore its Terraform state."""
        return fleet_stack(self.fleet)

    @property
    def label(self) -> str:
        """The fleet's name in descriptions and aliases."""
        return f"{self.namespace}/{self.fleet}"

    @property
    def group(self) -> str:
        """Group, launch template, security group and instances."""
        return f"{self.namespace}_{self.fleet}"

    @property
    def rollouts(self) -> str:
        """The topic that sends e-mails about rollouts to people, and the rule that matches failed ones. An image may
        have the same name as the fleet, and `failures` belongs to the image."""
        return f"{self.group}_rollouts"

    @property
    def function(self) -> str:
        """The function that rolls out what the channel points to, and its schedule, with `updates: automatic`."""
        return f"{self.group}_rollout"

    def alarm(self, kind: str) -> str:
        """An alarm of the function."""
        return f"{self.function}_{kind}"

    @property
    def notices(self) -> str:
        """The SSM parameter with what the function has notified people of. Terraform does not own it."""
        return f"/goldsmith/{self.namespace}/notices/{self.fleet}"

    @property
    def records(self) -> str:
        """The folder of the records of all fleets of the namespace in an account and region."""
        return f"/goldsmith/{self.namespace}/fleets"

    @property
    def record(self) -> str:
        """The SSM parameter with the record of the fleet's last rollout, in its account and region. Terraform does not
        own it."""
        return f"{self.records}/{self.fleet}"

    def role(self, part: str, region: str) -> str:
        """A role or instance profile: names in IAM are the same in all regions, so the region is in the name."""
        return f"{self.group}_{part}_{region}"


def image_stack(image: str) -> str:
    """The stack of an image pipeline, and therefore its Terraform state."""
    return f"image-{image}"


def fleet_stack(fleet: str) -> str:
    """The stack of a fleet, and therefore its Terraform state."""
    return f"fleet-{fleet}"


def overview_stack(region: str) -> str:
    """The stack of the dashboard of a region."""
    return f"overview-{region}"


def history_stack(account: str | None, region: str) -> str:
    """The stack of the history of channels: of the images of an account, by its name, that have their home there."""
    return f"history-{account}-{region}" if account else f"history-{region}"


def overview(namespace: str) -> str:
    """The dashboard of all images of a region; a region has one."""
    return f"{namespace}_images"


def state(namespace: str, stack: str, region: str, *, account: str | None = None) -> str:
    """The path of a stack's state below the backend's folder or prefix.

    It has the namespace, so that two estates can share a backend, and the region: after a change of region, provider 5
    would not find the resources of the old region, forget them, and plan new ones while the old ones keep running.
    """
    folder = f"{namespace}/{account}" if account else namespace
    return f"{folder}/{state_before_namespaces(stack, region)}"


def state_before_namespaces(stack: str, region: str) -> str:
    """The path before each estate had its own folder."""
    return f"{stack}.{region}.tfstate"


def in_arn(image_builder_name: str) -> str:
    """A name as Image Builder writes it in ARNs: in lower case, with hyphens instead of spaces and underscores.

    For Image Builder, names that differ only in these are the same (botocore's service model, CreateComponent).
    """
    return image_builder_name.lower().replace("_", "-").replace(" ", "-")


def managed_image(region: str, name: str) -> str:
    """The ARN of the newest version of an image that AWS manages in Image Builder."""
    return arn_in(region, "imagebuilder", f"image/{name}/x.x.x", account="aws")


def managed_workflow(region: str, stage: str, name: str) -> str:
    """The ARN of one of Image Builder's own workflows, of which it takes only the newest version."""
    return arn_in(region, "imagebuilder", f"workflow/{stage}/{name}/x.x.x", account="aws")


MANAGED_WORKFLOWS = r":aws:workflow/(build/build|test/test|distribution/distribute)-(image|container)/"
"""A regular expression for a part of the ARNs of those of Image Builder's own that pipelines run by default."""


def function_log(function: str) -> str:
    """The log group that Lambda writes to."""
    return f"/aws/lambda/{function}"


def dead_letters(function: str) -> str:
    """The dead-letter queue of a function and of its topic."""
    return f"{function}_dead_letters"
