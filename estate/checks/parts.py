"""The sound parts of a configuration, for rules that look across it."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from estate.files import NamedFiles
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.models.settings import Settings
from estate.problems import Key, Words


@dataclass(frozen=True)
class Parts:
    """What is sound so far, so that the rest is checked too, and nobody is told what follows from another problem."""

    settings: Settings | None
    images: Mapping[str, Image]
    fleets: Mapping[str, Fleet]
    files: NamedFiles
    declared: Words | None
    """The names of all images; None if a file could not be read, which may have more."""
    broken: Set[Key] = frozenset()
    """The keys of fields that are not sound, and of components in them."""

    def sound(self, key: Key, *fields: str) -> bool:
        """Whether none of the fields below `key` is broken."""
        return not any((*key, field) in self.broken for field in fields)
