"""Finds misspelt settings in the environment, which would otherwise be ignored without a word."""

from collections.abc import Iterable, Iterator

from shared.settings import Settings

# Shorter names are near to too many others.
LEAST_CHARACTERS = 5
# What differs is at most a letter or two: one too many, one too few, one of another kind, two in the wrong order.
LARGEST_DIFFERENCE = 2
SIMILAR = 0.85


def misspelt(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that looks like a misspelt setting, with the setting that was probably meant."""
    settings = {field.upper() for field in Settings.model_fields}
    for name in sorted(names):
        if name.upper() in settings or len(name) < LEAST_CHARACTERS:
            continue
        # Comparing takes time, and hardly any name of an environment begins like a setting and is as long.
        alike = [one for one in settings if abs(len(one) - len(name)) <= LARGEST_DIFFERENCE and _ends_alike(one, name)]
        if alike and (found := _nearest(name.upper(), alike)):
            yield name, found


def _ends_alike(one: str, other: str) -> bool:
    return one[:2] == other[:2].upper() or one[-3:] == other[-3:].upper()


def _nearest(name: str, settings: list[str]) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415  few starts need it

    return next(iter(get_close_matches(name, settings, n=1, cutoff=SIMILAR)), None)
