"""Image Builder's ARNs: how they follow from names, and which versions a wildcard matches."""

import re
from collections.abc import Iterable


def arn_of(*, region: str, account: str, path: str, name: str, version: str = "", build: int = 0) -> str:
    """`arn:aws:imagebuilder:REGION:ACCOUNT:PATH/NAME[/VERSION[/BUILD]]`.

    AWS normalizes the name: "names that differ only in case, spaces, or underscores count as the same
    name" (CreateComponent in the service model), and in ARNs they appear as hyphens.
    """
    normalized = re.sub(r"[ _]", "-", name.lower())
    parts = [path, normalized, *([version] if version else []), *([str(build)] if build else [])]
    return f"arn:aws:imagebuilder:{region}:{account}:{'/'.join(parts)}"


def version_arn(arn: str) -> str:
    """The ARN without its build version: `…/1.0.0/2` gives `…/1.0.0`."""
    return re.sub(r"(/\d+\.\d+\.\d+)/\d+$", r"\1", arn)


def newest(pattern: str, arns: Iterable[str]) -> str | None:
    """The newest of `arns` that `pattern` matches, or None.

    A pattern is an ARN whose version may end in wildcards (`1.x.x`) and whose build may be left out.
    """
    matching = [arn for arn in arns if matches(pattern, arn)]
    return max(matching, key=_order, default=None)


def matches(pattern: str, arn: str) -> bool:
    """Whether the ARN `pattern` matches `arn`. It may have wildcards, and no build."""
    if pattern == arn:
        return True
    wanted, given = _parts(pattern), _parts(arn)
    if wanted[:2] != given[:2] or len(wanted) < 3 or len(given) < 3:
        return False
    nodes = zip(wanted[2].split("."), given[2].split("."), strict=True)
    return all(node in ("x", actual) for node, actual in nodes) and wanted[3:] in ([], given[3:])


def _parts(arn: str) -> list[str]:
    """Path, name, version and build of an ARN, as far as it has them. A workflow's path includes its type."""
    first, *rest = arn.split("/")
    return [f"{first}/{rest[0]}", *rest[1:]] if first.endswith(":workflow") and rest else [first, *rest]


def _order(arn: str) -> tuple[int, ...]:
    return tuple(int(node) for node in re.findall(r"\d+", "/".join(_parts(arn)[2:])))
