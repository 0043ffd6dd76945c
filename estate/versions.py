"""Versions of what Image Builder never changes once it is created: components, recipes, workflows.

The patch version is derived from everything that a resource emits except tags: the same content has the same version,
so a plan shows no change; new content has a new version, and Terraform creates it before it destroys the old one.
Patches are identities, not an order: nothing compares them.
"""

import json
from dataclasses import asdict
from hashlib import sha256
from typing import Any

_HIGHEST_NODE = 2**30
"""Patch versions are below this number (AWS's API reference, CreateComponent)."""


_LATER = frozenset({"kms_key_id", "snapshot_id", "volumes"})
"""Arguments that were added later: unset ones are left out, so that earlier versions stay the same."""


def patch_of(content: Any) -> int:
    """The patch version of a dataclass whose fields are the arguments of a resource."""
    emitted = asdict(content, dict_factory=_emitted)
    canonical = json.dumps(emitted, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return int.from_bytes(sha256(canonical.encode()).digest()[:8], "big") % _HIGHEST_NODE


def _emitted(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if value not in (None, ()) or name not in _LATER}
