"""Channel -> guards -> AMI: what a fleet may run is decided at each plan, in words that a reviewer understands.

Three lookups, none of which fails when it finds nothing: the image's parameters by path, the AMI's ID by list, then
the AMI itself. What is missing or wrong stops the plan by a postcondition. What is only old warns by a `check`, so that
an old image prevents neither scaling nor destroying.

A destroy and a refresh evaluate all of this, too, and go on when a condition does not hold; an expression that cannot
be evaluated stops them. So each condition and each message is one that can be, whatever is missing.
"""

from dataclasses import dataclass

from cdktf import TerraformLocal, TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_ami import DataAwsAmi, DataAwsAmiFilter
from cdktf_cdktf_provider_aws.data_aws_ami_ids import DataAwsAmiIds, DataAwsAmiIdsFilter
from cdktf_cdktf_provider_aws.data_aws_ssm_parameters_by_path import DataAwsSsmParametersByPath

from estate import names
from estate.estate import EstateFleet, EstateImage
from estate.models.ami_image import AmiImage
from estate.models.fleet import Fleet
from stacks.terraform import stopping

_CHANNEL = "data.aws_ssm_parameters_by_path.channel"
_FOUND = "data.aws_ami_ids.found"
_AMI = "data.aws_ami.ami"
_MAKER_TAG = "Ec2ImageBuilderArn"
"""Image Builder's tag of the AMIs that it distributes, in every region ("Tag Image Builder output resources" in its
user guide): the ARN of the build."""
_AMI_HERE = "the_ami"
"""Stands for the AMI in what may become a postcondition or a check; no name can have an underscore."""


@dataclass(frozen=True)
class GuardedAmi:
    """Terraform expressions of an AMI that passed the guards."""

    id: str = f"${{one({_AMI}[*].id)}}"
    root_device_name: str = f"${{one({_AMI}[*].root_device_name)}}"


@dataclass(frozen=True)
class _Guard:
    """What must hold, as a Terraform expression, and what the reviewer reads when it does not."""

    id: str
    condition: str
    message: str


def add_guarded_ami(stack: TerraformStack, declared: EstateFleet) -> GuardedAmi:
    """The AMI of the fleet's channel in the fleet's region."""
    fleet, image = declared.fleet, declared.image
    parameter = image.names.parameter(fleet.channel)
    subject = f"Fleet {fleet.name}: channel {fleet.channel} of image {image.names.label}"

    built = _Guard(
        "built",
        f'contains(nonsensitive(self.names), "{parameter}")',
        f"{subject} has no build in {fleet.region} yet. {_how_to_fill(fleet)}",
    )
    DataAwsSsmParametersByPath(
        stack,
        "channel",
        path=image.names.path,
        # a secure string among them, whose key is gone or not for us, would be an error
        with_decryption=False,
        lifecycle=_stopping(built),
    )
    # parameter values are marked as sensitive, which AMI IDs are not; "" while the channel has none
    values = f"zipmap(nonsensitive({_CHANNEL}.names), nonsensitive({_CHANNEL}.values))"
    TerraformLocal(stack, "ami_id", f'${{lookup({values}, "{parameter}", "")}}')
    there = _Guard(
        "there",
        'local.ami_id == "" || length(self.ids) == 1',
        f"{subject} points to ${{local.ami_id}}, which does not exist in this account and {fleet.region}: "
        "it was deregistered or disabled, or belongs to another account. Move the channel to a build that is there.",
    )
    DataAwsAmiIds(
        stack,
        "found",
        owners=["self"],
        include_deprecated=True,
        # what is no ID is not asked for: in a filter, "*" is every AMI
        filter=[
            DataAwsAmiIdsFilter(
                name="image-id", values=['${can(regex("^ami-[0-9a-z]+$", local.ami_id)) ? local.ami_id : "none"}']
            )
        ],
        lifecycle=_stopping(there),
    )
    identity = _identity_guards(subject, image)
    found = DataAwsAmi(
        stack,
        "ami",
        owners=["self"],
        include_deprecated=True,
        filter=[DataAwsAmiFilter(name="image-id", values=["${local.ami_id}"])],
        lifecycle=_stopping(*identity) if fleet.guards == "stop" else None,
    )
    # this data source fails when it finds nothing, so it looks only for what the list has found
    found.add_override("count", f"${{length({_FOUND}.ids)}}")
    for guard in (*(identity if fleet.guards == "warn" else ()), *_age_guards(subject, fleet)):
        _warn(stack, guard)
    return GuardedAmi()


def _how_to_fill(fleet: Fleet) -> str:
    # which account it is does not always show before a plan
    where = " The fleet's provider must reach the account in which the image is made." if fleet.provider else ""
    if fleet.channel == names.LATEST:
        return f"Build the image first: python -m ops build {fleet.image}{'.' if where else ''}{where}"
    return f"Move the channel to a build first; {names.LATEST} is the only one that moves by itself.{where}"


def _identity_guards(subject: str, declared: EstateImage[AmiImage]) -> tuple[_Guard, ...]:
    prefix, build, architecture = (
        declared.names.ami_prefix,
        declared.names.build_pattern,
        declared.image.ami_architecture,
    )
    tag = f'tags["{_MAKER_TAG}"]'
    return (
        _Guard(
            "name",
            f'startswith(the_ami.name, "{prefix}")',
            f"{subject} points to {_of_ami('id')}, which is not a build of this image: its name, {_of_ami('name')}, "
            f"does not start with '{prefix}'. Move the channel to a build of the image.",
        ),
        _Guard(
            "maker",
            # anybody can name an AMI like that; one with another name is refused already
            f'startswith(the_ami.name, "{prefix}") ? can(regex("^{build}", the_ami.{tag})) : true',
            f"{subject} points to {_of_ami('id')}, which is named like a build of this image but is none: its tag "
            f"{_MAKER_TAG}, which Image Builder sets to the build's ARN, is {_of_ami(tag, 'missing')}. Move the "
            "channel to a build of the image.",
        ),
        _Guard(
            "architecture",
            f'the_ami.architecture == "{architecture}"',
            f"{subject} points to {_of_ami('id')}, which is built for {_of_ami('architecture')}, not "
            f"{architecture}. Move the channel to a build of the right architecture.",
        ),
    )


def _age_guards(subject: str, fleet: Fleet) -> tuple[_Guard, ...]:
    """An AMI that says nothing of its age passes."""
    limit = f"{fleet.max_age.count('hour')}h"
    return (
        _Guard(
            "age",
            f'try(timecmp(timeadd(the_ami.creation_date, "{limit}"), plantimestamp()) > 0, true)',
            f"{subject} points to {_of_ami('id')}, which was built on {_of_ami('creation_date')}: more than "
            f"{fleet.max_age} ago. Build the image anew.",
        ),
        _Guard(
            "deprecation",
            "try(timecmp(the_ami.deprecation_time, plantimestamp()) > 0, true)",
            f"{subject} points to {_of_ami('id')}, which is deprecated since {_of_ami('deprecation_time')}.",
        ),
    )


def _of_ami(attribute: str, otherwise: str = "?") -> str:
    """An attribute of the AMI in a message, which is evaluated also where there is no AMI."""
    return f'${{try({_AMI_HERE}.{attribute}, "{otherwise}")}}'


def _stopping(*guards: _Guard) -> TerraformResourceLifecycle:
    return stopping(
        *((guard.condition.replace(_AMI_HERE, "self"), guard.message.replace(_AMI_HERE, "self")) for guard in guards)
    )


def _warn(stack: TerraformStack, guard: _Guard) -> None:
    """A check block, which cdktf has no class for. It stands outside the data source, so the AMI has its full name.

    Where there is no AMI, there is nothing to warn of: that it is missing is said elsewhere.
    """
    ami = f"one({_AMI})"
    condition = f"{ami} == null ? true : ({guard.condition})"
    stack.add_override(
        f"check.{guard.id}",
        {
            "assert": [
                {
                    "condition": f"${{{condition}}}".replace(_AMI_HERE, ami),
                    "error_message": guard.message.replace(_AMI_HERE, ami),
                }
            ]
        },
    )
