"""What the function knows about its image: the contract between the stack, which writes it, and the function.

Everything that is known at synthesis is in `configuration.json`, a file in the function's archive: a few long tags
would not fit into Lambda's environment, which takes 4,096 bytes in total. What only Terraform knows, the ARNs of the
pipeline and of the topic for e-mail, is in the environment. This module needs nothing but the standard library, so that
synthesis can import it without boto3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "configuration.json"
"""The name of the file, which is in the same folder as this module."""

PIPELINE_ARN = "GOLDSMITH_PIPELINE_ARN"
"""The name of the environment variable that holds the ARN of the image's pipeline."""


def history_bucket(namespace: str, *, account: str, region: str) -> str:
    """The bucket of the moves of all images that have their home in a region: at most 58 of 63 characters."""
    return f"{namespace}-goldsmith-history-{account}-{region}"


EMAILS_TOPIC = "GOLDSMITH_EMAILS_TOPIC"
"""The name of the environment variable that holds the ARN of the topic for e-mail, if there is one."""


@dataclass(frozen=True, kw_only=True)
class ChannelRule:
    """Where a channel takes its builds from."""

    source: str
    """Another channel."""
    soak_minutes: int = 0
    """How many minutes a build is in that channel first; 0 when people move the channel."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What a build must satisfy to become `latest`."""

    max_severity: str
    """The worst severity that may pass: high, medium or low."""
    exempt: Mapping[str, str] = field(default_factory=dict)
    """The IDs of vulnerabilities that are ignored, each with the last day, in ISO 8601."""

    @property
    def text(self) -> str:
        """The same for equal gates."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """An image, as far as it is known at synthesis."""

    namespace: str
    image: str
    """The image's name."""
    regions: tuple[str, ...]
    """The regions with a channel `latest`."""
    channels: Mapping[str, ChannelRule] = field(default_factory=dict)
    """The channels beside `latest`."""
    gate: Gate | None = None
    """What a build must satisfy to become `latest`; None when every good one does."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """For parameters that the function creates."""
    repository: str = ""
    """The ECR repository of a container image; empty for an AMI."""
    architecture: str = ""
    """The architecture of an AMI, x86_64 or arm64; empty for a container image."""
    topics: tuple[str, ...] = ()
    """The ARNs of topics of the team that get notifications."""
    keep_newest: int = 0
    """How many of the newest builds the lifecycle policy keeps; 0 when there is no policy."""
    overdue_after_days: int = 0
    """After how many days without a good build the metric `Overdue` is 1; 0 for never."""

    @property
    def label(self) -> str:
        """The name in tags, metrics and messages."""
        return f"{self.namespace}/{self.image}"

    def to_json(self) -> str:
        """The file's text: ASCII, and the same for equal configurations."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @staticmethod
    def from_json(text: str) -> Configuration:
        """From the file's text. Raises KeyError, TypeError or ValueError for any other text."""
        members = json.loads(text)
        channels = {name: ChannelRule(**rule) for name, rule in members["channels"].items()}
        tuples = {name: tuple(members[name]) for name in ("regions", "topics")}
        gate = Gate(**members["gate"]) if members["gate"] else None
        return Configuration(**{**members, **tuples, "channels": channels, "gate": gate})


@dataclass(frozen=True, kw_only=True)
class Image(Configuration):
    """An image as the deployed function knows it: with what only Terraform knows."""

    pipeline_arn: str
    emails: str = ""
    """The ARN of the topic for e-mail; empty when nobody gets any."""


def image_of(configuration: Configuration, *, environment: Mapping[str, str]) -> Image:
    """The image of a configuration in the function's environment."""
    return Image(
        **vars(configuration), pipeline_arn=environment[PIPELINE_ARN], emails=environment.get(EMAILS_TOPIC, "")
    )


def read_configuration() -> Configuration:
    """The configuration of the function that runs. Raises OSError where there is no file, as in a checkout."""
    return Configuration.from_json(Path(__file__).with_name(FILE).read_text(encoding="utf-8"))
