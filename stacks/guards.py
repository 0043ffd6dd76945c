"""What every AMI that a fleet launches must be, as conditions of Terraform with messages.

A guard is a postcondition, which stops a plan, or a check, which warns. A destroy and a refresh evaluate them, too.
They continue when a condition is false, but an expression that fails stops them. So each condition and each message
must have a value whatever is missing.
"""

import json
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle, TerraformStack

from estate import names
from estate.estate import EstateFleet, NamedImage
from estate.models.images import FleetImage
from stacks.terraform import add_check, stopping

AMI_HERE = "the_ami"
"""Stands for the AMI in guards that can be a postcondition or a check. No name has an underscore."""
_REVOKED = f'{AMI_HERE}.tags["{names.REVOKED_TAG}"]'
"""The hand-off function's copy of the tag of the build: a time, a space, a reason."""
_REVOKED_SINCE = f'split(" ", {_REVOKED})[0]'
_REVOKED_WHY = f'coalesce(trimspace(trimprefix({_REVOKED}, {_REVOKED_SINCE})), "no reason was given")'
_REVOKED_TIME = f'timeadd({_REVOKED_SINCE}, "0s")'
"""An expression that fails for text that is no time in RFC 3339."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What names the AMI, and what to do when a guard refuses it, as sentences."""

    text: str
    """`Fleet web-prod: channel stable of image acme/web`."""
    another_build: str
    another_architecture: str
    not_revoked: str
    newer_build: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Guard:
    """A condition, as a Terraform expression, and the message when it is false. `id` is the name of a check."""

    id: str
    condition: str
    message: str


def identity_guards(subject: Subject, declared: NamedImage[FleetImage]) -> tuple[Guard, ...]:
    """Whether the AMI is a build of the image, for its architecture."""
    prefix, architecture = declared.names.ami_prefix, declared.image.ami_architecture
    tag = f'tags["{names.BUILD_TAG}"]'
    is_build = f'can(regex("^{declared.names.build_pattern}", the_ami.{tag}))'
    named = f'startswith(the_ami.name, "{prefix}")'
    accepted = f"contains({json.dumps(declared.image.accept)}, the_ami.id) || " if declared.image.accept else ""
    return (
        Guard(
            "name",
            f"{accepted}{named}",
            f"{subject} points to {of_ami('id')}, which is not a build of this image: its name, {of_ami('name')}, "
            f"does not start with '{prefix}'. {subject.another_build}",
        ),
        Guard(
            "maker",
            # anybody can give an AMI such a name; the guard before refuses other names
            f"{accepted}({named} ? {is_build} : true)" if accepted else f"{named} ? {is_build} : true",
            f"{subject} points to {of_ami('id')}, which is not a build of this image, though its name starts like "
            f"one: its tag {names.BUILD_TAG}, which Image Builder sets to the build's ARN, is "
            f"{of_ami(tag, 'missing')}. {subject.another_build}",
        ),
        Guard(
            "architecture",
            f'the_ami.architecture == "{architecture}"',
            f"{subject} points to {of_ami('id')}, which is built for {of_ami('architecture')}, not "
            f"{architecture}. {subject.another_architecture}",
        ),
    )


def revoked(subject: Subject) -> Guard:
    """Whether nothing may run the AMI: its build has been revoked, or its tag has no time that can be read."""
    readable = f'format("has been revoked since %s: %s", {_REVOKED_SINCE}, {_REVOKED_WHY})'
    unreadable = (
        f'format("is revoked by its tag {names.REVOKED_TAG}, which has no time that can be read: %s", {_REVOKED})'
    )
    return Guard(
        "revoked",
        f"!can({_REVOKED}) ? true : try(timecmp({_REVOKED_SINCE}, plantimestamp()) > 0, false)",
        f"{subject} points to {of_ami('id')}, which "
        f'${{try(can({_REVOKED_TIME}) ? {readable} : {unreadable}, "is revoked")}}. {subject.not_revoked}',
    )


def revoked_later(subject: Subject) -> Guard:
    """Whether its build will be revoked."""
    return Guard(
        "revoked_later",
        f"try(timecmp({_REVOKED_SINCE}, plantimestamp()) <= 0, true)",
        f"{subject} points to {of_ami('id')}, which will be revoked at "
        f'${{try(format("%s: %s", {_REVOKED_SINCE}, {_REVOKED_WHY}), "?")}}. Plans stop from then on. '
        "Let the fleet run another build before.",
    )


def age_guards(subject: Subject, declared: EstateFleet) -> tuple[Guard, ...]:
    """Whether the AMI is too old or deprecated. An AMI without a date is neither."""
    fleet = declared.fleet
    limit = f"{fleet.max_age.count('hour')}h"
    return (
        Guard(
            "age",
            f'try(timecmp(timeadd(the_ami.creation_date, "{limit}"), plantimestamp()) > 0, true)',
            f"{subject} points to {of_ami('id')}, which was built on {of_ami('creation_date')}: more than "
            f"{fleet.max_age} ago. {subject.newer_build}",
        ),
        Guard(
            "deprecation",
            "try(timecmp(the_ami.deprecation_time, plantimestamp()) > 0, true)",
            f"{subject} points to {of_ami('id')}, which has been deprecated since {of_ami('deprecation_time')}.",
        ),
    )


def of_ami(attribute: str, otherwise: str = "?") -> str:
    """An attribute of the AMI in a message, which is evaluated even when there is no AMI."""
    return f'${{try({AMI_HERE}.{attribute}, "{otherwise}")}}'


def stopping_at(*guards: Guard) -> TerraformResourceLifecycle:
    """Postconditions of the data source that reads the AMI."""
    return stopping(
        *((guard.condition.replace(AMI_HERE, "self"), guard.message.replace(AMI_HERE, "self")) for guard in guards)
    )


def warn(stack: TerraformStack, guard: Guard, *, ami: str) -> None:
    """A check outside the data source, so with the AMI's full name.

    It does not warn when there is no AMI, because a postcondition stops the plan then.
    """
    ami = f"one({ami})"
    condition = f"{ami} == null ? true : ({guard.condition})"
    add_check(stack, guard.id, (condition.replace(AMI_HERE, ami), guard.message.replace(AMI_HERE, ami)))
