"""Estate -> CDK for Terraform stacks: one for each image pipeline, one for each fleet, one for each
region's dashboard.

A stack class lists its parts. A part is a function that builds in the stack's own scope, so that Terraform
addresses are short literals, and returns what later parts need.

Importing this package starts Node, which takes its time; what it exports is imported at its first use. So a program
that imports it first loads its estate meanwhile.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bindings import fast

if TYPE_CHECKING:
    from cdktf import App

    from stacks.dashboard import DashboardStack
    from stacks.ec2_fleet import Ec2FleetStack
    from stacks.image_pipeline import ImagePipelineStack

__all__ = ["App", "DashboardStack", "Ec2FleetStack", "ImagePipelineStack"]

_MODULES = {
    "App": "cdktf",
    "Ec2FleetStack": "stacks.ec2_fleet",
    "ImagePipelineStack": "stacks.image_pipeline",
    "DashboardStack": "stacks.dashboard",
}

fast.install()  # before the first import of a provider binding, and of cdktf


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
