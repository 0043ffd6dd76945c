"""What the rules of rollouts know about a fleet, and what its function knows."""

from typing import Any

from estate.estate import EstateFleet
from estate.models.fleet import Fleet
from estate.names import LATEST
from lambda_src.rollout.configuration import After, AmiRules, Configuration, FleetRules, Pinned


def function_of(declared: EstateFleet) -> Configuration:
    """The configuration of the function of a fleet with `updates: automatic`."""
    return Configuration(
        label=declared.names.label,
        rules=rollout_of(declared),
        before=tuple(_as_others_need(rollout_of(declared.estate.fleet(name))) for name in declared.before),
        reader_role=declared.image.reader_role if declared.is_elsewhere else "",
        topics=declared.fleet.notifications.topic_arns,
        notices=declared.names.notices,
    )


def _as_others_need(rules: FleetRules) -> FleetRules:
    """What proves that a fleet has run a build: a change of its windows, tags or preferences changes no other
    function."""
    return FleetRules(
        fleet=rules.fleet,
        stack=rules.stack,
        image=rules.image,
        channel=rules.channel,
        channels=rules.channels,
        region=rules.region,
        home=rules.home,
        ami=rules.ami,
        is_elsewhere=rules.is_elsewhere,
        runs_copy=rules.runs_copy,
        group=rules.group,
        record=rules.record,
    )


def rollout_of(declared: EstateFleet) -> FleetRules:
    """A fleet's rules."""
    fleet, image, rollout = declared.fleet, declared.image, declared.fleet.rollout
    return FleetRules(
        fleet=fleet.name,
        stack=declared.names.stack,
        image=fleet.image,
        channel=fleet.channel or LATEST,
        channels=image.names.path,
        region=fleet.region,
        home=image.image.home,
        ami=AmiRules(
            prefix=image.names.ami_prefix,
            build_pattern=image.names.build_pattern,
            architecture=image.image.ami_architecture,
            accept=tuple(image.image.accept),
        ),
        is_elsewhere=declared.is_elsewhere,
        runs_copy=declared.runs_copy,
        group=declared.names.group,
        record=declared.names.record,
        by=rollout.by,
        is_automatic=fleet.is_automatic,
        preferences=_preferences(fleet),
        wave=rollout.wave,
        hold_on_failure=rollout.hold_on_failure,
        pinned=_pinned(declared),
        after=_after(declared),
        windows=fleet.window or (),
        freezes=tuple(freeze.days for freeze in declared.settings.freeze),
        warns_only=fleet.guards == "warn",
        tags=declared.tags,
    )


def _pinned(declared: EstateFleet) -> Pinned | None:
    pin = declared.pin
    if pin:
        return Pinned(ami=pin.ami, build=pin.build)
    return Pinned(lack=declared.lack_of_pin) if declared.fleet.is_pinned else None


def _preferences(fleet: Fleet) -> dict[str, Any]:
    """Of instance refreshes, in AWS's words."""
    rollout = fleet.rollout
    delay = rollout.checkpoint_delay
    preferences = {
        "MinHealthyPercentage": rollout.min_healthy_percentage,
        "MaxHealthyPercentage": rollout.max_healthy_percentage,
        "InstanceWarmup": rollout.warmup.seconds if rollout.warmup is not None else None,
        "SkipMatching": rollout.skip_matching,
        "CheckpointPercentages": [*rollout.checkpoints] or None,
        "CheckpointDelay": delay.seconds if delay is not None else None,
        "ScaleInProtectedInstances": rollout.protected_instances and rollout.protected_instances.capitalize(),
        "StandbyInstances": rollout.standby_instances and rollout.standby_instances.capitalize(),
        "AlarmSpecification": {"Alarms": [*rollout.alarms]} if rollout.alarms else None,
        "BakeTime": rollout.bake.seconds if rollout.bake is not None else None,
    }
    return {name: value for name, value in preferences.items() if value is not None}


def _after(declared: EstateFleet) -> After | None:
    after = declared.fleet.after
    if after is None:
        return None
    return After(fleets=declared.before, soak_minutes=after.soak.count("minute"), soak=str(after.soak))
