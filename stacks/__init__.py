"""Estate -> CDK for Terraform stacks: one for each image pipeline, one for each fleet.

A stack class lists its parts. A part is a function that builds in the stack's own scope, so that Terraform
addresses are short literals, and returns what later parts need.
"""

from stacks import fast_bindings

fast_bindings.install()  # before the first import of a provider binding, and of cdktf, which starts Node

from cdktf import App  # noqa: E402

from stacks.ec2_fleet import Ec2FleetStack  # noqa: E402
from stacks.image_pipeline import ImagePipelineStack  # noqa: E402

__all__ = ["App", "Ec2FleetStack", "ImagePipelineStack"]
