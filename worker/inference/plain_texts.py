"""Texts that a tokenizer's own normaliser leaves as they are, so that it need not read them.

The normaliser of a converted SentencePiece model has 16 steps, which take half of the time of tokenising a comment.
Most comments are syllables, Latin letters, digits and signs of ASCII, and no step changes any of those.
"""

import hashlib
import json
import re
from typing import Any

from tokenizers import Tokenizer

_PLAIN = re.compile("[!-~가-힣]+(?: [!-~가-힣]+)*")
is_plain = _PLAIN.fullmatch
"""A match, if a text is syllables and signs of ASCII with single spaces between them."""

# SentencePiece's `nmt_nfkc`, which is its default. Other tables may have rules of their own, so they are not trusted.
_KNOWN_TABLES = frozenset({"9367facc9ceb0c88f758f23732841614b7804c3ca8ca8104ea77b50a7d02e748"})
# A step that replaces one of these, wherever it stands, finds none in a plain text.
_RARE = re.compile(r"(?:\(\?<=\[가-힣\]\))?[\u3131-\u318e\ufdd0]")


def without_normaliser(tokenizer: Tokenizer) -> Tokenizer | None:
    """The same tokenizer without its normaliser, for plain texts; it shares the vocabulary.

    None where the normaliser may change plain texts, or where added tokens are found before it.
    """
    normaliser = tokenizer.normalizer
    if normaliser is None or tokenizer.get_added_tokens_decoder():
        return None
    settings = json.loads(normaliser.__getstate__())
    if not all(map(_keeps_plain, settings.get("normalizers", [settings]))):
        return None
    bare = Tokenizer(tokenizer.model)
    bare.pre_tokenizer = tokenizer.pre_tokenizer
    return bare


def _keeps_plain(step: dict[str, Any]) -> bool:
    kind = step["type"]
    if kind == "Precompiled":
        return hashlib.sha256(step["precompiled_charsmap"].encode()).hexdigest() in _KNOWN_TABLES
    if kind == "Replace":
        (pattern,) = step["pattern"].values()
        return bool(_RARE.fullmatch(pattern)) or (pattern, step["content"]) == (" {2,}", " ")
    return kind in {"NFC", "NFKC", "Strip"}
