"""What labels are called that mean that nothing is wrong, where nobody says so."""

from collections.abc import Iterable

# In this order, whatever their case.
CLEAN_NAMES = ("clean", "정상")


def find_clean_name(labels: Iterable[str]) -> str | None:
    """The first of `labels` with such a name; None where there is none."""
    return next((label for label in labels if label.strip().casefold() in CLEAN_NAMES), None)
