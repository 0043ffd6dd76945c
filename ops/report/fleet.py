"""The fleets in a plan: a launch template and an Auto Scaling group of one module, and the AMI that the template gets.

A stack of Goldsmith is recognised by what it makes, so this works without its configuration, and also where its stacks
are modules of somebody's own configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from estate.names import BUILD_TAG, FleetNames
from lambda_src.handoff.builds import REVOKED_TAG, time_in
from lambda_src.rollout.group import Group, Instance
from ops.report.plan import Kind, Plan, Resource
from ops.rollout_progress import seconds_needed

_TEMPLATE, _GROUP, _FUNCTION = "aws_launch_template", "aws_autoscaling_group", "aws_lambda_function"
_IMAGE_TAG = "goldsmith:image"
_CHANNEL_TAG = "goldsmith:channel"
_NO_NEW_VERSION = {
    "default_version",
    "description",
    "name",
    "name_prefix",
    "tags",
    "tags_all",
    "update_default_version",
}
"""Attributes of a template that are not in its versions, or change nothing of an instance."""


@dataclass(frozen=True, kw_only=True)
class Ami:
    """An AMI as a data source of the plan has read it."""

    id: str
    name: str = ""
    created: datetime | None = None
    build: str = ""
    """The ARN of its build; empty where its tags are not visible."""
    revoked: str = ""
    """The value of its tag `goldsmith:revoked`."""


@dataclass(frozen=True, kw_only=True)
class PlannedFleet:
    """A fleet, and what a plan does to it."""

    stack: str
    address: str
    """What is before the addresses of its resources: empty, or `module.web.`."""
    name: str
    image: str
    """`acme/web`: the namespace and the image."""
    channel: str
    region: str
    account: str
    group: str
    template: Kind
    """What happens to the launch template."""
    scaling: Kind
    """What happens to the group."""
    function: Kind | None = None
    """What happens to the function that rolls out by itself, with `updates: automatic`; None if there is none."""
    old_ami: str
    """Empty where there is none, or it is not known."""
    new_ami: str
    """With `updates: automatic`, that of the build which its function takes."""
    changed: tuple[str, ...]
    """The attributes of the template, but for the AMI, that new instances get."""
    is_relaunched: bool
    """Whether the apply gives the group an existing version of the template, and so refreshes its instances."""
    instances: int | None
    is_by_goldsmith: bool
    """Whether a command rolls out, and not the apply."""
    preferences: Mapping[str, Any] | None = field(repr=False)
    """Of the refresh that the apply starts, in AWS's words."""
    warmup_seconds: int | None
    lost_volumes: tuple[str, ...]
    """Devices that the template has no longer."""
    deleted_volumes: tuple[str, ...]
    """Devices besides the first that are deleted with their instance."""

    @property
    def key(self) -> str:
        """Names it among all fleets of all plans: a plan can have several, in modules."""
        return f"{self.stack} {self.address}".rstrip()

    @property
    def own_key(self) -> str:
        """The address of the key of its topic, queue and log, which holds no other data."""
        return f"{self.address}aws_kms_key.key"

    @property
    def is_automatic(self) -> bool:
        """Whether its function rolls out by itself after the apply."""
        return self.function is not None and self.function != Kind.DESTROY

    @property
    def becomes_automatic(self) -> bool:
        """Whether plans gave it its builds before."""
        return self.function == Kind.CREATE and not self.is_new

    @property
    def ends_automatic(self) -> bool:
        """Whether plans or pins give it its builds from now on."""
        return self.function == Kind.DESTROY and not self.is_destroyed

    @property
    def is_new(self) -> bool:
        """Whether the group is created."""
        return self.scaling == Kind.CREATE

    @property
    def is_destroyed(self) -> bool:
        """Whether the group is destroyed."""
        return self.scaling == Kind.DESTROY

    @property
    def moves(self) -> bool:
        """Whether it gets another AMI."""
        if self.is_automatic and not self.is_new:
            return self.replaces and self.new_ami != self.old_ami
        return self.template in (Kind.UPDATE, Kind.REPLACE, Kind.CREATE) and self.new_ami != self.old_ami

    @property
    def rolls(self) -> bool:
        """Whether its instances are replaced by a rollout. A group that is replaced itself ends all of them at once."""
        return self.replaces and self.scaling != Kind.REPLACE

    @property
    def replaces(self) -> bool:
        """Whether its instances are replaced."""
        if self.is_new or self.is_destroyed:
            return False
        if self.scaling == Kind.REPLACE or self.changed or self.is_relaunched:
            return True
        # its function takes a build that comes later whatever the plan is
        return self.old_ami != self.new_ami and (not self.is_automatic or self.becomes_automatic)

    def seconds(self, preferences: Mapping[str, Any] | None, *, instances: int | None) -> int | None:
        """About how long the rollout of so many instances takes; None where that cannot be said."""
        preferences = self.preferences if preferences is None else preferences
        if preferences is None or not instances:
            return None
        running = tuple(Instance(id=str(number), state="InService") for number in range(instances))
        group = Group(name=self.group, template="", version="", instances=running, warmup_seconds=self.warmup_seconds)
        return seconds_needed(preferences, group)


def fleets_of(plan: Plan, *, stack: str, region: str = "", account: str = "") -> tuple[PlannedFleet, ...]:
    """The fleets of a plan. `region` and `account` are where the stack is, if that is known otherwise."""
    return tuple(_fleets(plan, stack, region, account))


def amis_of(plan: Plan) -> dict[str, Ami]:
    """The AMIs that data sources of a plan have read, by ID."""
    found: dict[str, Ami] = {}
    for each in plan.data:
        values = each.get("values") or {}
        if each.get("type") != "aws_ami" or not values.get("id"):
            continue
        tags = values.get("tags") or {}
        ami = Ami(
            id=str(values["id"]),
            name=str(values.get("name") or ""),
            created=time_in(values.get("creation_date")),
            build=str(tags.get(BUILD_TAG) or ""),
            revoked=str(tags.get(REVOKED_TAG) or ""),
        )
        # the account of the image sees the tags, and that of the fleet may not
        if ami.id not in found or (ami.build and not found[ami.id].build):
            found[ami.id] = ami
    return found


def _fleets(plan: Plan, stack: str, region: str, account: str) -> Iterator[PlannedFleet]:
    groups = {_module(each): each for each in plan.resources if each.type == _GROUP}
    functions = {_function_name(each): each for each in plan.resources if each.type == _FUNCTION}
    pointed = {str(each.get("address")): str((each.get("values") or {}).get("id") or "") for each in plan.data}
    for template in plan.resources:
        module = _module(template)
        group = groups.get(module)
        if template.type == _TEMPLATE and group and (tags := _tags(template)).get(_IMAGE_TAG):
            fleet = _fleet(stack, module, template, group, tags, region=region, account=account)
            namespace, _, name = fleet.group.partition("_")
            function = functions.get((module, FleetNames(namespace, name).function))
            yield _automatic(fleet, function, pointed.get(f"{module}data.aws_ami.ami[0]", "")) if function else fleet


def _function_name(function: Resource) -> tuple[str, str]:
    """Its module, and its name in AWS."""
    return _module(function), str((function.after or function.before).get("function_name") or "")


def _automatic(fleet: PlannedFleet, function: Resource, pointed: str) -> PlannedFleet:
    """A fleet with a function. `pointed` is the AMI that its channel points to."""
    found = replace(fleet, function=function.kind)
    return replace(found, new_ami=pointed or fleet.new_ami) if found.is_automatic else found


def _fleet(
    stack: str,
    module: str,
    template: Resource,
    group: Resource,
    tags: Mapping[str, str],
    *,
    region: str,
    account: str,
) -> PlannedFleet:
    now = {**group.before, **{name: value for name, value in group.after.items() if value is not None}}
    name, image = str(now.get("name") or ""), tags[_IMAGE_TAG]
    arn = str(group.before.get("arn") or template.before.get("arn") or "").split(":")
    refresh = _first(now.get("instance_refresh"))
    return PlannedFleet(
        stack=stack,
        address=module,
        name=name.partition("_")[2] or stack.removeprefix("fleet-"),  # neither namespace nor fleet has this character
        image=image,
        channel=tags.get(_CHANNEL_TAG, ""),
        region=region or (arn[3] if len(arn) > 4 else ""),
        account=account or (arn[4] if len(arn) > 4 else ""),
        group=name,
        template=template.kind,
        scaling=group.kind,
        old_ami=str(template.before.get("image_id") or ""),
        new_ami=str(template.after.get("image_id") or ""),
        changed=tuple(_changed(template)),
        is_relaunched=_is_relaunched(group),
        instances=_instances(group),
        is_by_goldsmith=not refresh,
        preferences=_preferences(_first(refresh.get("preferences"))) if refresh else None,
        # a group without a default has that of its health check (`lambda_src.rollout.group`)
        warmup_seconds=_whole(now.get("default_instance_warmup")) or _whole(now.get("health_check_grace_period")),
        lost_volumes=tuple(sorted(_devices(template.before) - _devices(template.after))) if template.after else (),
        deleted_volumes=tuple(sorted(_deleted(template.before))),
    )


def _module(resource: Resource) -> str:
    """`module.web.` of `module.web.aws_launch_template.launch_template`."""
    return resource.address.rpartition(f"{resource.type}.")[0]


def _tags(template: Resource) -> dict[str, str]:
    """What instances of it are tagged with, and itself."""
    values = template.after or template.before
    tags = dict(values.get("tags_all") or {})
    for specification in values.get("tag_specifications") or ():
        tags |= specification.get("tags") or {}
    return {str(key): str(value) for key, value in tags.items()}


def _changed(template: Resource) -> Iterator[str]:
    if template.kind != Kind.UPDATE or template.unknown.get("latest_version") is not True:
        return
    for name in sorted({*template.before, *template.after} - {"image_id", *_NO_NEW_VERSION}):
        if name not in template.after and name in template.unknown:
            continue  # computed
        if _texts(template.before.get(name)) != _texts(template.after.get(name)):
            yield name


def _texts(value: Any) -> Any:
    """A value without what is left out, in the ways that the provider writes that."""
    if isinstance(value, Mapping):
        return {name: texts for name, inner in value.items() if (texts := _texts(inner))}
    if isinstance(value, list):
        return [_texts(inner) for inner in value]
    return value or None


def _is_relaunched(group: Resource) -> bool:
    old, new = (_first(values.get("launch_template")).get("version") for values in (group.before, group.after))
    return bool(group.after.get("instance_refresh") and old and new and old != new)


def _instances(group: Resource) -> int | None:
    """How many there are, or are wanted if the group is new."""
    for values in (group.before, group.after):
        for name in ("desired_capacity", "min_size"):
            if isinstance(found := values.get(name), int):
                return found
    return None


def _devices(values: Mapping[str, Any]) -> set[str]:
    mappings = values.get("block_device_mappings") or ()
    return {str(name) for each in mappings if (name := each.get("device_name"))}


def _deleted(values: Mapping[str, Any]) -> Iterator[str]:
    """The first mapping is that of the root volume (`stacks.fleet.volumes`), which holds no data."""
    for mapping in (values.get("block_device_mappings") or ())[1:]:
        if str(_first(mapping.get("ebs")).get("delete_on_termination")) == "true" and mapping.get("device_name"):
            yield str(mapping["device_name"])


_WORDS = {
    "min_healthy_percentage": "MinHealthyPercentage",
    "max_healthy_percentage": "MaxHealthyPercentage",
    "instance_warmup": "InstanceWarmup",
    "checkpoint_percentages": "CheckpointPercentages",
    "checkpoint_delay": "CheckpointDelay",
}


def _preferences(written: Mapping[str, Any]) -> dict[str, Any]:
    """In AWS's words."""
    found: dict[str, Any] = {}
    for name, word in _WORDS.items():
        value = written.get(name)
        several = [_whole(each) for each in value] if isinstance(value, list) else []
        number = several if several and None not in several else _whole(value)
        if number is not None:
            found[word] = number
    return found


def _whole(value: Any) -> int | None:
    """A number that may be written as text, as the provider does with some; None for nothing."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    return value if isinstance(value, int) and value >= 0 else None


def _first(value: Any) -> Mapping[str, Any]:
    """The only entry of a block."""
    return value[0] if isinstance(value, list) and value and isinstance(value[0], Mapping) else {}
