"""Whether what an image's parts say together has room where AWS takes it."""

import json
import re
from collections.abc import Iterator

from estate.checks.builds import TARGETS
from estate.checks.parts import Parts
from estate.limits import CONTAINER_RECIPE
from estate.models.container_image import DEFAULT_DOCKERFILE, ContainerImage
from estate.models.images import Image
from estate.problems import Key, Problem, shown

MOST_ALARM_ACTIONS = 5
"""Of one alarm (botocore's service model of CloudWatch, PutMetricAlarm)."""
ROOM_FOR_OBJECTS = 4000
"""Characters in the policy of the build's role for the objects in S3 that values name. IAM takes 10,240 of all inline
policies of a role and 6,144 of another, and one statement has to fit."""
ROOM_FOR_TARGETS = 4000
"""Likewise in the policy of the execution role, for what workflows call by name."""
_LONGEST_START = 60
"""Characters before the name in an ARN."""


def check_room(image: Image, parts: Parts) -> Iterator[Problem]:
    """What is too much for one policy, one alarm, or one recipe."""
    key: Key = ("images", image.name)
    if parts.settings and parts.sound(("settings",), "alarm_actions") and parts.sound(key, "notifications"):
        actions = len(parts.settings.alarm_actions)
        if image.notifications.emails and actions >= MOST_ALARM_ACTIONS:
            rule = f"an alarm has at most {MOST_ALARM_ACTIONS} actions, and each of settings.alarm_actions is one"
            yield Problem((*key, "notifications", "emails"), rule, str(actions), "delete one of those, or these")
    if parts.sound(key, "build", "test"):
        yield from _objects(image, parts)
        if isinstance(image, ContainerImage) and parts.sound(key, "dockerfile", "parent"):
            yield from _container_recipe(image, key, parts)
    if parts.sound(key, "workflows") and not image.workflows.execution_role:
        yield from _targets(image, key, parts)


def _objects(image: Image, parts: Parts) -> Iterator[Problem]:
    room, seen = ROOM_FOR_OBJECTS, set[str]()
    for place, use in image.placed_uses:
        for name, value in use.with_.items() if place not in parts.broken else ():
            if re.fullmatch(r"s3://[a-z0-9.-]+/.+", value) and value not in seen:
                seen.add(value)
                room -= len("arn:aws-us-gov:s3:::") + len(value) + 3 * sum(map(value.count, "*?$"))
                if room < 0:
                    rule = f"the build's role has no room for more objects: {ROOM_FOR_OBJECTS} characters for all"
                    yield Problem((*place, "with", name), rule, shown(value), "put several into one archive")
                    return


def _targets(image: Image, key: Key, parts: Parts) -> Iterator[Problem]:
    arns: set[str] = set()
    for stage, place, use in image.workflows.placed:
        document = parts.files.workflow_documents.get((use.use, stage)) if use.is_own else None
        for action, name in TARGETS if document else ():
            values = document.values_of(action, name, dict(use.with_)) if document else ()
            for value in filter(None, values):
                arn = value if value.startswith("arn:") else f"arn:{'x' * _LONGEST_START}:{value}"
                # a state machine and its executions
                arns |= {arn, f"{arn}:execution"} if action == "ExecuteStateMachine" else {arn}
        if (room := sum(map(len, arns))) > ROOM_FOR_TARGETS:
            rule = f"the execution role has room for {ROOM_FOR_TARGETS} characters of ARNs that workflows call"
            remedy = "write workflows.execution_role: arn:aws:iam::…:role/…"
            yield Problem((*key, "workflows", *place), rule, str(room), remedy)
            return


def _container_recipe(image: ContainerImage, key: Key, parts: Parts) -> Iterator[Problem]:
    path = image.own_dockerfile
    template = parts.files.dockerfiles.get(path) if path else image.dockerfile or DEFAULT_DOCKERFILE
    if template is None:
        return  # that it cannot be read is said elsewhere
    values = [[use.use, sorted(use.with_.items())] for use in image.uses]
    said = json.dumps([image.description, image.parent, image.working_directory, values], ensure_ascii=False)
    size = CONTAINER_RECIPE.size_of(template) + CONTAINER_RECIPE.size_of(said)
    if size > CONTAINER_RECIPE.most:
        place = (*key, "dockerfile") if image.dockerfile else key
        yield Problem(place, f"a container recipe {CONTAINER_RECIPE.rule}", str(size), CONTAINER_RECIPE.remedy)
