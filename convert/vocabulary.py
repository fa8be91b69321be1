"""Reads `vocab.pkl`, the ids of the pieces, and `category.pkl`, the names of the classes."""

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


def read_categories(path: Path) -> list[str]:
    """Names of the classes in index order, from a `category.pkl`: name -> index, index -> name, or a plain list.

    Raises:
        ModelSourceError: it is something else, or its indices are not 0, 1, 2, ….
    """
    value = read_pickle(path.read_bytes(), path.name)
    by_index = _categories_by_index(value)
    labels = [by_index.get(index) for index in range(len(by_index))]
    if not labels or not all(isinstance(label, str) and label for label in labels) or len(set(labels)) != len(labels):
        raise ModelSourceError(
            f"{path.name} does not name the classes: it must be a dict such as {{'clean': 0, 'curse': 1}} "
            "whose indices run from 0; set MODEL_LABELS instead"
        )
    return [str(label) for label in labels]


def _categories_by_index(value: Any) -> dict[Any, Any]:  # noqa: ANN401  whatever was pickled
    if isinstance(value, (list, tuple)):
        return dict(enumerate(value))
    if not isinstance(value, dict):
        return {}
    if all(isinstance(key, str) and not isinstance(index, str) for key, index in value.items()):
        by_index = {index: name for name, index in value.items()}
        return by_index if len(by_index) == len(value) else {}
    return value
