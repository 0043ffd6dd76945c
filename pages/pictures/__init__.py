"""Pictures of a pull request's comment, as SVG: the Markdown that the demo has recorded, as GitHub shows it."""

from pages.pictures.comment import blocks_of
from pages.pictures.drawing import DARK, LIGHT, drawn

__all__ = ["pictures_of"]


def pictures_of(markdown: str) -> dict[str, str]:
    """The SVG of a comment for each scheme of colours, `light` and `dark`."""
    blocks = blocks_of(markdown)
    return {"light": drawn(blocks, LIGHT), "dark": drawn(blocks, DARK)}
