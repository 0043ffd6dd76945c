"""The files that images name: component documents, Dockerfile templates and workflow documents.

Each file is read once, and each of its problems reported once, however many images name it.
"""

import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import get_args

from estate.catalogue.operating_systems import Platform
from estate.cdktf_tokens import token_problem, tokens_in_lines, values_of
from estate.component_documents.document import Document, parse
from estate.models.ami_image import ComponentUse
from estate.models.images import Image
from estate.problems import Checked, EstateError, Key, Problem, did_you_mean, shown
from estate.reading import DOCKERFILE, DOCUMENT, FileKind, is_below, lack_of, text_of
from estate.workflow_documents.actions import Stage
from estate.workflow_documents.document import WorkflowDocument, parse_workflow

SHIPPED_COMPONENTS = Path(__file__).parent.parent / "components"
"""Goldsmith's own component documents: `<name>/{linux,windows,macos}.yaml`."""

_REMEDY = "write its path from the configuration's folder"


@dataclass(frozen=True, kw_only=True)
class NamedFiles:
    """The files that could be read and have no problem."""

    documents: Mapping[tuple[str, Platform], Document]
    """Component documents by their name or path in the configuration, and by platform."""
    dockerfiles: Mapping[str, str]
    """Dockerfile templates by their paths in the configuration."""
    workflow_documents: Mapping[tuple[str, Stage], WorkflowDocument]
    """Workflow documents by their path in the configuration, and by stage."""


def read_named(images: Iterable[Image], *, folder: Path, broken: Set[Key] = frozenset()) -> Checked[NamedFiles]:
    """All files that images name, with paths that start at `folder`. Files named in a `broken` field are not read."""
    images = tuple(images)
    return NamedFiles(
        documents=(yield from _documents(images, folder, broken)),
        dockerfiles=(yield from _dockerfiles(images, folder, broken)),
        workflow_documents=(yield from _workflows(images, folder)),
    )


def platforms_of(component: str) -> list[Platform]:
    """The platforms for which a shipped component has a document; none if there is no such component."""
    return [
        platform
        for platform in get_args(Platform)
        if os.path.isfile(SHIPPED_COMPONENTS / component / f"{platform.lower()}.yaml")
    ]


def _documents(
    images: Iterable[Image], folder: Path, broken: Set[Key]
) -> Checked[dict[tuple[str, Platform], Document]]:
    """The component documents that the images use, each read once for each platform. A problem of several platforms is
    reported once."""
    found: dict[tuple[Path, Platform], Document | None] = {}
    documents: dict[tuple[str, Platform], Document] = {}
    reported: dict[str, Problem] = {}
    for image in images:
        unknown_system = not broken.isdisjoint(("images", image.name, field) for field in ("os", "platform"))
        platform = image.platform
        for place, use in image.placed_uses:
            if use.is_managed or place in broken or (unknown_system and not use.is_own):
                continue
            file = yield from _file(use, platform, folder, place)
            if file is None:
                continue
            if (file, platform) not in found:
                found[file, platform] = None
                try:
                    found[file, platform] = _document(file, platform)
                except EstateError as error:
                    reported |= {str(problem): problem for problem in error.problems}
            if document := found[file, platform]:
                documents[use.use, platform] = document
    yield from reported.values()
    return documents


def _dockerfiles(images: Iterable[Image], folder: Path, broken: Set[Key]) -> Checked[dict[str, str]]:
    """The Dockerfile templates that images name by their paths, each read once."""
    texts: dict[str, str] = {}
    read: set[str] = set()
    for image in images:
        key: Key = ("images", image.name, "dockerfile")
        path = image.own_dockerfile
        if path is None or key in broken:
            continue
        file = yield from _named(path, folder, key, f"{_REMEDY}, or its text in several lines")
        if file is None or path in read:
            continue
        read.add(path)
        try:
            texts[path] = _text_of(file, DOCKERFILE)
        except EstateError as error:
            yield from error.problems
    return texts


def _workflows(images: Iterable[Image], folder: Path) -> Checked[dict[tuple[str, Stage], WorkflowDocument]]:
    """The workflow documents that images name by their paths, each read once for each stage. A problem of several
    stages is reported once."""
    found: dict[tuple[str, Stage], WorkflowDocument | None] = {}
    reported: dict[str, Problem] = {}
    for image in images:
        for stage, place, use in image.workflows.placed:
            key = (use.use, stage)
            if not use.is_own or key in found:
                continue
            file = yield from _named(use.use, folder, ("images", image.name, "workflows", *place), _REMEDY)
            if file is None:
                continue
            found[key] = None
            try:
                found[key] = _workflow(file, stage)
            except EstateError as error:
                reported |= {str(problem): problem for problem in error.problems}
    yield from reported.values()
    return {key: document for key, document in found.items() if document}


def _file(use: ComponentUse, platform: Platform, folder: Path, place: Key) -> Checked[Path | None]:
    if use.is_own:
        return (yield from _named(use.use, folder, place, _REMEDY))
    file = SHIPPED_COMPONENTS / use.use / f"{platform.lower()}.yaml"
    if os.path.isfile(file):
        return file
    if others := platforms_of(use.use):
        yield Problem(place, f"{use.use} is not made for {platform}", remedy=f"it is for {' and '.join(others)}")
    else:
        remedy = did_you_mean(use.use, _shipped(file.name))
        yield Problem(place, f"no such component for {platform}", shown(use.use), remedy)
    return None


@cache
def _shipped(file: str) -> frozenset[str]:
    """The shipped components that have a document with this file name."""
    return frozenset(each.parent.name for each in SHIPPED_COMPONENTS.glob(f"*/{file}"))


def _named(path: str, folder: Path, place: Key, remedy: str) -> Checked[Path | None]:
    """The file that a path names, if it is a regular file of the configuration."""
    file = folder / path
    if not is_below(folder, file):
        # the message must not show whether it exists, either
        rule = "must stay below the configuration's folder, also through links"
        yield Problem(place, rule, shown(path), "put a copy of the file there")
    elif lack := lack_of(file):
        rule = f"{lack.rule}, but {lack.got}" if lack.got else lack.rule
        yield Problem(place, rule, shown(path), remedy)
    else:
        return file
    return None


def _document(file: Path, platform: Platform) -> Document:
    document = parse(_text_of(file, DOCUMENT), source=str(file), platform=platform)
    _refuse_tokens([document.description], file)
    return document


def _workflow(file: Path, stage: Stage) -> WorkflowDocument:
    document = parse_workflow(_text_of(file, DOCUMENT), source=str(file), stage=stage)
    _refuse_tokens([document.description, *(step.inputs for step in document.steps)], file)
    return document


def _text_of(file: Path, kind: FileKind) -> str:
    text = text_of(file, kind)
    if problems := list(tokens_in_lines(text, source=str(file))):
        raise EstateError(problems)
    return text


def _refuse_tokens(values: list[object], file: Path) -> None:
    """Tokens that a document writes with escapes, such as `"\\x24{…"`, and that are a value of their own in the
    JSON."""
    for _, value in values_of(values):
        if problem := token_problem(value):
            raise EstateError([replace(problem, place=f"{file}:1")])
