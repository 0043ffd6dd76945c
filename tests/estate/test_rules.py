"""The table of rules: what it says that a rule reads is what the rule reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from estate.checks.context import Context
from estate.checks.rules import Rules, RulesAcross
from estate.checks.table import RULES
from estate.estate import Estate
from estate.files import NamedFiles
from estate.load import load
from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.models.external_image import ExternalImage
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.models.salvage import StandIn
from estate.models.settings import Settings
from estate.problems import Key, Words
from tests.support.any_configuration import FULL
from tests.support.broken_estates import problems_in, written
from tests.support.estates import ESTATES

MODELS: Mapping[str, tuple[type[BaseModel], ...]] = {
    "settings": (Settings,),
    "image": (AmiImage, ContainerImage, ExternalImage),
    "base": (AmiImage, ExternalImage),
    "fleet": (Fleet,),
}


class Readings:
    """The fields that are read of some models, by the model's key."""

    def __init__(self) -> None:
        self.fields: dict[Key, set[str]] = {}

    def watched(self, model: Any, key: Key) -> Any:
        """A copy of a model which notes here what is read of it."""
        kind, fields = type(model), self.fields

        def read(this: object, name: str) -> Any:
            if name in kind.model_fields and name != "name":
                fields.setdefault(key, set()).add(name)
            return object.__getattribute__(this, name)

        watching: Any = type(kind.__name__, (kind,), {"__getattribute__": read, "__module__": __name__})
        return watching.model_construct(**{name: getattr(model, name) for name in kind.model_fields})


@pytest.fixture(scope="module")
def estates(tmp_path_factory: pytest.TempPathFactory) -> list[Estate]:
    return [load(written(tmp_path_factory.mktemp("full"), FULL)), *map(load, ESTATES.values())]


def context_of(estate: Estate, readings: Readings) -> Context:
    images: dict[str, Image] = {
        name: readings.watched(image, ("images", name)) for name, image in estate.images.items()
    }
    external_images = {
        name: readings.watched(image, ("images", name)) for name, image in estate.external_images.items()
    }
    fleets = {name: readings.watched(fleet, ("fleets", name)) for name, fleet in estate.fleets.items()}
    files = NamedFiles(
        documents=estate.documents,
        dockerfiles=estate.dockerfiles,
        workflow_documents=estate.workflow_documents,
    )
    settings = readings.watched(estate.settings, ("settings",))
    names = Words([*images, *external_images])
    context = Context(settings, images, external_images, fleets, files, names, Words(fleets))
    for image in images.values():
        # gives what is not broken: no rule has to say that it reads it
        context.component_documents_of(image)
    return context


@pytest.mark.parametrize("group", RULES, ids=lambda group: group.title)
def test_each_rule_reads_only_what_the_table_says(
    group: Rules[*tuple[Any, ...]] | RulesAcross, estates: list[Estate]
) -> None:
    for estate in estates:
        readings = Readings()
        context = context_of(estate, readings)
        if isinstance(group, Rules):
            subjects = list(group.subjects(context))
            owners = [{**subject.owners, "settings": ("settings",)} for subject in subjects]
            arguments: list[tuple[Any, ...]] = [(*subject.values, context) for subject in subjects]
        else:
            keys: dict[Key, str] = {("settings",): "settings"}
            keys |= {("images", name): "image" for name in (*estate.images, *estate.external_images)}
            keys |= {("fleets", name): "fleet" for name in estate.fleets}
            arguments = [(context,)]
            owners = [{f"{owner} {index}": key for index, (key, owner) in enumerate(keys.items())}]
        for rule in group.rules:
            declared = {each.removesuffix("[]") for each in (*group.reads, *rule.reads)}
            for each, names in zip(arguments, owners, strict=True):
                readings.fields.clear()
                assert list(rule.check(*each)) == []
                read = {
                    f"{owner.partition(' ')[0]}.{field}"
                    for owner, key in names.items()
                    for field in readings.fields.get(key, ())
                }
                assert read <= declared, f"{rule.check.__module__}.{rule.check.__name__}"


def test_rules_read_fields_that_exist_and_each_begins_with_a_sentence() -> None:
    for group in RULES:
        for rule in group.rules:
            for key in (*group.reads, *rule.reads):
                owner, field = key.removesuffix("[]").split(".")
                assert field == "*" or any(field in model.model_fields for model in MODELS[owner]), key
            assert rule.check.__doc__ is not None
            assert rule.check.__doc__.partition("\n\n")[0].rstrip().endswith("."), rule.check


def test_a_rule_is_in_the_table_once() -> None:
    for group in RULES:
        checks = [rule.check for rule in group.rules]
        assert len(checks) == len(set(checks))


def test_every_required_field_has_a_stand_in() -> None:
    for models in MODELS.values():
        for model in models:
            required = {name for name, field in model.model_fields.items() if field.is_required()}
            stand_ins = {
                name
                for name, field in model.model_fields.items()
                if any(isinstance(each, StandIn) and each.value is not None for each in field.metadata)
            }
            # what has another kind is no container image
            assert required - {"kind"} == stand_ins, model


def test_a_broken_field_hides_only_the_rules_that_read_it(tmp_path: Path) -> None:
    estate = """\
settings: {namespace: acme}
images:
  web:
    os: amazon-linux-2023
    build: [update-os, 12, update-os]
    test: [boots]
    regions: [eu-west-1]
    image_tests: {image_tests_enabled: false}
    volumes: {/dev/sdf: {volume_size: x}}
    distribution: {us-east-1: {fast_launch: {}}}
  shop: {os: amazon-linux-2023, parent: web, build: [update-os], regions: [us-east-1], volumes: {/dev/sdf: {}}}
"""
    lines = [line.partition(" ")[2] for line in problems_in(written(tmp_path, estate)).splitlines()]
    assert lines == [
        "images.web.build.1: must be a component, got 12; write its name, or {use: …, with: {…}}",
        "images.web.build.2: an image can have a component only once, got 'update-os'; delete one, or use "
        "a copy of its document under another name",
        "images.web.test: would not run: image_tests_enabled is false; delete one of them",
        "images.web.volumes./dev/sdf.volume_size: must be a whole number, got 'x'",
        "images.web.distribution.us-east-1: the image is not distributed to this region, got 'us-east-1'; add it to "
        "images.web.regions, or delete it",
        "images.web.distribution.us-east-1.fast_launch: is only for Windows, and the image is amazon-linux-2023; "
        "delete it",
        "images.shop.parent: image web is not distributed to us-east-1, the home region of this image, got 'web'; "
        "add it to images.web.regions",
    ]
