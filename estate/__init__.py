"""What a configuration declares: files, or models made in Python -> a checked `Estate`, or every problem at once.

`load` reads YAML, `assemble` takes the same models made in Python. These names are for programs outside this package;
within it, the direction is files -> `models` -> `checks` -> `Estate` -> `recipes` -> the stacks, and never back.
Nothing here imports cdktf or boto3, so that commands and documentation load in a moment.
"""

from estate.estate import Estate
from estate.load import assemble, load
from estate.models.ami_image import AmiImage, ComponentUse
from estate.models.container_image import ContainerImage
from estate.models.durations import Duration
from estate.models.external_image import External, ExternalImage
from estate.models.fleet import Capacity, Fleet, Subnets
from estate.models.settings import Settings
from estate.problems import EstateError, Problem

__all__ = [
    "AmiImage",
    "Capacity",
    "ComponentUse",
    "ContainerImage",
    "Duration",
    "Estate",
    "EstateError",
    "External",
    "ExternalImage",
    "Fleet",
    "Problem",
    "Settings",
    "Subnets",
    "assemble",
    "load",
]
