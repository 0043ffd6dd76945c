"""The stack of a fleet: a launch template with a guarded AMI, an Auto Scaling group, and with `updates: automatic` the
function that rolls out what the channel points to."""

from cdktf import TerraformOutput, TerraformStack
from constructs import Construct

from estate.estate import Estate, EstateFleet
from estate.models.fleet import Fleet
from stacks.fleet.alarms import add_alarms
from stacks.fleet.encryption import add_key
from stacks.fleet.group import add_group
from stacks.fleet.image_account import add_image_account
from stacks.fleet.key_grant import add_key_grant
from stacks.fleet.launch_template import add_launch_template
from stacks.fleet.network import add_network
from stacks.fleet.notifications import add_notifications
from stacks.fleet.rollout_checks import add_rollout_checks
from stacks.fleet.rollout_function import add_rollout_function
from stacks.guarded_ami import add_guarded_ami
from stacks.pinned_ami import add_pinned_ami, add_wait_for_pin
from stacks.terraform import add_terraform


class Ec2FleetStack(TerraformStack):
    """The stack `fleet-<name>`, in the fleet's region.

    Its outputs are for other tools: the AMI, the launch template's ID, the group's name, the security groups; with
    `updates: automatic` no AMI, because an output that moves would make every plan a change.
    """

    def __init__(self, scope: Construct, *, estate: Estate, fleet: Fleet) -> None:
        declared = EstateFleet(estate, fleet)
        super().__init__(scope, declared.names.stack)
        add_terraform(
            self,
            settings=estate.settings,
            region=fleet.region,
            tags=declared.tags,
            account=declared.account_name,
            provider=declared.provider,
        )
        pin = declared.pin
        if fleet.is_pinned and pin is None:
            add_wait_for_pin(self, declared)
            return
        images = None if pin else add_image_account(self, declared)
        ami = add_pinned_ami(self, declared, pin) if pin else add_guarded_ami(self, declared, images=images)
        network = add_network(self, declared)
        launch_template = add_launch_template(self, declared, ami=ami, security_groups=network.security_groups)
        grant = add_key_grant(self, declared, ami=ami, images=images)
        group = add_group(self, declared, subnets=network.subnets, launch_template=launch_template, key_grant=grant)
        add_rollout_checks(self, declared)
        key = add_key(self, declared)
        emails = add_notifications(self, declared, key=key)
        if fleet.is_automatic and key:
            function = add_rollout_function(self, declared, launch_template=launch_template, key=key, emails=emails)
            add_alarms(self, declared, function=function, emails=emails)

        if pin:
            shown = {"image": pin.image, "channel": pin.channel, "build": pin.build, "created": pin.created}
            TerraformOutput(self, "build", value=shown)
        if not fleet.is_automatic:
            TerraformOutput(self, "image_id", value=ami.id)
        TerraformOutput(self, "launch_template_id", value=launch_template.id)
        TerraformOutput(self, "group_name", value=group.name)
        TerraformOutput(self, "security_group_ids", value=network.security_groups)
