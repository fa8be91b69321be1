"""Tokens that a trainer added: `added_tokens.json`, and `added_tokens_decoder` of `tokenizer_config.json`.

They stand in texts (`[NAME]`, an emoji, a word of a field), and the model has rows of its own for them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from convert.json_file import read_json
from convert.sentencepiece_tokenizer import unmatched
from shared.errors import ModelSourceError

# Names of the tokens that make up the input, whatever brackets they wear.
_STRUCTURE = frozenset(("unk", "pad", "cls", "sep", "mask", "s", "bos", "eos"))
_MOST_DIGITS = 9
_MATCHING = ("lstrip", "rstrip", "single_word", "normalized")


def is_structure(token: str) -> bool:
    """Whether it is one of the tokens around and between texts: a text that contains it must not be read as that."""
    return token.strip("<>[]|/").lower() in _STRUCTURE


def add_tokens(tokenizer: Tokenizer, added: Path | None, config: Path | None) -> None:
    """Make `tokenizer` match the added tokens of a source, each with the id that its files give it.

    Raises:
        ModelSourceError: a token cannot have this id, because another has it or ids before it are missing.
    """
    ids, size = tokenizer.get_vocab(), tokenizer.get_vocab_size()
    chosen: list[AddedToken] = []
    for index, token in sorted(_read(added, config).items()):
        known = next((ids[name] for name in (token.content, unmatched(token.content)) if name in ids), None)
        if (known is None and index != size) or known not in {None, index}:
            raise ModelSourceError(
                f"the added token {token.content!r} has the id {index}, and the vocabulary "
                f"{f'gives it {known}' if known is not None else f'ends at {size - 1}'}: these files do not belong "
                "together"
            )
        if known is None:
            ids[token.content] = size
            size += 1
        token.special = is_structure(token.content)
        if known is None or not token.special:
            chosen.append(token)
    # All at once: each call builds the search for all of them anew.
    tokenizer.add_tokens(chosen)


def _read(added: Path | None, config: Path | None) -> dict[int, AddedToken]:
    """The tokens by id. None is special: a worker does not match special ones in a text."""
    plain = {index: AddedToken(token, normalized=False) for token, index in _entries(read_json(added), int)}
    decoder = read_json(config).get("added_tokens_decoder")
    described = {
        int(index): AddedToken(fields["content"], **{name: bool(fields.get(name)) for name in _MATCHING})
        for index, fields in _entries(decoder if isinstance(decoder, dict) else {}, dict)
        if index.isdecimal() and len(index) <= _MOST_DIGITS and isinstance(fields.get("content"), str)
    }
    return {**plain, **described}


def _entries(found: Mapping[str, Any], kind: type) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in found.items() if isinstance(value, kind) and name]
