"""Writes the generated pages of docs/.

They are generated from the models (`configuration.md` and `estate.schema.json`), the catalogue
(`operating-systems.md`), the components (`components.md`), the rules (`rules.md`), the table of Image Builder's
operations (`coverage.md`), the prices (`generations.md`), the examples (`values.md`), and a report of the demo, which
`make pictures` records (`docs/pictures`).

`python -m pages` writes them; with `--check` it only lists the pages that are stale, and exits 1 if there are any.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.models.external_image import ExternalImage
from estate.models.fleet import Fleet
from estate.models.pin import Pin
from estate.models.settings import Settings
from estate.models.types import Name, Region
from pages.components import components_page
from pages.coverage import coverage_page
from pages.documented import Documented
from pages.generations import generations_page
from pages.operating_systems import operating_systems_page
from pages.pictures import pictures_of
from pages.rules import rules_page
from pages.values import values_page

PROJECT = Path(__file__).parent.parent

INTRODUCTION = """\
# Configuration

Generated from the models by `python -m pages`; do not edit.

An estate is declared in YAML files in one folder: `config/`, or the folder that `GOLDSMITH_CONFIG` names. Each file may
have `images:` and `fleets:`, and exactly one has `settings:`. The files are merged, so you choose what is in which
file; only `pins:` are in a file of their own, [`pins.yaml`](pull-requests.md#pins), which `goldsmith pin` writes.
YAML's anchors and `<<:` work within a file; put shared values under a top-level key that begins with `x-`, such as
`x-common:`. Write versions in quotes, because YAML reads `1.10` without quotes as the number 1.1.

Documents, Dockerfiles and the YAML files must be in that folder or below it, also after following links: no other file
is read, and error messages show nothing of a file that has the wrong content. A YAML file of an estate may have 2 MiB,
a document 64 KiB.

[rules.md](rules.md) lists the rules that look at several keys at once, [operating-systems.md](operating-systems.md) the
operating systems and what their images are built from, [components.md](components.md) the components.

```yaml
# yaml-language-server: $schema=../docs/estate.schema.json
settings:
  namespace: acme
images:
  web:
    os: amazon-linux-2023
    build: [update-os, {use: install-packages, with: {packages: nginx}}]
    test: [boots]
    regions: [eu-west-1]
fleets:
  web-dev:
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.small
    subnets: [subnet-0a1b2c3d]
    capacity: {min: 1, max: 2}
```

With the first line, editors that support JSON Schema complete and check what you write. All problems of an estate are
reported together, each with its file and line, before anything is written:

```text
config/web.yaml:6 images.web.os: unknown operating system, got 'amazon-linux-2032'; did you mean 'amazon-linux-2023'?
```

## Write each value once

Fields that many images or fleets have in common are written once, under `defaults` and `environments`:

```yaml
settings:
  namespace: acme
  accounts:
    images: {id: "111111111111", role: goldsmith}
    prod: {id: "333333333333", role: goldsmith}
defaults:
  images: {account: images, regions: [eu-west-1], channels: {stable: {from: latest, soak: 1 day}}}
environments:
  dev: {account: images, region: eu-west-1, channel: latest, subnets: {tags: {env: dev}}}
  prod: {account: prod, region: eu-west-1, channel: stable, subnets: {tags: {env: prod}}}
images:
  base: {os: amazon-linux-2023, build: [update-os, security-baseline]}
  web: {parent: base@stable, build: [components/web.yaml]}
fleets:
  web-dev: {image: web, environment: dev, instance_type: t3.small, capacity: {min: 1, max: 2}}
  web-prod: {image: web, environment: prod, instance_type: m7i.large, capacity: {min: 12, max: 24}}
```

The nearest value wins, field by field: the fleet's own, that of its environment, that of `defaults.fleets`, then the
default of the model. An image takes the fields of `defaults.images` that its kind has; one of another estate, with
`external`, takes none. A value is taken whole: mappings and lists are not merged. An image that is built on another one
of the estate has the operating system and the architecture of its base, if it does not say a system itself. A problem
is reported where its value is written, once.
`goldsmith check --explain web-prod` shows each field, its value, and where that is written; [values.md](values.md)
shows it for two examples.

Accounts are named in `settings.accounts`, and `account:` refers to them. Terraform and the commands work in an account
under its role or profile, and in no other account. If there is only one, all images are in it. The state of a stack
with an account is in a folder of that account's ID.
[accounts.md](accounts.md) says how fleets run images of other accounts and of other estates.
"""

_CONTAINER = "images.NAME with kind: container"
_EXTERNAL = "images.NAME with external"
_MODELS: Mapping[str, type[BaseModel]] = {
    "settings": Settings,
    "images.NAME": AmiImage,
    _CONTAINER: ContainerImage,
    _EXTERNAL: ExternalImage,
    "fleets.NAME": Fleet,
    "pins.FLEET": Pin,
}
_Schema = dict[str, Any]
_KEYS = {TypeAdapter(Region).json_schema()["pattern"]: "region", TypeAdapter(Name).json_schema()["pattern"]: "name"}
"""What keys of mappings are, by their patterns."""


def main(arguments: list[str]) -> int:
    """Writes the pages, or checks them; returns the exit status."""
    pages = {path: text for path, text in generated().items() if not (PROJECT / path).is_file() or text != read(path)}
    for path, text in pages.items():
        if "--check" in arguments:
            print(f"{path} is stale: run python -m pages", file=sys.stderr)
        else:
            (PROJECT / path).write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    return 1 if pages and "--check" in arguments else 0


def read(path: str) -> str:
    """The present text of a page."""
    return (PROJECT / path).read_text(encoding="utf-8")


def generated() -> dict[str, str]:
    """The new text of each page, by its path in the project."""
    schema = estate_schema()
    return {
        "docs/estate.schema.json": json.dumps(_of_a_file(schema), indent=2, ensure_ascii=False) + "\n",
        "docs/configuration.md": "\n".join([INTRODUCTION, *_sections(schema)]),
        "docs/operating-systems.md": operating_systems_page(),
        "docs/components.md": components_page(),
        "docs/rules.md": rules_page(),
        "docs/coverage.md": coverage_page(),
        "docs/generations.md": generations_page(),
        "docs/values.md": values_page(),
        **{
            f"docs/pictures/report-{scheme}.svg": picture
            for scheme, picture in pictures_of(read("docs/pictures/report.md")).items()
        },
    }


def estate_schema() -> _Schema:
    """The JSON Schema of one YAML file, in draft 7, which all editors support."""
    references, definitions = models_json_schema(
        [(model, "validation") for model in _MODELS.values()], schema_generator=Documented
    )
    parts = {path: references[model, "validation"] for path, model in _MODELS.items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A file of an estate",
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {
            "^x-": {"description": "Values that the rest of the file shares through anchors; ignored otherwise."}
        },
        "properties": {
            "settings": parts["settings"],
            "images": _by_name("Golden images by name.", _by_kind(parts)),
            "fleets": _by_name("Fleets by name.", parts["fleets.NAME"]),
            "pins": _by_name("Only in pins.yaml, which goldsmith pin writes: builds by fleet.", parts["pins.FLEET"]),
        },
        "$defs": {name: _tidied(definition) for name, definition in definitions["$defs"].items()},
    }


def _of_a_file(schema: _Schema) -> _Schema:
    """The schema in which images and fleets lack what `defaults` and `environments` have, in whatever file they are."""
    properties, definitions = schema["properties"], dict(schema["$defs"])
    images, fleets = (properties[section]["additionalProperties"] for section in ("images", "fleets"))
    ami, container, fleet = (next(_models(part)) for part in (*_made_here(images), fleets))
    for name in (ami, container, fleet):
        definitions[name] = {key: value for key, value in definitions[name].items() if key != "required"}
    of_images, of_fleets = _fields(definitions, ami, container), _fields(definitions, fleet)
    sections = {
        "environments": _by_name("Fields of the fleets with this `environment`, by its name.", of_fleets),
        "defaults": {
            "description": "Fields of the images and fleets that do not have them themselves.",
            **_mapping({"images": of_images, "fleets": of_fleets}),
        },
    }
    return {**schema, "properties": {**properties, **sections}, "$defs": definitions}


def _fields(definitions: Mapping[str, _Schema], *models: str) -> _Schema:
    """Any of the fields of some models, but for those that say what an image or fleet is itself."""
    pointers = {
        field: {"$ref": f"#/$defs/{model}/properties/{field}"}
        for model in models
        for field in definitions[model]["properties"]
        if field not in ("kind", "environment")
    }
    return _mapping(pointers)


def _mapping(properties: _Schema) -> _Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _by_name(description: str, each: _Schema) -> _Schema:
    return {
        "description": description,
        "type": "object",
        "propertyNames": TypeAdapter(Name).json_schema(),
        "additionalProperties": each,
    }


def _by_kind(parts: Mapping[str, _Schema]) -> _Schema:
    """One of the kinds of images, so that an editor checks against the one that is meant."""
    made_here = {"if": {"required": ["kind"]}, "then": parts[_CONTAINER], "else": parts["images.NAME"]}
    return {"if": {"required": ["external"]}, "then": parts[_EXTERNAL], "else": made_here}


def _made_here(images: _Schema) -> tuple[_Schema, _Schema]:
    """AMIs and container images, in what `_by_kind` returns."""
    return images["else"]["else"], images["else"]["then"]


def _tidied(node: Any) -> Any:
    """A schema without titles, which repeat the keys, and with `allOf`: draft 7 ignores other keys beside a `$ref`."""
    if isinstance(node, list):
        return [_tidied(each) for each in node]
    if not isinstance(node, dict):
        return node
    tidied = {key: _tidied(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if "properties" in node:  # whatever they are named
        tidied["properties"] = {name: _tidied(field) for name, field in node["properties"].items()}
    if "description" in tidied and isinstance(tidied["description"], str):
        tidied["description"] = tidied["description"].replace("\n\n", "\0").replace("\n", " ").replace("\0", "\n\n")
    if tidied.get("default", 0) in (None, [], {}) or isinstance(tidied.get("default"), dict):
        del tidied["default"]
    if "patternProperties" in tidied:
        tidied["additionalProperties"] = False
    if "$ref" in tidied and len(tidied) > 1:
        tidied["allOf"] = [{"$ref": tidied.pop("$ref")}]
    return tidied


def _sections(schema: _Schema) -> Iterator[str]:
    """A heading, a description and a table for each model, named by its first place in YAML; required keys first."""
    paths = dict(_paths(schema))
    for name, path in paths.items():
        model = schema["$defs"][name]
        yield f"{'##' if path in _MODELS else '###'} `{path}`\n"
        yield f"{model['description']}\n"
        yield "| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |"
        required = model.get("required", ())
        for key, field in sorted(model["properties"].items(), key=lambda item: item[0] not in required):
            described = field if "description" in field else schema["$defs"][next(_models(field))]
            meaning, _, default = described["description"].partition("Default: ")
            if key in required:
                default = "required"
            cells = (f"`{key}`", _kind(field, paths), default.removesuffix("."), meaning.strip())
            yield "| " + " | ".join(cell.replace("\n", " ").replace("|", "\\|") for cell in cells) + " |"
        yield ""


def _paths(schema: _Schema) -> Iterator[tuple[str, str]]:
    """Every model that the schema refers to, with its place, in the order of the page."""
    properties = schema["properties"]
    images, fleets, pins = (properties[each]["additionalProperties"] for each in ("images", "fleets", "pins"))
    tops = [properties["settings"], *_made_here(images), images["then"], fleets, pins]
    seen: set[str] = set()
    for path, top in zip(_MODELS, tops, strict=True):
        waiting = [(name, path) for name in _models(top)]
        while waiting:
            name, path = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            yield name, path
            fields = schema["$defs"][name]["properties"]
            places = {
                key: f"{path}.{key}.{_key_of(field).upper()}" if _by_key(field) else f"{path}.{key}"
                for key, field in fields.items()
            }
            waiting = [
                (each, _distinct_place(places[key], each, field, schema))
                for key, field in fields.items()
                for each in _models(field)
            ] + waiting


def _distinct_place(place: str, name: str, field: _Schema, schema: _Schema) -> str:
    """The place of one of the models that a field takes: if there are several, with the first key that it requires."""
    return f"{place} with {schema['$defs'][name]['required'][0]}" if len(set(_models(field))) > 1 else place


def _models(node: Any) -> Iterator[str]:
    """The models that a field refers to."""
    if isinstance(node, list):
        for each in node:
            yield from _models(each)
    elif isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        yield from _models([value for value in node.values() if isinstance(value, dict | list)])


def _kind(node: _Schema, paths: Mapping[str, str]) -> str:
    """The kind of value that a field takes, as text."""
    if "$ref" in node:
        path = paths[node["$ref"].rpartition("/")[2]]
        which = re.search(r" with \w+$", path)
        return f"[mapping{which[0] if which else ''}](#{anchor(path)})"
    if "allOf" in node:
        return _kind(node["allOf"][0], paths)
    if "anyOf" in node:
        return " or ".join(_kind(each, paths) for each in node["anyOf"] if each.get("type") != "null")
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(f"`{each}`" for each in node["enum"])
    if "$comment" in node:
        return str(node["$comment"])
    if node["type"] == "array":
        return f"list, each {_kind(node['items'], paths)}"
    if node["type"] == "object":
        each = _by_key(node)
        return f"mapping of {_key_of(node)}s, each {_kind(each, paths)}" if each else "mapping of text to text"
    if node["type"] == "integer":
        most = f" to {node['maximum']}" if "maximum" in node else " or more"
        return f"whole number, {node['minimum']}{most}" if "minimum" in node else "whole number"
    return {"boolean": "true or false", "string": "text"}[node["type"]]


def _by_key(node: _Schema) -> _Schema | None:
    """The model of a mapping's values; None if they are text."""
    found = [each for each in node.get("patternProperties", {}).values() if "$ref" in each]
    return found[0] if found else None


def _key_of(node: _Schema) -> str:
    """What the keys of a mapping of models are."""
    return _KEYS.get(next(iter(node["patternProperties"])), "device")


def anchor(path: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w -]", "", path.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
