"""The plans that a command line names: files of `terraform show -json`, and folders of them."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ops.errors import UsageError
from ops.report.fleet import amis_of, fleets_of
from ops.report.plan import Plan
from ops.report.plan_json import NotAPlan, like_a_plan, read_plan

STDIN = "-"
LIST = "plans.json"
"""The file in which `goldsmith plan` lists the stacks of its folder, with those that failed."""
_PLAN_NAMES = {"plan", "tfplan", "terraform", "show", "default", "output", "json-output", "planfile"}
"""Names of files that do not say which stack it is; then their folder does."""
_REMEDY = "give files of terraform show -json, or the folder of goldsmith plan --out"
_SNIPPET = re.compile(r"^\s*(on .* line \d+|\d+:|├─|│|╷|╵)")
_LONGEST_ERROR = 4_000


@dataclass(frozen=True, kw_only=True)
class StackPlan:
    """The plan of a stack, or why there is none."""

    stack: str
    plan: Plan | None
    error: str = ""
    """What Terraform wrote when planning failed."""
    account: str = ""
    region: str = ""

    @property
    def errors(self) -> tuple[str, ...]:
        """The messages in `error`, without the lines of files that Terraform quotes."""
        return tuple(_messages(self.error))

    @property
    def has_failed(self) -> bool:
        """Whether planning failed, so that nothing, or only a part, is known."""
        return self.plan is None or self.plan.is_errored


def read_sources(named: Sequence[str]) -> tuple[StackPlan, ...]:
    """The plans of files and folders, each once, in their order. Raises `UsageError` with everything that is wrong."""
    found: list[StackPlan] = []
    problems: list[str] = []
    seen: set[Path] = set()
    for name in dict.fromkeys(named):
        try:
            if name == STDIN:
                found.append(StackPlan(stack="plan", plan=_plan(sys.stdin.buffer.read(), place="standard input")))
            elif (path := Path(name)).is_dir():
                found += _read_folder(path, problems, seen)
            elif _is_new(path, seen):
                found.append(_read_file(path))
        except UsageError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\n".join(problems))
    return tuple(_distinct(found))


def _is_new(file: Path, seen: set[Path]) -> bool:
    """Whether a file was not read before, under another name or with its folder; notes it."""
    path = file.resolve()
    is_new = path not in seen
    seen.add(path)
    return is_new


def _read_folder(folder: Path, problems: list[str], seen: set[Path]) -> Iterator[StackPlan]:
    listed = _read_list(folder / LIST)
    files: dict[str, list[Path]] = {}
    for file in _files(folder):
        files.setdefault(_stack_of(file), []).append(file)
    if not files and listed is None:
        problems.append(f"{folder}: must have plans, got none; {_REMEDY}")
    listed = listed or {}
    for stack in sorted({*files, *listed}):
        entry = listed.get(stack, {})
        account, region = (str(entry.get(name) or "") for name in ("account", "region"))
        error = str(entry.get("error") or "")
        try:
            if entry.get("status") == "failed" or stack not in files:
                kept = next(iter(files.get(stack, ())), None)
                yield _without_plan(stack, entry, error, file=kept, account=account, region=region)
            else:
                plans = (_read_file(file) for file in files[stack] if _is_new(file, seen))
                yield from (replace(each, stack=stack, error=error, account=account, region=region) for each in plans)
        except UsageError as problem:
            problems.append(str(problem))


def _without_plan(
    stack: str, entry: Mapping[str, Any], error: str, *, file: Path | None, account: str, region: str
) -> StackPlan:
    """A stack that has failed; one that is empty may have no file, either."""
    if entry.get("status") == "empty":
        return StackPlan(stack=stack, plan=Plan(), account=account, region=region)
    plan = None
    if file is not None:  # Terraform keeps what it knew when it failed
        plan = replace(_plan(_content(file), place=str(file)), is_errored=True)
    error = error or "its plan is missing in the folder"
    return StackPlan(stack=stack, plan=plan, error=error, account=account, region=region)


def _files(folder: Path) -> list[Path]:
    """`STACK/plan.json` of a folder of `goldsmith plan`, and JSON files in the folder itself."""
    deep = (file for file in folder.glob("*/*.json") if file.stem.lower() in _PLAN_NAMES)
    flat = (file for file in folder.glob("*.json") if file.name != LIST)
    return sorted({*deep, *flat})


def _stack_of(file: Path) -> str:
    stem = file.name.removesuffix(".json").removesuffix(".tfplan")
    return file.resolve().parent.name if stem.lower() in _PLAN_NAMES else stem


def _read_file(file: Path) -> StackPlan:
    return StackPlan(stack=_stack_of(file), plan=_plan(_content(file), place=str(file)))


def _read_list(file: Path) -> dict[str, Mapping[str, Any]] | None:
    """The stacks that the folder's list names; None without one."""
    if not file.exists():
        return None
    content = _json(_content(file), place=str(file))
    try:
        return {str(entry["stack"]): entry for entry in content["stacks"]}
    except (KeyError, TypeError):
        raise UsageError(f"{file}: must have stacks, each with its name as stack; {_REMEDY}") from None


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}; {_REMEDY}") from None


def _json(content: bytes, *, place: str) -> Any:
    """In any encoding of Unicode: a shell on Windows writes UTF-16."""
    if content.startswith(b"PK"):
        own = "a plan in Terraform's own format"
        raise UsageError(f"{place}: must be JSON, got {own}; write it as JSON: terraform show -json {place}")
    if not content.strip():
        raise UsageError(f"{place}: must be JSON, got nothing; {_REMEDY}")
    try:
        return json.loads(content)
    except UnicodeDecodeError:
        raise UsageError(f"{place}: must be JSON in UTF-8, got other bytes; {_REMEDY}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{place}: must be JSON, got {error}; {_REMEDY}") from None


def _plan(content: bytes, *, place: str) -> Plan:
    try:
        plan = read_plan(_json(content, place=place))
        with like_a_plan():  # also where only a report of fleets looks
            fleets_of(plan, stack="")
            amis_of(plan)
    except NotAPlan as error:
        raise UsageError(f"{place}: {error}") from None
    return plan


def _distinct(plans: Sequence[StackPlan]) -> Iterator[StackPlan]:
    """With a number where two have the same name, so that each can be named."""
    counts, seen = Counter(each.stack for each in plans), Counter[str]()
    for each in plans:
        seen[each.stack] += 1
        yield replace(each, stack=f"{each.stack} ({seen[each.stack]})") if counts[each.stack] > 1 else each


def _messages(error: str) -> Iterator[str]:
    """The paragraphs of Terraform's errors that are sentences."""
    for part in re.split(r"^(?:│ )?Error: ", error[:_LONGEST_ERROR], flags=re.MULTILINE):
        paragraphs = [
            " ".join(" ".join(line.strip(" │╷╵") for line in paragraph.splitlines()).split())
            for paragraph in re.split(r"\n[ │]*\n", part.strip())
            if not _SNIPPET.match(paragraph)
        ]
        if not (kept := [paragraph for paragraph in paragraphs if paragraph]):
            continue
        title, *sentences = kept
        yield (
            " ".join(sentences)
            if title.endswith("failed") and sentences
            else ": ".join(filter(None, [title, " ".join(sentences)]))
        )
