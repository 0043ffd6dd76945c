"""Estate -> CDK for Terraform stacks: one for each image pipeline, one for each fleet, one for the
history and one for the dashboard of each home region.

A stack class lists its parts. A part is a function that builds in the stack's own scope, so that Terraform
addresses are short literals, and returns what later parts need.

Programs call `bindings.start()` before they import this package; without it the import takes ten seconds
longer, and needs a `node` on the PATH.
"""

from cdktf import App

from stacks.dashboard import DashboardStack
from stacks.ec2_fleet import Ec2FleetStack
from stacks.history import HistoryStack
from stacks.image_pipeline import ImagePipelineStack

__all__ = ["App", "DashboardStack", "Ec2FleetStack", "HistoryStack", "ImagePipelineStack"]
