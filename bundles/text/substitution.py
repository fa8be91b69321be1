"""How the steps of the normaliser change a text: through one function, which can be one that notes what came whence."""

import re
from collections.abc import Callable
from typing import Protocol

Replacement = str | Callable[[re.Match[str]], str]
# Substitutes in a text, as `re.Pattern.sub` does: pattern, replacement, text.
Sub = Callable[[re.Pattern[str], Replacement, str], str]
Step = Callable[[str, Sub], str]

PLAIN_SUB: Sub = re.Pattern.sub


class Normaliser(Protocol):
    """A version of the normaliser."""

    def __call__(self, text: str, sub: Sub = ..., /) -> str:
        """`text` as a model reads it."""
        ...
