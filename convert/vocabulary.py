"""Reads `vocab.pkl`, the ids of the pieces."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from convert.json_file import read_json
from convert.pickles import Instance, read_pickle
from convert.sentencepiece_tokenizer import KOBERT_SPECIALS
from shared.errors import ModelSourceError

VocabSpecials = Literal["kobert", "file"]

_VOCAB_CLASSES = ("gluonnlp.vocab.bert.BERTVocab", "gluonnlp.vocab.vocab.Vocab")
_LOOKUP_CLASSES = ("gluonnlp.data.utils.DefaultLookupDict",)


@dataclass(frozen=True)
class Vocabulary:
    """A gluonnlp vocabulary as its file has it: `tokens[i]` is the token with id i."""

    tokens: tuple[str, ...]
    special_tokens: Mapping[str, str]

    def token_ids(self, order: VocabSpecials = "file") -> dict[str, int]:
        """Ids by token; `order="kobert"` gives the five special tokens the ids that KoBERT was trained with."""
        tokens = list(self.tokens)
        if order == "kobert":
            tokens[: len(KOBERT_SPECIALS)] = KOBERT_SPECIALS
        return {token: index for index, token in enumerate(tokens)}

    def specials_differ(self) -> bool:
        """Whether the file begins with KoBERT's five special tokens in another order."""
        front = self.tokens[: len(KOBERT_SPECIALS)]
        return front != KOBERT_SPECIALS and sorted(front) == sorted(KOBERT_SPECIALS)


def read_vocabulary(path: Path) -> Vocabulary:
    """Read a `vocab.pkl` (a pickled gluonnlp `BERTVocab`) or SKT's `kobertvocab_*.json`.

    Raises:
        ModelSourceError: it is neither, or it contains objects that a vocabulary does not need.
    """
    state = read_json(path) if path.suffix == ".json" else _pickle_state(path)
    tokens = state.get("_idx_to_token", state.get("idx_to_token"))
    if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
        raise ModelSourceError(f"{path.name} holds no list of tokens, so it is not a gluonnlp vocabulary")
    if len(set(tokens)) != len(tokens):
        raise ModelSourceError(f"{path.name} holds a token twice, so its ids are ambiguous")
    ids = state.get("_token_to_idx", state.get("token_to_idx"))
    ids = ids.items if isinstance(ids, Instance) else ids
    if ids != {token: index for index, token in enumerate(tokens)}:
        raise ModelSourceError(f"{path.name} contradicts itself: its ids are not the places in its list of tokens")
    specials = {name: value for name, value in state.items() if name.endswith("_token") and isinstance(value, str)}
    return Vocabulary(tuple(tokens), specials)


def _pickle_state(path: Path) -> dict[str, Any]:
    value = read_pickle(path.read_bytes(), path.name, (*_VOCAB_CLASSES, *_LOOKUP_CLASSES))
    if not isinstance(value, Instance) or value.name not in _VOCAB_CLASSES:
        raise ModelSourceError(f"{path.name} is not a pickled gluonnlp vocabulary")
    return value.attributes
