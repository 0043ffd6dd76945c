"""What is different inside two builds: recipe, base, packages and vulnerabilities."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ops.report.facts import BuildFacts, Component

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNTRIAGED")
"""Of Amazon Inspector, the worst first."""
_ANY = "UNKNOWN"


@dataclass(frozen=True, kw_only=True)
class PackageStep:
    """A package whose version differs."""

    name: str
    before: str
    after: str

    @property
    def is_major(self) -> bool:
        """Whether the first number of its version differs, for which things are often built anew."""
        return _numbers(self.before)[:1] != _numbers(self.after)[:1]

    @property
    def is_back(self) -> bool:
        """Whether it is an older version."""
        return _numbers(self.after) < _numbers(self.before)


@dataclass(frozen=True, kw_only=True)
class ScriptChange:
    """A component of the recipe that differs."""

    name: str
    what: str
    """`added`, `removed`, `changed`, or the values that differ."""
    diff: str = ""
    """Of its document, as a unified diff."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What differs; None for what is not known."""

    scripts: tuple[ScriptChange, ...] | None
    base: tuple[str, str] | None
    """The parent image before and after, if it differs; else empty texts."""
    added: Mapping[str, str] | None
    removed: Mapping[str, str] | None
    stepped: tuple[PackageStep, ...] | None
    """Major steps first."""
    opened: Mapping[str, str] | None
    """Vulnerabilities that only the new build has, with their severity."""
    closed: Mapping[str, str] | None

    @property
    def major(self) -> tuple[PackageStep, ...]:
        """The packages with a major step."""
        return tuple(step for step in self.stepped or () if step.is_major)

    @property
    def is_known(self) -> bool:
        """Whether anything is."""
        return any(each is not None for each in (self.scripts, self.added, self.opened))


def contents(old: BuildFacts, new: BuildFacts) -> Contents:
    """What differs between two builds."""
    knows_packages = old.packages is not None and new.packages is not None
    before, after = old.packages or {}, new.packages or {}
    steps = [
        PackageStep(name=name, before=before[name], after=after[name])
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    ]
    found_before, found_after = old.findings or {}, new.findings or {}
    knows_findings = old.findings is not None and new.findings is not None
    base = ((old.parent, new.parent) if old.parent != new.parent else ("", "")) if old.parent and new.parent else None
    return Contents(
        scripts=None
        if old.components is None or new.components is None
        else tuple(_scripts(old.components, new.components)),
        base=base,
        added={name: after[name] for name in sorted(after.keys() - before.keys())} if knows_packages else None,
        removed={name: before[name] for name in sorted(before.keys() - after.keys())} if knows_packages else None,
        stepped=tuple(sorted(steps, key=lambda step: (not step.is_major, step.name))) if knows_packages else None,
        opened=_without(found_after, found_before) if knows_findings else None,
        closed=_without(found_before, found_after) if knows_findings else None,
    )


def by_severity(findings: Mapping[str, str]) -> str:
    """`1 critical, 3 high`; `none`."""
    known = [*SEVERITIES, *sorted({*findings.values()} - {*SEVERITIES})]
    counts = {severity: sum(each == severity for each in findings.values()) for severity in known}
    return ", ".join(f"{count} {severity.lower()}" for severity, count in counts.items() if count) or "none"


def worst_first(findings: Mapping[str, str]) -> list[tuple[str, str]]:
    """Vulnerabilities with their severity."""
    rank = {severity: index for index, severity in enumerate(SEVERITIES)}
    return sorted(findings.items(), key=lambda each: (rank.get(each[1], len(rank)), each[0]))


def _without(some: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    return {name: severity or _ANY for name, severity in some.items() if name not in others}


def _scripts(before: tuple[Component, ...], after: tuple[Component, ...]) -> Iterator[ScriptChange]:
    """A recipe can have a component several times; those of one name are compared in their order."""
    old, new = _numbered(before), _numbered(after)
    for name in [*new, *(name for name in old if name not in new)]:
        one, other = old.get(name), new.get(name)
        if one is None or other is None:
            found = other or one
            script = (found.script if found else None) or ""
            texts = ("", script) if one is None else (script, "")
            yield ScriptChange(name=name, what="added" if one is None else "removed", diff=_diff(*texts))
            continue
        knows = one.script is not None and other.script is not None
        if knows and one.script != other.script:
            yield ScriptChange(name=name, what="changed", diff=_diff(one.script or "", other.script or ""))
        elif one.version != other.version:
            yield ScriptChange(name=name, what="changed")
        if one.parameters != other.parameters:
            yield ScriptChange(name=name, what=_values(one, other))


def _numbered(components: tuple[Component, ...]) -> dict[str, Component]:
    found: dict[str, Component] = {}
    for each in components:
        count = sum(name == each.name or name.startswith(f"{each.name} (") for name in found)
        found[f"{each.name} ({count + 1})" if count else each.name] = each
    return found


def _values(one: Component, other: Component) -> str:
    names = sorted({*one.parameters, *other.parameters})
    return "; ".join(
        f"{name}: {one.parameters.get(name, 'default')} → {other.parameters.get(name, 'default')}"
        for name in names
        if one.parameters.get(name) != other.parameters.get(name)
    )


def _diff(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def _numbers(version: str) -> list[int]:
    """`[8, 3, 0]` of `2:8.3.0-1.amzn2023`: without the epoch."""
    return [int(number) for number in re.findall(r"[0-9]+", version.partition(":")[2] or version)]
