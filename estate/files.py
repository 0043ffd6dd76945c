"""The files that images name: component documents, Dockerfile templates and workflow documents.

Each is read once, whoever names it, and what is wrong with it is told once.
"""

import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from estate import documents
from estate.any_image import AnyImage
from estate.container import ContainerImage
from estate.documents import Document
from estate.image import ComponentUse
from estate.operating_systems import Platform
from estate.problems import EstateError, Key, Problem, did_you_mean, shown
from estate.workflow_actions import Stage
from estate.workflow_documents import WorkflowDocument, parse_workflow

SHIPPED_COMPONENTS = Path(__file__).parent.parent / "components"
"""Goldsmith's own component documents: `<name>/{linux,windows,macos}.yaml`."""


@dataclass(frozen=True, kw_only=True)
class NamedFiles:
    """The files that could be read and are sound."""

    documents: Mapping[tuple[str, Platform], Document]
    """Component documents by what names them in the configuration and by platform."""
    dockerfiles: Mapping[str, str]
    """Dockerfile templates by their paths in the configuration."""
    workflow_documents: Mapping[tuple[str, Stage], WorkflowDocument]
    """Workflow documents by what names them in the configuration and by stage."""


def read_named(
    images: Iterable[AnyImage], *, folder: Path, problems: list[Problem], broken: Set[Key] = frozenset()
) -> NamedFiles:
    """All files that images name; `folder` is where their paths begin, and `problems` gets what is wrong with them.

    What stands in a `broken` field is not looked for.
    """
    images = tuple(images)
    return NamedFiles(
        documents=_documents(images, folder, problems, broken),
        dockerfiles=_dockerfiles(images, folder, problems, broken),
        workflow_documents=_workflows(images, folder, problems),
    )


def platforms_of(component: str) -> list[Platform]:
    """The platforms for which a shipped component has a document; none if there is no such component."""
    return [
        platform
        for platform in get_args(Platform)
        if os.path.isfile(SHIPPED_COMPONENTS / component / f"{platform.lower()}.yaml")
    ]


def text_of(file: Path) -> str:
    """A file as text. Raises `EstateError` with its one problem."""
    try:
        # the same content has the same version, whatever a checkout made of the line ends
        return file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        got = f"byte 0x{error.object[error.start]:02x}"
        problem = Problem((), "is not UTF-8 text", got, "save it as UTF-8", place=f"{file}:{line}")
        raise EstateError([problem]) from None
    except OSError as error:
        raise EstateError([Problem((), f"cannot be read: {error.strerror}", place=str(file))]) from None


def _documents(
    images: Iterable[AnyImage], folder: Path, problems: list[Problem], broken: Set[Key]
) -> dict[tuple[str, Platform], Document]:
    """The documents that the images use, each read once for each platform."""
    found: dict[tuple[Path, Platform], Document | None] = {}
    texts: dict[tuple[str, Platform], Document] = {}
    told: dict[str, Problem] = {}
    for image in images:
        unknown_system = not broken.isdisjoint(("images", image.name, field) for field in ("os", "platform"))
        platform = image.platform
        for place, use in image.placed_uses:
            if use.is_managed or place in broken or (unknown_system and not use.is_own):
                continue
            file = _file(use, platform, folder, place, problems)
            if file and (file, platform) not in found:
                found[file, platform] = _document(file, platform, told)
            document = found[file, platform] if file else None
            if document:
                texts[use.use, platform] = document
    problems += told.values()
    return texts


def _dockerfiles(images: Iterable[AnyImage], folder: Path, problems: list[Problem], broken: Set[Key]) -> dict[str, str]:
    """The Dockerfile templates that images name by their paths."""
    texts: dict[str, str] = {}
    for image in images:
        key: Key = ("images", image.name, "dockerfile")
        path = image.own_dockerfile if isinstance(image, ContainerImage) else None
        if path is None or key in broken:
            continue
        if not os.path.isfile(folder / path):
            remedy = "write its path from the configuration's folder, or its text in several lines"
            problems.append(Problem(key, "no such file", shown(path), remedy))
            continue
        try:
            texts[path] = text_of(folder / path)
        except EstateError as error:
            problems += error.problems
    return texts


def _workflows(
    images: Iterable[AnyImage], folder: Path, problems: list[Problem]
) -> dict[tuple[str, Stage], WorkflowDocument]:
    """The workflow documents that images name by their paths, each read once for each stage. What is wrong with one
    for every stage is told once."""
    found: dict[tuple[str, Stage], WorkflowDocument | None] = {}
    told: dict[str, Problem] = {}
    for image in images:
        for stage, place, use in image.workflows.placed:
            file, key = folder / use.use, (use.use, stage)
            if not use.is_own or key in found:
                continue
            if not os.path.isfile(file):
                where: Key = ("images", image.name, "workflows", *place)
                remedy = "write its path from the configuration's folder"
                problems.append(Problem(where, "no such file", shown(use.use), remedy))
                continue
            found[key] = None
            try:
                found[key] = parse_workflow(text_of(file), source=str(file), stage=stage)
            except EstateError as error:
                told |= {str(problem): problem for problem in error.problems}
    problems += told.values()
    return {key: document for key, document in found.items() if document}


def _file(use: ComponentUse, platform: Platform, folder: Path, place: Key, problems: list[Problem]) -> Path | None:
    if use.is_own:
        file, rule, remedy = folder / use.use, "no such file", "write its path from the configuration's folder"
    else:
        file, rule = SHIPPED_COMPONENTS / use.use / f"{platform.lower()}.yaml", f"no such component for {platform}"
        remedy = did_you_mean(use.use, (each.parent.name for each in SHIPPED_COMPONENTS.glob(f"*/{file.name}")))
    if os.path.isfile(file):
        return file
    problem = Problem(place, rule, shown(use.use), remedy)
    if not use.is_own and (others := platforms_of(use.use)):
        problem = Problem(place, f"{use.use} is not made for {platform}", remedy=f"it is for {' and '.join(others)}")
    problems.append(problem)
    return None


def _document(file: Path, platform: Platform, told: dict[str, Problem]) -> Document | None:
    """The document. What is wrong with it for every platform is told once."""
    try:
        return documents.parse(text_of(file), source=str(file), platform=platform)
    except EstateError as error:
        told |= {str(problem): problem for problem in error.problems}
        return None
