"""What the name of an EC2 instance type says about it."""

import re

from estate.catalogue.operating_systems import Architecture


def architecture_of(instance_type: str) -> Architecture:
    """The architecture of an instance type: a `g` after the generation means Graviton, and of the Macs only the first
    is x86_64.

    Sources: "Amazon EC2 instance type naming conventions" in AWS's guide to instance types, and "Amazon EC2 Mac
    instances" in its user guide.
    """
    family = instance_type.partition(".")[0]
    if is_mac(instance_type):
        return "x86_64" if family == "mac1" else "arm64"
    return "arm64" if re.fullmatch(r"a1|[a-z]+[0-9]+g.*|p6e-gb[0-9]+", family) else "x86_64"


def is_mac(instance_type: str) -> bool:
    """Whether it is a Mac: `mac1.metal`, `mac2-m2pro.metal`, `mac-m4.metal`, …"""
    return instance_type.startswith("mac")
