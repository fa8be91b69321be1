"""Pickles for tests, honest and hostile; the one place of the project that writes any."""

import copyreg
import os
import pickle  # noqa: TID251  made here so that the reader can be shown what it must read and what it must refuse
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROTOCOLS = range(6)


def dumps(value: object, protocol: int = 4) -> bytes:
    return pickle.dumps(value, protocol=protocol)


class RunsACommand:
    """Unpickling it would run a shell command that leaves the file `trace`."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.trace}",)


class HidesBehindCopyreg:
    """The same call as the state of an innocent object that copyreg rebuilds."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return copyreg._reconstructor, (dict, dict, {"labels": RunsACommand(self.trace)})  # type: ignore[attr-defined]


def label_encoder(classes: Any, protocol: int) -> bytes:
    """What scikit-learn pickles for a fitted `LabelEncoder`: the same class by name, the same state."""
    module = types.ModuleType("sklearn.preprocessing._label")
    encoder_class = type("LabelEncoder", (), {"__module__": module.__name__})
    module.LabelEncoder = encoder_class  # type: ignore[attr-defined]
    names = ("sklearn", "sklearn.preprocessing", module.__name__)
    before = {name: sys.modules.get(name) for name in names}
    sys.modules.update({name: types.ModuleType(name) for name in names[:2]} | {module.__name__: module})
    try:
        encoder = encoder_class()
        encoder.__dict__.update({"classes_": classes, "_sklearn_version": "1.5.0"})
        return dumps(encoder, protocol)
    finally:
        for name, own in before.items():
            sys.modules.pop(name)
            if own is not None:
                sys.modules[name] = own


def gluonnlp_vocabulary(tokens: Sequence[str], protocol: int) -> bytes:
    """What gluonnlp 0.10 pickles for a `BERTVocab` with these tokens: the same classes by name, the same state."""
    lookup_class, vocabulary_class = _stand_in_classes()
    lookup = lookup_class({token: index for index, token in enumerate(tokens)})
    lookup._default = 0
    vocabulary = vocabulary_class()
    vocabulary.__dict__.update(
        {
            "_unknown_token": "[UNK]",
            "_idx_to_token": list(tokens),
            "_token_to_idx": lookup,
            "_reserved_tokens": ["[PAD]", "[CLS]", "[SEP]", "[MASK]"],
            "_embedding": None,
            "_identifiers_to_tokens": {"padding_token": "[PAD]", "cls_token": "[CLS]"},
            "padding_token": "[PAD]",
            "cls_token": "[CLS]",
        }
    )
    try:
        return dumps(vocabulary, protocol)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "gluonnlp"]:
            del sys.modules[name]


def _stand_in_classes() -> tuple[Any, Any]:
    """Classes with gluonnlp's names, in modules with its names, for as long as a pickle is written."""
    for name in ("gluonnlp", "gluonnlp.vocab", "gluonnlp.vocab.bert", "gluonnlp.data", "gluonnlp.data.utils"):
        sys.modules[name] = types.ModuleType(name)
    lookup_class = type("DefaultLookupDict", (dict,), {"__module__": "gluonnlp.data.utils"})
    vocabulary_class = type("BERTVocab", (), {"__module__": "gluonnlp.vocab.bert"})
    setattr(sys.modules["gluonnlp.data.utils"], "DefaultLookupDict", lookup_class)  # noqa: B010  mypy knows no such attribute
    setattr(sys.modules["gluonnlp.vocab.bert"], "BERTVocab", vocabulary_class)  # noqa: B010  as above
    return lookup_class, vocabulary_class
