"""The parameters of component documents: what kind of value each takes.

For AWS every value is text. Goldsmith's convention says more: a parameter whose description begins with `Whole
number.`, `true or false.` or `One of a, b, c.` accepts only such values, as does one with `allowedValues`.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    """A declared parameter; one without a default must be given a value."""

    default: str | None
    description: str = ""
    allowed: tuple[str, ...] = ()
    """Its `allowedValues`."""
    quoted: bool = False
    """Whether a script has it between single quotes.

    The executor puts values into scripts unchanged, so a single quote in a value would end the text there, and the rest
    would run as commands. It replaces references once: braces in a value stay braces (the maintainers of Image Builder
    in issue 114 of its roadmap), so `{{` needs no care.
    """
    in_here_string: bool = False
    """Whether a PowerShell script has it in a here-string, which a line that begins with `'@` ends."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The only values that it accepts, if they are listed."""
        match = re.match(r"One of (\S+(?:, \S+)+)\.(?=\s|$)", self.description)
        return self.allowed or (tuple(match[1].split(", ")) if match else ())

    @property
    def kind(self) -> str:
        """The kind of a value, as text."""
        if self.description.startswith("Whole number."):
            return "a whole number"
        if self.description.startswith("true or false."):
            return "true or false"
        return f"one of {', '.join(self.choices)}" if self.choices else "text"

    @property
    def meaning(self) -> str:
        """The description without the words that say the kind."""
        said = self.kind[:1].upper() + self.kind[1:] if self.choices else self.kind.removeprefix("a ").capitalize()
        return re.sub(rf"^{re.escape(said)}\.\s*", "", self.description, flags=re.IGNORECASE)

    def takes(self, value: str) -> bool:
        """Whether a value is of the kind."""
        if self.choices:
            return value in self.choices
        if self.kind == "true or false":
            return value in ("true", "false")
        # without leading zeros, with which a shell reads a number as octal
        return self.kind != "a whole number" or re.fullmatch(r"0|[1-9][0-9]*", value) is not None
