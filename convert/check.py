"""Compares float with int8 on a user's own labelled texts: how often each is right, and how many answers differ."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bundles.format import BundleConfig
from convert.verify import Logits, run_graph, token_rows
from shared.errors import ModelSourceError

_SEPARATOR = ";"
_LabelledTexts = msgspec.json.Decoder(list[tuple[str, str]])

Answers = NDArray[np.bool_]


def compare_on_texts(
    path: Path, tokenizer: Tokenizer, config: BundleConfig, float_graph: Path, int8_graph: Path
) -> str:
    """One sentence on the texts in `path`, a JSON list of `[text, label]`; of a long text its first window is read.

    Raises:
        ModelSourceError: none of the labels is the model's.
    """
    pairs = _LabelledTexts.decode(path.read_bytes())
    truth = _truth([label for _, label in pairs], config)
    rows = token_rows(tokenizer, config.max_length, [text for text, _ in pairs])
    in_float, in_int8 = (_answers(run_graph(graph, rows), config) for graph in (float_graph, int8_graph))
    flips = int((in_float != in_int8).any(axis=1).sum())
    right = [float((answers == truth).all(axis=1).mean()) for answers in (in_float, in_int8)]
    return (
        f"on {len(pairs):,} texts of yours: accuracy {right[0]:.3f} in float and {right[1]:.3f} in int8; "
        f"int8 answers {flips:,} of them otherwise ({flips / len(pairs):.1%})"
    )


def _truth(labels: Sequence[str], config: BundleConfig) -> Answers:
    """Which labels each text has, `[texts, labels]`."""
    named = [{part.strip() for part in label.split(_SEPARATOR)} | {label} for label in labels]
    truth = np.array([[name in own for name in config.labels] for own in named], dtype=np.bool_)
    known = {*config.labels, config.clean_label}
    if not any(own & known for own in named):
        raise ModelSourceError(
            f"none of the labels of these texts ({', '.join(sorted(set(labels))[:5])}) is one of the model's "
            f"({', '.join(config.labels)}); name the model's with MODEL_LABELS"
        )
    return truth


def _answers(logits: Logits, config: BundleConfig) -> Answers:
    if config.problem_type == "multi_label_classification":
        several: Answers = logits > 0
        return several
    highest: Answers = np.arange(logits.shape[1]) == logits.argmax(axis=1)[:, None]
    return highest
