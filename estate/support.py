"""Which images are of an operating system that its publisher supports no more."""

from datetime import date

from estate.estate import Estate
from estate.models.images import amis


def past_support(estate: Estate, *, today: date) -> list[str]:
    """One line for each image whose system is past the end of its support. It still works, so this is no problem."""
    return [
        f"images.{image.name}.os: {image.system.title} is past the end of its support, "
        f"{image.system.end_of_support:%Y-%m-%d}: its publisher mends no more security holes"
        for image in amis(estate.images).values()
        if image.system.is_past_support(today)
    ]
