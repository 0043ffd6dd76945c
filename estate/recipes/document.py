"""A document that a stack makes a resource of, which Image Builder never changes: a component or a workflow."""

from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from estate.limits import INLINE
from estate.versions import patch_of


@dataclass(frozen=True, kw_only=True)
class MadeDocument:
    """What components and workflows share. Each field is an argument of the resource and enters its version."""

    folder: ClassVar[str]
    """Where in a bucket documents of the kind lie."""

    name: str
    description: str
    data: str

    @property
    def is_inline(self) -> bool:
        """Whether Image Builder takes the document in the request; if not, it reads it from a bucket."""
        return INLINE.fits(self.data)

    @property
    def object_key(self) -> str:
        """Where in a bucket the document lies: addressed by its content, so an object never changes."""
        return f"{self.folder}/{sha256(self.data.encode()).hexdigest()}.yaml"

    @property
    def version(self) -> str:
        """`1.0.<patch>`. A document has the same version wherever it lies."""
        return f"1.0.{patch_of(self)}"
