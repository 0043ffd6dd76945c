"""An image and a fleet made in Python, with only the required fields."""

from typing import Any

from estate.models.ami_image import AmiImage
from estate.models.fleet import Capacity, Fleet, Subnets


def image(**fields: Any) -> AmiImage:
    fields = {"name": "web", "os": "amazon-linux-2023", "build": ("update-os",), "regions": ("eu-west-1",), **fields}
    return AmiImage.model_validate(fields)


def fleet(**fields: Any) -> Fleet:
    return Fleet(
        **{
            "name": "web-dev",
            "image": "web",
            "channel": "latest",
            "region": "eu-west-1",
            "instance_type": "t3.small",
            "subnets": Subnets(ids=("subnet-0a",)),
            "capacity": Capacity(min=1, max=2),
            **fields,
        }
    )
