"""A document of which a stack creates a resource that Image Builder never changes: a component or a workflow."""

from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from estate.limits import INLINE
from estate.versions import patch_of


@dataclass(frozen=True, kw_only=True)
class MadeDocument:
    """What components and workflows have in common. Each field is an argument of the resource and part of its
    version."""

    folder: ClassVar[str]
    """The folder of such documents in a bucket."""

    name: str
    description: str
    data: str

    @property
    def is_inline(self) -> bool:
        """Whether the document fits into Image Builder's request; if not, it is read from a bucket."""
        return INLINE.fits(self.data)

    @property
    def object_key(self) -> str:
        """The document's key in a bucket: made from its content, so an object never changes."""
        return f"{self.folder}/{sha256(self.data.encode()).hexdigest()}.yaml"

    @property
    def version(self) -> str:
        """`1.0.<patch>`. It is the same whether the document is in the request or in a bucket."""
        return f"1.0.{patch_of(self)}"
