"""Images of operating systems for which the publisher's support has ended."""

from datetime import date

from estate.estate import Estate
from estate.models.images import amis


def past_support(estate: Estate, *, today: date) -> list[str]:
    """One line for each image whose system is past the end of its support. The image still works, so this is not a
    problem."""
    return [
        f"images.{image.name}.os: {image.system.title} is past the end of its support, "
        f"{image.system.end_of_support:%Y-%m-%d}: it no longer gets security updates"
        for image in amis(estate.images).values()
        if image.system.is_past_support(today)
    ]
