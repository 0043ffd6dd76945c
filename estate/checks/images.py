"""Rules of every image that belong to no larger subject: tests, schedules, scans, notifications."""

import re
from collections.abc import Iterator

from estate.cdktf_tokens import tokens_in_model
from estate.checks.context import Context
from estate.models.ami_image import AmiImage
from estate.models.external_image import ExternalImage
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.models.settings import Settings
from estate.problems import Problem, shown

MOST_ALARM_ACTIONS = 5
"""Of one alarm (botocore's service model of CloudWatch, PutMetricAlarm)."""


def tokens(model: Settings | Image | ExternalImage | Fleet, context: Context) -> Iterator[Problem]:
    """No text and no number looks like one of cdktf's own references, because cdktf would replace it."""
    yield from tokens_in_model(model, ())


def tests(image: Image, context: Context) -> Iterator[Problem]:
    """Image tests are enabled if the image has components under `test`."""
    if image.test and not image.image_tests.image_tests_enabled:
        yield Problem(("test",), "would not run: image_tests_enabled is false", remedy="delete one of them")


def schedule(image: Image, context: Context) -> Iterator[Problem]:
    """A schedule with `when: dependency-updates` needs a parent or a component that can get a new version.

    They are noticed for wildcard versions and `ssm:` parents.
    """
    # the parent of a system whose parent is not written is its newest
    if image.parent is None or image.schedule is None or image.schedule.when != "dependency-updates":
        return
    parent = image.parent_reference(namespace="")  # of anybody's: only its form matters
    dependencies = [parent or "", *(use.use for use in image.uses if use.is_managed)]
    if not any(text.startswith("ssm:") or re.search(r"/[0-9.]*x[0-9.x]*$", text) for text in dependencies):
        rule = "with a fixed parent image no dependency can be updated"
        yield Problem(
            ("schedule",),
            f"{rule}, so when: dependency-updates would never start a build",
            shown(parent),
            "write when: always, or another parent",
        )


def alarm_actions(image: Image, context: Context) -> Iterator[Problem]:
    """An alarm has at most five actions, and the e-mail addresses of an image count as one."""
    actions = len(context.settings.alarm_actions)
    if image.notifications.emails and actions >= MOST_ALARM_ACTIONS:
        rule = f"an alarm has at most {MOST_ALARM_ACTIONS} actions, and each of settings.alarm_actions is one"
        yield Problem(("notifications", "emails"), rule, str(actions), "delete an alarm action, or emails")


def scans(image: Image, context: Context) -> Iterator[Problem]:
    """Image tests are enabled if the image is scanned, because Inspector scans the instance that runs the tests."""
    if image.image_scanning.image_scanning_enabled and not image.image_tests.image_tests_enabled:
        rule = "Inspector scans the instance that tests the image, and tests are disabled"
        remedy = "delete it, or image_tests_enabled: false"
        yield Problem(("image_scanning", "image_scanning_enabled"), rule, remedy=remedy)


def gate(image: Image, context: Context) -> Iterator[Problem]:
    """If an image has a gate, its builds are scanned: without findings, no build could ever pass."""
    if image.gate and not image.image_scanning.image_scanning_enabled:
        rule, remedy = (
            "builds are not scanned, so none could pass",
            "write image_scanning: {image_scanning_enabled: true}",
        )
        yield Problem(("gate",), rule, remedy=remedy)


def scans_of_macos(image: AmiImage, context: Context) -> Iterator[Problem]:
    """macOS is not scanned, because Image Builder collects no findings for it."""
    scanned = image.image_scanning.image_scanning_enabled and image.image_tests.image_tests_enabled
    if scanned and image.platform == "macOS":
        key = ("image_scanning", "image_scanning_enabled")
        yield Problem(key, "Image Builder collects no findings for macOS", remedy="delete it")


def repository_for_scans(image: AmiImage, context: Context) -> Iterator[Problem]:
    """`ecr_configuration` is only for container images."""
    if image.image_scanning.ecr_configuration:
        key = ("image_scanning", "ecr_configuration")
        yield Problem(key, "is only for container images, and this image is an AMI", remedy="delete it")
