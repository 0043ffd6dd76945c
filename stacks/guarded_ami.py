"""The AMI that a fleet runs: its channel's value, checked at each plan.

Three lookups, of which none fails when it finds nothing: the image's parameters by path, the AMI's ID in a list, and
then the AMI itself. What is missing, wrong or revoked stops the plan in a postcondition. What is only old, or will be
revoked later, is a warning of a `check`, so that it prevents neither scaling nor destroying.

A fleet of another account than the image's looks up channel and AMI in the image's account, where the AMI has its tags,
and then the AMI in its own: the shared one by ID, or its copy by name.
"""

from dataclasses import dataclass

from cdktf import TerraformLocal, TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_ami import DataAwsAmi, DataAwsAmiFilter
from cdktf_cdktf_provider_aws.data_aws_ami_ids import DataAwsAmiIds, DataAwsAmiIdsFilter
from cdktf_cdktf_provider_aws.data_aws_ssm_parameters_by_path import DataAwsSsmParametersByPath

from estate import names
from estate.estate import EstateFleet, NamedImage
from estate.models.channels import channels_of
from estate.models.images import FleetImage
from stacks.fleet.image_account import READS_IMAGES, ImageAccount
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

_CHANNEL = "data.aws_ssm_parameters_by_path.channel"
_FOUND = "data.aws_ami_ids.found"
_AMI = "data.aws_ami.ami"
_MADE = "data.aws_ami_ids.made"
_BUILD = "data.aws_ami.build"
"""The same in the image's account, if that is another one."""
_ONLY_AN_ID = '${can(regex("^ami-[0-9a-z]+$", local.ami_id)) ? local.ami_id : "none"}'
"""The value of a filter: only an ID, because "*" is every AMI."""


@dataclass(frozen=True)
class GuardedAmi:
    """Terraform expressions of an AMI that passed the guards."""

    id: str = f"${{one({_AMI}[*].id)}}"
    root_device_name: str = f"${{one({_AMI}[*].root_device_name)}}"
    found: str = f"length({_FOUND}.ids)"
    """1 if it was found, otherwise 0: a part of an expression."""


def add_guarded_ami(stack: TerraformStack, declared: EstateFleet, *, images: ImageAccount | None) -> GuardedAmi:
    """The AMI of the fleet's channel in the fleet's region. `images` is the image's account if it is another one."""
    fleet = declared.fleet
    subject = Subject(
        text=f"Fleet {fleet.name}: channel {fleet.channel} of image {declared.image.names.label}",
        another_build=_remedy(declared.image, "move the channel to a build of the image"),
        another_architecture=_remedy(declared.image, "move the channel to a build of the right architecture"),
        not_revoked=_how_to_leave(declared),
        newer_build=_remedy(declared.image, "build the image again"),
    )
    _look_up_channel(stack, declared, subject, images)
    refused = (*identity_guards(subject, declared.image), revoked(subject))
    only_warns = fleet.guards == "warn" or fleet.is_automatic
    stops = None if only_warns else stopping_at(*refused)
    if images:
        _look_up_build(stack, declared, subject, images, lifecycle=stops)
        owner = _look_up_id_elsewhere(stack, declared, subject, images)
    else:
        owner = "self"
        _look_up_id(stack, declared, subject)
    ami = DataAwsAmi(
        stack,
        "ami",
        owners=[owner],
        include_deprecated=True,
        filter=[
            DataAwsAmiFilter(
                name="image-id", values=[f"${{{_FOUND}.ids[count.index]}}" if images else "${local.ami_id}"]
            )
        ],
        lifecycle=None if images else stops,
    )
    # this data source fails when it finds nothing, so it reads only an AMI that is in the list
    ami.add_override("count", f"${{length({_FOUND}.ids)}}")
    later = revoked_later(subject)
    for guard in (*refused, later) if only_warns else (later,):
        warn(stack, guard, ami=_BUILD if images else _AMI)
    for guard in age_guards(subject, declared):
        warn(stack, guard, ami=_AMI)
    return GuardedAmi()


def _look_up_channel(
    stack: TerraformStack, declared: EstateFleet, subject: Subject, images: ImageAccount | None
) -> None:
    """`local.ami_id`: the channel's value, or "" while it has none."""
    fleet, image = declared.fleet, declared.image
    parameter = image.names.parameter(fleet.channel)
    is_set = Guard(
        "is_set",
        f'contains(nonsensitive(self.names), "{parameter}")',
        f"{subject} has no build in {fleet.region} yet. {_how_to_set(declared, images)}",
    )
    DataAwsSsmParametersByPath(
        stack,
        "channel",
        path=image.names.path,
        # decryption fails if one of them is a secure string whose key is deleted or not permitted
        with_decryption=False,
        provider=images.provider if images else None,
        lifecycle=stopping_at(is_set),
    )
    # Terraform marks values of parameters as sensitive, which AMI IDs are not
    values = f"zipmap(nonsensitive({_CHANNEL}.names), nonsensitive({_CHANNEL}.values))"
    TerraformLocal(stack, "ami_id", f'${{lookup({values}, "{parameter}", "")}}')


def _look_up_id(stack: TerraformStack, declared: EstateFleet, subject: Subject) -> None:
    """The list of the one AMI with this ID, or an empty one."""
    exists = Guard(
        "exists",
        'local.ami_id == "" || length(self.ids) == 1',
        f"{subject} points to ${{local.ami_id}}, which does not exist in this account and {declared.fleet.region}: "
        "it was deregistered or disabled, or belongs to another account. "
        + _remedy(declared.image, "move the channel to a build that exists"),
    )
    DataAwsAmiIds(
        stack,
        "found",
        owners=["self"],
        include_deprecated=True,
        filter=[DataAwsAmiIdsFilter(name="image-id", values=[_ONLY_AN_ID])],
        lifecycle=stopping_at(exists),
    )


def _look_up_build(
    stack: TerraformStack,
    declared: EstateFleet,
    subject: Subject,
    images: ImageAccount,
    *,
    lifecycle: TerraformResourceLifecycle | None,
) -> None:
    """The AMI in the image's account, with its tags, which other accounts do not see."""
    exists = Guard(
        "exists",
        'local.ami_id == "" || length(self.ids) == 1',
        f"{subject} points to ${{local.ami_id}}, which does not exist in account {images.id} and "
        f"{declared.fleet.region}: it was deregistered or disabled. "
        + _remedy(declared.image, "move the channel to a build that exists"),
    )
    DataAwsAmiIds(
        stack,
        "made",
        owners=["self"],
        include_deprecated=True,
        filter=[DataAwsAmiIdsFilter(name="image-id", values=[_ONLY_AN_ID])],
        provider=images.provider,
        lifecycle=stopping_at(exists),
    )
    build = DataAwsAmi(
        stack,
        "build",
        owners=["self"],
        include_deprecated=True,
        filter=[DataAwsAmiFilter(name="image-id", values=["${local.ami_id}"])],
        provider=images.provider,
        lifecycle=lifecycle,
    )
    build.add_override("count", f"${{length({_MADE}.ids)}}")


def _look_up_id_elsewhere(stack: TerraformStack, declared: EstateFleet, subject: Subject, images: ImageAccount) -> str:
    """The list of the one AMI in the fleet's account, or an empty one; gives the AMI's owner."""
    stack_of_image, account, region = declared.image.names.stack, declared.account, declared.fleet.region
    sharing = f"accounts whose fleets ran the image when {stack_of_image} was applied"
    steps = f"apply {stack_of_image}, build the image, and move the channel"
    if declared.image.is_external:
        sharing = f"accounts and organizations that launch_permission had when {stack_of_image} was applied"
        steps = f"the estate {declared.image.names.namespace} has to add the account, {steps}"
    if declared.runs_copy:
        owner, named = "self", DataAwsAmiIdsFilter(name="name", values=[f'${{try({_BUILD}[0].name, "none")}}'])
        message = (
            f'{subject} points to ${{local.ami_id}}, whose copy, ${{try({_BUILD}[0].name, "?")}}, does not exist in '
            f"account {account} and {region}. Image Builder copies a build before it is in a channel, and only into "
            f"accounts that were in target_accounts then: {steps}; or the copy was deregistered or disabled."
        )
    else:
        owner, named = images.id, DataAwsAmiIdsFilter(name="image-id", values=[_ONLY_AN_ID])
        message = (
            f"{subject} points to ${{local.ami_id}}, which account {images.id} does not share with account {account} "
            f"in {region}. A build is shared with the {sharing}: {steps}."
        )
    DataAwsAmiIds(
        stack,
        "found",
        owners=[owner],
        include_deprecated=True,
        filter=[named],
        lifecycle=stopping_at(Guard("usable", f"length({_MADE}.ids) == 0 || length(self.ids) == 1", message)),
    )
    return owner


def _how_to_set(declared: EstateFleet, images: ImageAccount | None) -> str:
    fleet, image = declared.fleet, declared.image
    where = ""
    if images:
        where = f'${{{READS_IMAGES} ? "" : " The variable read_images is false, which is only for a destroy."}}'
    if image.is_external:
        return _remedy(image, "build the image and move the channel first") + where
    if fleet.channel == names.LATEST:
        return f"Build the image first: goldsmith build {fleet.image}{'.' if where else ''}{where}"
    promote = f"goldsmith promote {fleet.image} {fleet.channel}{'.' if where else ''}{where}"
    channel = channels_of(image.image.channels)[fleet.channel]
    if channel.soak:
        return f"It takes the first build that was in {channel.from_} for {channel.soak}. To promote one: {promote}"
    return f"Promote a build first: {promote}"


def _how_to_leave(declared: EstateFleet) -> str:
    """How a channel gets away from a revoked build."""
    fleet, image = declared.fleet, declared.image
    if image.is_external:
        return _remedy(image, "move the channel to a good build")
    if fleet.channel == names.LATEST:
        return (
            f"{names.LATEST} moves to another good build by itself within the hour. If there is none: "
            f"goldsmith build {fleet.image}"
        )
    back = f"goldsmith rollback {fleet.image}@{fleet.channel}"
    if channels_of(image.image.channels)[fleet.channel].soak:
        return f"The channel moves back to a good build by itself within the hour. If it does not: {back}"
    return f"Move the channel to a good build: {back}"


def _remedy(image: NamedImage[FleetImage], what: str) -> str:
    """What to do with the image, and who has to do it if it is not this estate."""
    if image.is_external:
        return f"The estate {image.names.namespace} has to {what}."
    return f"{what[0].upper()}{what[1:]}."
