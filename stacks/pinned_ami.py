"""The AMI that a fleet with `updates: pull-request` runs: the one in its pin.

No parameter is read, and nothing in the image's account: the plan of a commit is the same whatever channels do, and
needs no permission there. So what only that account knows is not checked here: of a shared AMI the tags, and with them
whether it is revoked. `goldsmith pin`, `rollout` and `report` look there.
"""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.data_aws_ami import DataAwsAmi, DataAwsAmiFilter
from cdktf_cdktf_provider_aws.data_aws_ami_ids import DataAwsAmiIds, DataAwsAmiIdsFilter
from cdktf_cdktf_provider_aws.data_aws_autoscaling_groups import DataAwsAutoscalingGroups

from estate.estate import EstateFleet
from estate.models.pin import Pin
from stacks.guarded_ami import GuardedAmi
from stacks.guards import (
    Guard,
    Subject,
    age_guards,
    identity_guards,
    revoked,
    revoked_later,
    stopping_at,
    warn,
)
from stacks.terraform import add_check, stopping

_AMI = "data.aws_ami.ami"


def add_pinned_ami(stack: TerraformStack, declared: EstateFleet, pin: Pin) -> GuardedAmi:
    """The AMI of the pin, looked up in the fleet's account."""
    fleet, image = declared.fleet, declared.image
    remedy = f"Pin another build: goldsmith pin {fleet.name}"
    subject = Subject(
        text=f"Fleet {fleet.name}: its pin, build {pin.build} of image {image.names.label},",
        another_build=f"{remedy}.",
        another_architecture=f"{remedy}.",
        not_revoked=f"{remedy}; or revert the commit that pinned it.",
        newer_build=f"Build image {pin.image} again, and pin the build: goldsmith pin {fleet.name}.",
    )
    is_own = not declared.is_elsewhere or pin.owner == declared.account
    owner = "self" if is_own else pin.owner
    where = f"does not exist in this account and {fleet.region}: it was deregistered or disabled"
    if not is_own:
        shared = f"account {pin.owner} does not share with account {declared.account} in {fleet.region}"
        where = f"{shared}, or has deregistered or disabled"
    exists = Guard("exists", "length(self.ids) == 1", f"{subject} points to {pin.ami}, which {where}. {remedy}.")
    ids = [DataAwsAmiIdsFilter(name="image-id", values=[pin.ami])]
    DataAwsAmiIds(stack, "found", owners=[owner], include_deprecated=True, filter=ids, lifecycle=stopping_at(exists))
    guards = identity_guards(subject, image)
    if not is_own:  # which cannot see its tags
        guards = tuple(guard for guard in guards if guard.id != "maker")
    refused = (*guards, revoked(subject))
    ami = DataAwsAmi(
        stack,
        "ami",
        owners=[owner],
        include_deprecated=True,
        filter=[DataAwsAmiFilter(name="image-id", values=[pin.ami])],
        lifecycle=stopping_at(*refused) if fleet.guards == "stop" else None,
    )
    # this data source fails when it finds nothing, so it reads only an AMI that is in the list
    ami.add_override("count", "${length(data.aws_ami_ids.found.ids)}")
    warned = (revoked_later(subject), *age_guards(subject, declared))
    for guard in (*refused, *warned) if fleet.guards == "warn" else warned:
        warn(stack, guard, ami=_AMI)
    return GuardedAmi()


def add_wait_for_pin(stack: TerraformStack, declared: EstateFleet) -> None:
    """Instead of everything else, while there is no build that could be pinned. A plan warns that it waits.

    It stops where the group exists already: without its pin, the plan would destroy it.
    """
    fleet, group = declared.fleet, declared.names.group
    DataAwsAutoscalingGroups(
        stack,
        "groups",
        names=[group],
        lifecycle=stopping(
            (
                f'!contains(self.names, "{group}")',
                f"Fleet {fleet.name} {declared.lack_of_pin}, and its group {group} exists: a plan without the pin "
                f"would destroy it. Bring pins.yaml back, or run goldsmith pin {fleet.name}",
            )
        ),
    )
    message = (
        f"Fleet {fleet.name} waits for its first build of image {declared.image.names.label}: build the image, and run "
        f"goldsmith pin {fleet.name}"
    )
    add_check(stack, "waits_for_pin", ("data.aws_autoscaling_groups.groups.id == null", message))
