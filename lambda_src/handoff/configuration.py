"""What the function knows about its image: `configuration.json` beside it, in the archive that it is deployed from.

The stack writes the file and the function reads it, both through `Configuration`. A file, because Lambda's environment
has 4,096 bytes altogether, which a few long tags exceed. Only what Terraform makes stands in the environment: the
pipeline's ARN, `PIPELINE_ARN`. The standard library is all that this module needs, so that synthesis can import it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "configuration.json"
PIPELINE_ARN = "GOLDSMITH_PIPELINE_ARN"
"""The name of the variable in the function's environment."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The image whose `latest` is moved, and how its builds are judged.

    `tags` are for new parameters. A container image has a `repository`, an AMI an `architecture` (x86_64 or arm64); the
    other one is empty. `keep_newest` is how many builds a lifecycle policy spares as the newest, 0 where there is none;
    after `overdue_after_days` a new build is missed, never if 0.
    """

    namespace: str
    image: str
    regions: tuple[str, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    repository: str = ""
    architecture: str = ""
    keep_newest: int = 0
    overdue_after_days: int = 0

    def to_json(self) -> str:
        """The file's text: ASCII, and the same for equal configurations."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Configuration:
        """From the file's text. Raises KeyError, TypeError or ValueError for any other text."""
        members = json.loads(text)
        return cls(**{**members, "regions": tuple(members["regions"])})


def read_configuration() -> Configuration:
    """That of the function in which this runs. Raises OSError where there is no file, as in a checkout."""
    return Configuration.from_json(Path(__file__).with_name(FILE).read_text(encoding="utf-8"))
