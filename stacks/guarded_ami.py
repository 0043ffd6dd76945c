"""The AMI that a fleet runs: its channel's value, checked at each plan.

Three lookups, of which none fails when it finds nothing: the image's parameters by path, the AMI's ID in a list, and
then the AMI itself. What is missing, wrong or revoked stops the plan in a postcondition. What is only old, or will be
revoked later, is a warning of a `check`, so that it prevents neither scaling nor destroying.

A fleet of another account than the image's looks up channel and AMI in the image's account, where the AMI has its tags,
and then the AMI in its own: the shared one by ID, or its copy by name.

A destroy and a refresh evaluate all of this, too. They continue when a condition is false, but an expression that fails
stops them. So each condition and each message must have a value whatever is missing.
"""

import json
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
from stacks.terraform import add_check, stopping

_CHANNEL = "data.aws_ssm_parameters_by_path.channel"
_FOUND = "data.aws_ami_ids.found"
_AMI = "data.aws_ami.ami"
_MADE = "data.aws_ami_ids.made"
_BUILD = "data.aws_ami.build"
"""The same in the image's account, if that is another one."""
_ONLY_AN_ID = '${can(regex("^ami-[0-9a-z]+$", local.ami_id)) ? local.ami_id : "none"}'
"""The value of a filter: only an ID, because "*" is every AMI."""
_AMI_HERE = "the_ami"
"""Stands for the AMI in guards that can be a postcondition or a check. No name has an underscore."""
_REVOKED = f'{_AMI_HERE}.tags["{names.REVOKED_TAG}"]'
"""The hand-off function's copy of the tag of the build: a time, a space, a reason."""
_REVOKED_SINCE = f'split(" ", {_REVOKED})[0]'
_REVOKED_WHY = f'coalesce(trimspace(trimprefix({_REVOKED}, {_REVOKED_SINCE})), "no reason was given")'
_REVOKED_TIME = f'timeadd({_REVOKED_SINCE}, "0s")'
"""An expression that fails for text that is no time in RFC 3339."""


@dataclass(frozen=True)
class GuardedAmi:
    """Terraform expressions of an AMI that passed the guards."""

    id: str = f"${{one({_AMI}[*].id)}}"
    root_device_name: str = f"${{one({_AMI}[*].root_device_name)}}"
    found: str = f"length({_FOUND}.ids)"
    """1 if it was found, otherwise 0: a part of an expression."""


@dataclass(frozen=True)
class _Guard:
    """A condition, as a Terraform expression, and the message when it is false. `id` is the name of a check."""

    id: str
    condition: str
    message: str


def add_guarded_ami(stack: TerraformStack, declared: EstateFleet, *, images: ImageAccount | None) -> GuardedAmi:
    """The AMI of the fleet's channel in the fleet's region. `images` is the image's account if it is another one."""
    fleet = declared.fleet
    subject = f"Fleet {fleet.name}: channel {fleet.channel} of image {declared.image.names.label}"
    _look_up_channel(stack, declared, subject, images)
    refused = (*_identity_guards(subject, declared.image), _revoked(subject, declared))
    stops = _stopping(*refused) if fleet.guards == "stop" else None
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
    later = _revoked_later(subject, declared)
    for guard in (*refused, later) if fleet.guards == "warn" else (later,):
        _warn(stack, guard, ami=_BUILD if images else _AMI)
    for guard in _age_guards(subject, declared):
        _warn(stack, guard, ami=_AMI)
    return GuardedAmi()


def _look_up_channel(stack: TerraformStack, declared: EstateFleet, subject: str, images: ImageAccount | None) -> None:
    """`local.ami_id`: the channel's value, or "" while it has none."""
    fleet, image = declared.fleet, declared.image
    parameter = image.names.parameter(fleet.channel)
    is_set = _Guard(
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
        lifecycle=_stopping(is_set),
    )
    # Terraform marks values of parameters as sensitive, which AMI IDs are not
    values = f"zipmap(nonsensitive({_CHANNEL}.names), nonsensitive({_CHANNEL}.values))"
    TerraformLocal(stack, "ami_id", f'${{lookup({values}, "{parameter}", "")}}')


def _look_up_id(stack: TerraformStack, declared: EstateFleet, subject: str) -> None:
    """The list of the one AMI with this ID, or an empty one."""
    exists = _Guard(
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
        lifecycle=_stopping(exists),
    )


def _look_up_build(
    stack: TerraformStack,
    declared: EstateFleet,
    subject: str,
    images: ImageAccount,
    *,
    lifecycle: TerraformResourceLifecycle | None,
) -> None:
    """The AMI in the image's account, with its tags, which other accounts do not see."""
    exists = _Guard(
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
        lifecycle=_stopping(exists),
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


def _look_up_id_elsewhere(stack: TerraformStack, declared: EstateFleet, subject: str, images: ImageAccount) -> str:
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
        lifecycle=_stopping(_Guard("usable", f"length({_MADE}.ids) == 0 || length(self.ids) == 1", message)),
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


def _remedy(image: NamedImage[FleetImage], what: str) -> str:
    """What to do with the image, and who has to do it if it is not this estate."""
    if image.is_external:
        return f"The estate {image.names.namespace} has to {what}."
    return f"{what[0].upper()}{what[1:]}."


def _identity_guards(subject: str, declared: NamedImage[FleetImage]) -> tuple[_Guard, ...]:
    """Whether the AMI is a build of the image, for its architecture."""
    prefix, architecture = declared.names.ami_prefix, declared.image.ami_architecture
    tag = f'tags["{names.BUILD_TAG}"]'
    is_build = f'can(regex("^{declared.names.build_pattern}", the_ami.{tag}))'
    named = f'startswith(the_ami.name, "{prefix}")'
    accepted = f"contains({json.dumps(declared.image.accept)}, the_ami.id) || " if declared.image.accept else ""
    return (
        _Guard(
            "name",
            f"{accepted}{named}",
            f"{subject} points to {_of_ami('id')}, which is not a build of this image: its name, {_of_ami('name')}, "
            f"does not start with '{prefix}'. {_remedy(declared, 'move the channel to a build of the image')}",
        ),
        _Guard(
            "maker",
            # anybody can give an AMI such a name; the guard before refuses other names
            f"{accepted}({named} ? {is_build} : true)" if accepted else f"{named} ? {is_build} : true",
            f"{subject} points to {_of_ami('id')}, which is not a build of this image, though its name starts like "
            f"one: its tag {names.BUILD_TAG}, which Image Builder sets to the build's ARN, is "
            f"{_of_ami(tag, 'missing')}. {_remedy(declared, 'move the channel to a build of the image')}",
        ),
        _Guard(
            "architecture",
            f'the_ami.architecture == "{architecture}"',
            f"{subject} points to {_of_ami('id')}, which is built for {_of_ami('architecture')}, not "
            f"{architecture}. {_remedy(declared, 'move the channel to a build of the right architecture')}",
        ),
    )


def _revoked(subject: str, declared: EstateFleet) -> _Guard:
    """Whether nothing may run the AMI: its build has been revoked, or its tag has no time that can be read."""
    readable = f'format("has been revoked since %s: %s", {_REVOKED_SINCE}, {_REVOKED_WHY})'
    unreadable = (
        f'format("is revoked by its tag {names.REVOKED_TAG}, which has no time that can be read: %s", {_REVOKED})'
    )
    return _Guard(
        "revoked",
        f"!can({_REVOKED}) ? true : try(timecmp({_REVOKED_SINCE}, plantimestamp()) > 0, false)",
        f"{subject} points to {_of_ami('id')}, which "
        f'${{try(can({_REVOKED_TIME}) ? {readable} : {unreadable}, "is revoked")}}. {_how_to_leave(declared)}',
    )


def _revoked_later(subject: str, declared: EstateFleet) -> _Guard:
    """Whether its build will be revoked."""
    return _Guard(
        "revoked_later",
        f"try(timecmp({_REVOKED_SINCE}, plantimestamp()) <= 0, true)",
        f"{subject} points to {_of_ami('id')}, which will be revoked at "
        f'${{try(format("%s: %s", {_REVOKED_SINCE}, {_REVOKED_WHY}), "?")}}. Plans stop from then on. '
        "Let the fleet run another build before.",
    )


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


def _age_guards(subject: str, declared: EstateFleet) -> tuple[_Guard, ...]:
    """Whether the AMI is too old or deprecated. An AMI without a date is neither."""
    fleet = declared.fleet
    limit = f"{fleet.max_age.count('hour')}h"
    return (
        _Guard(
            "age",
            f'try(timecmp(timeadd(the_ami.creation_date, "{limit}"), plantimestamp()) > 0, true)',
            f"{subject} points to {_of_ami('id')}, which was built on {_of_ami('creation_date')}: more than "
            f"{fleet.max_age} ago. {_remedy(declared.image, 'build the image again')}",
        ),
        _Guard(
            "deprecation",
            "try(timecmp(the_ami.deprecation_time, plantimestamp()) > 0, true)",
            f"{subject} points to {_of_ami('id')}, which has been deprecated since {_of_ami('deprecation_time')}.",
        ),
    )


def _of_ami(attribute: str, otherwise: str = "?") -> str:
    """An attribute of the AMI in a message, which is evaluated even when there is no AMI."""
    return f'${{try({_AMI_HERE}.{attribute}, "{otherwise}")}}'


def _stopping(*guards: _Guard) -> TerraformResourceLifecycle:
    return stopping(
        *((guard.condition.replace(_AMI_HERE, "self"), guard.message.replace(_AMI_HERE, "self")) for guard in guards)
    )


def _warn(stack: TerraformStack, guard: _Guard, *, ami: str) -> None:
    """A check outside the data source, so with the AMI's full name.

    It does not warn when there is no AMI, because a postcondition stops the plan then.
    """
    ami = f"one({ami})"
    condition = f"{ami} == null ? true : ({guard.condition})"
    add_check(stack, guard.id, (condition.replace(_AMI_HERE, ami), guard.message.replace(_AMI_HERE, ami)))
