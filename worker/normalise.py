"""Versions of the text normaliser, by the name that a bundle's config gives."""

import unicodedata
from collections.abc import Callable


def nfc(text: str) -> str:
    """Compose Hangul and everything else that Unicode can compose."""
    return unicodedata.normalize("NFC", text)


NORMALISERS: dict[str, Callable[[str], str]] = {"nfc": nfc}
