"""Every stack id, parameter path and AWS resource name, in one place.

Images, fleets, channels and components are lower-case letters, digits and hyphens, so `_`, `.` and `/` separate them
without doubt. Namespaces have no hyphens, because Image Builder takes `_` and `-` for the same. The longest namespace
and name together fit AWS's shortest limits: 37 characters for the prefix of a bucket, 64 for an IAM role.
"""

from dataclasses import dataclass

from estate.arns import arn_in

LONGEST_NAMESPACE = 12
LONGEST_NAME = 23
LONGEST_COMPONENT = 89
"""Namespace, image and component together have at most 126 characters in AWS's provider."""
LONGEST_WORKFLOW = 90
"""Likewise of a workflow, which may have 128."""

LATEST = "latest"
"""The channel that the hand-off function moves, and only it."""

IN_USE_TAG = {"goldsmith:in-use": "true"}
"""The hand-off function's tag of image builds that a channel points to or pointed to before."""

NEWEST_TAG = {"goldsmith:newest": "true"}
"""The hand-off function's tag of the newest image builds of an image with `retention:`."""

RETENTION_TAG = "goldsmith:retention"
"""The key of the hand-off function's tag of image builds that it has looked at, knowing how many of the newest stay."""


@dataclass(frozen=True)
class ImageNames:
    """The names of everything that belongs to an image."""

    namespace: str
    image: str

    @property
    def stack(self) -> str:
        """The stack, and so the Terraform state, of the pipeline."""
        return image_stack(self.image)

    @property
    def label(self) -> str:
        """How descriptions, tags and aliases name the image."""
        return f"{self.namespace}/{self.image}"

    @property
    def path(self) -> str:
        """The folder of the parameters. Image Builder's own role may read below `/imagebuilder/`, no other."""
        return f"/imagebuilder/{self.namespace}/{self.image}"

    def parameter(self, channel: str) -> str:
        """The SSM parameter that holds the AMI ID of a channel."""
        return f"{self.path}/{channel}"

    @property
    def image_builder(self) -> str:
        """Recipe, pipeline, infrastructure and distribution configuration: each kind has names of its own."""
        return f"{self.namespace}_{self.image}"

    @property
    def build_pattern(self) -> str:
        """A regular expression for the start of the ARNs of the image's builds, of any account and region: the image
        may have had another home."""
        return f"arn:[a-z-]+:imagebuilder:[a-z0-9-]+:[0-9]+:image/{in_arn(self.image_builder)}/"

    def component(self, component: str) -> str:
        """A build or test component. It belongs to one image, so no stack can break another's recipe."""
        return f"{self.image_builder}_{component}"

    def workflow(self, workflow: str) -> str:
        """A workflow. It belongs to one image, so no stack can break another's pipeline."""
        return f"{self.image_builder}_{workflow}"

    @property
    def ami_prefix(self) -> str:
        """What the name of every AMI starts with; the fleets' guards look at it."""
        return f"{self.namespace}.{self.image}."

    @property
    def ami(self) -> str:
        """The AMI's name; Image Builder puts the time of the build in, so no two builds share one."""
        return self.ami_prefix + "{{ imagebuilder:buildDate }}"

    def parent_ami(self, identity: str) -> str:
        """The AMI over a disk image: not named as builds are."""
        return f"{self.image_builder}_parent_{identity}"

    @property
    def repository(self) -> str:
        """The repository of a container image in ECR."""
        return f"{self.namespace}/{self.image}"

    @property
    def exports_folder(self) -> str:
        """Where in a bucket the disk images are, if the configuration does not say."""
        return f"{self.namespace}/{self.image}"

    @property
    def handoff(self) -> str:
        """Topic, function, queue and schedule of the hand-off."""
        return f"{self.image_builder}_handoff"

    def alarm(self, kind: str) -> str:
        """An alarm of the hand-off."""
        return f"{self.handoff}_{kind}"

    @property
    def failures(self) -> str:
        """The topic from which people get e-mails, and the rule that finds failed builds."""
        return f"{self.image_builder}_failures"

    @property
    def build_log(self) -> str:
        """The log group that builds write to. Image Builder may use any below `/aws/imagebuilder/` without a role of
        ours (PipelineLoggingConfiguration in its API reference)."""
        return f"{self.default_build_log}/builds"

    @property
    def pipeline_log(self) -> str:
        """The log group that says what the pipeline does."""
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
        """The start of a bucket's name; AWS's provider adds what makes it unique in the world."""
        return f"{self.namespace}-{self.image}-"

    def role(self, part: str, region: str) -> str:
        """A role, policy or instance profile: IAM knows no regions."""
        return f"{self.image_builder}_{part}_{region}"

    @property
    def owner_tag(self) -> dict[str, str]:
        """The tag by which image builds, AMIs and parameters of the image are found and selected."""
        return {"goldsmith:image": self.label}

    def retention_tag(self, newest: int) -> dict[str, str]:
        """The hand-off function's tag of image builds that it has looked at, knowing how many of the newest stay."""
        return {RETENTION_TAG: f"{self.label}/{newest}"}


@dataclass(frozen=True)
class FleetNames:
    """The names of everything that belongs to a fleet."""

    namespace: str
    fleet: str

    @property
    def stack(self) -> str:
        """The stack, and so the Terraform state."""
        return fleet_stack(self.fleet)

    @property
    def label(self) -> str:
        """How descriptions and aliases name the fleet."""
        return f"{self.namespace}/{self.fleet}"

    @property
    def group(self) -> str:
        """Group, launch template, security group and instances."""
        return f"{self.namespace}_{self.fleet}"

    @property
    def rollouts(self) -> str:
        """The topic from which people get e-mails about rollouts, and the rule that finds those that failed. An image
        may have the fleet's name, and `failures` is its own."""
        return f"{self.group}_rollouts"

    def role(self, part: str, region: str) -> str:
        """A role or instance profile: IAM knows no regions."""
        return f"{self.group}_{part}_{region}"


def image_stack(image: str) -> str:
    """The stack, and so the Terraform state, of an image pipeline."""
    return f"image-{image}"


def fleet_stack(fleet: str) -> str:
    """The stack, and so the Terraform state, of a fleet."""
    return f"fleet-{fleet}"


def overview_stack(region: str) -> str:
    """The stack of the dashboard of a region."""
    return f"overview-{region}"


def overview(namespace: str) -> str:
    """The dashboard of all images of a region, which has it once."""
    return f"{namespace}_images"


def state(namespace: str, stack: str, region: str) -> str:
    """Where below the backend's folder or prefix the state of a stack is.

    It belongs to its estate, so that two of them can share a backend, and to its region: provider 5 would look for the
    resources of another one in vain, forget them, and plan them anew while the old ones run on.
    """
    return f"{namespace}/{state_before_namespaces(stack, region)}"


def state_before_namespaces(stack: str, region: str) -> str:
    """Where it was before each estate had a folder of its own there."""
    return f"{stack}.{region}.tfstate"


def in_arn(image_builder_name: str) -> str:
    """How Image Builder writes a name in ARNs: in lower case, with hyphens for spaces and underscores.

    Names that differ only in these are the same to it (botocore's service model, CreateComponent).
    """
    return image_builder_name.lower().replace("_", "-").replace(" ", "-")


def managed_image(region: str, name: str) -> str:
    """The ARN of the newest version of an image of Image Builder's own."""
    return arn_in(region, "imagebuilder", f"image/{name}/x.x.x", account="aws")


def managed_workflow(region: str, stage: str, name: str) -> str:
    """The ARN of a workflow of Image Builder's own. It takes no other version of them than the newest."""
    return arn_in(region, "imagebuilder", f"workflow/{stage}/{name}/x.x.x", account="aws")


MANAGED_WORKFLOWS = r":aws:workflow/(build/build|test/test|distribution/distribute)-(image|container)/"
"""A regular expression for a part of the ARNs of those of Image Builder's own that pipelines run by default."""


def function_log(function: str) -> str:
    """The log group that Lambda writes to."""
    return f"/aws/lambda/{function}"


def dead_letters(function: str) -> str:
    """The queue of the events that a function, or its topic, gave up on."""
    return f"{function}_dead_letters"


def component(namespace: str, image: str, component: str) -> str:
    """A build or test component. Temporary: `ImageNames.component`."""
    return ImageNames(namespace, image).component(component)


def workflow(namespace: str, image: str, workflow: str) -> str:
    """A workflow. Temporary: `ImageNames.workflow`."""
    return ImageNames(namespace, image).workflow(workflow)


def ami_prefix(namespace: str, image: str) -> str:
    """What the name of every AMI of an image starts with. Temporary: `ImageNames.ami_prefix`."""
    return ImageNames(namespace, image).ami_prefix
