"""Guesses a comment's language by its script, for the reply's `detectedLanguages`; nothing depends on it."""

_SCRIPTS = (
    ("ko", ("\uac00", "\ud7a3")),
    ("ko", ("\u1100", "\u11ff")),
    ("ko", ("\u3131", "\u318e")),
    ("ja", ("\u3040", "\u30ff")),
    ("zh", ("\u4e00", "\u9fff")),
    ("en", ("A", "Z")),
    ("en", ("a", "z")),
)
UNKNOWN = "und"


def detect_language(text: str) -> str:
    """`ko` for a text with any Hangul, else the language that its script suggests, else `und`."""
    for language, (first, last) in _SCRIPTS:
        if any(first <= character <= last for character in text):
            return language
    return UNKNOWN
