"""Compares the int8 graph with the float graph on the same texts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bundles.format import BundleConfig
from bundles.record import Drift
from bundles.session import session_options
from convert.samples import SAMPLE_TEXTS
from shared.errors import ModelSourceError
from shared.processors import available_cpus

Logits = NDArray[np.float32]


# Log-odds of 1 in 4.
_LOW_LOGIT = 1.1
# Standard deviation of a logit over different texts; a trained head's is above 0.5.
_HARDLY_VARIES = 0.02
_MULTI_LABEL = "multi_label_classification"
# Texts that padding is tried on, how many tokens of it, and how far a score may move by it.
_PADDED_TEXTS = 8
_PADDING = 24
_MOST_BY_PADDING = 0.05


def token_rows(tokenizer: Tokenizer, max_length: int, texts: Sequence[str] = SAMPLE_TEXTS) -> list[list[int]]:
    """Token ids of texts, cut to `max_length`, keeping the last special token."""
    rows = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    return [row if len(row) <= max_length else [*row[: max_length - 1], row[-1]] for row in rows]


def run_graph(path: Path, rows: Sequence[Sequence[int]]) -> Logits:
    """Logits `[rows, labels]` of the graph at `path`, one row at a time."""
    session = open_session(path)
    wanted = {value.name for value in session.get_inputs()}
    inputs = ({name: value for name, value in feeds_of(row).items() if name in wanted} for row in rows)
    logits = [session.run(["logits"], feeds)[0] for feeds in inputs]
    return np.concatenate(logits)


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """A session that maps its weights from the file instead of copying them."""
    options = session_options(available_cpus())
    options.add_session_config_entry("session.disable_prepacking", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def check_length(path: Path, row: Sequence[int], max_length: int) -> None:
    """Refuse a graph that cannot read a text of `max_length` tokens: its positions may be fewer than its config says.

    `row` are the ids of a text.

    Raises:
        ModelSourceError: names the setting that chooses fewer.
    """
    inner = list(row[1:-1]) or list(row)
    longest = [*row[:1], *(inner * max_length)[: max(max_length - 2, 0)], *row[-1:]][:max_length]
    try:
        run_graph(path, [longest])
    except Exception as error:  # onnxruntime's own error classes share no public base
        raise unreadable_text(len(longest), error) from error


def unreadable_text(tokens: int, error: Exception) -> ModelSourceError:
    """The refusal of a graph that fails on a text of so many tokens."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][-160:]
    return ModelSourceError(
        f"the model cannot read a text of {tokens} tokens ({reason}); set MAX_LENGTH to as many as it has positions, "
        "or download it again if it should"
    )


def measure_drift(float_logits: Logits, int8_logits: Logits, *, multi_label: bool) -> Drift:
    """Compare the scores of two runs.

    Raises:
        ModelSourceError: a score is not a number.
    """
    if not np.isfinite(float_logits).all() or not np.isfinite(int8_logits).all():
        raise ModelSourceError("the model answers with something that is not a number; its checkpoint is damaged")
    before, after = _scores(float_logits, multi_label=multi_label), _scores(int8_logits, multi_label=multi_label)
    changed = (before > 0.5) != (after > 0.5) if multi_label else before.argmax(axis=1) != after.argmax(axis=1)
    moved = np.abs(before - after)
    return Drift(
        texts=len(before),
        labels_changed=int(changed.reshape(len(before), -1).any(axis=1).sum()),
        mean_score_change=round(float(moved.mean()), 6),
        max_score_change=round(float(moved.max()), 6),
    )


def look_multi_label(logits: Logits) -> bool:
    """Whether logits `[texts, labels]` are those of a sigmoid for each label rather than of one softmax.

    The softmax's loss moves no sum of logits, so they lie around the 0 at which they began. A sigmoid of a label that
    few texts have lies below, and so do most of its neighbours.
    """
    mean, spread = float(logits.mean()), float(logits.std(axis=1).mean())
    return logits.shape[1] > 1 and mean < -_LOW_LOGIT and -mean > spread / 2


def look_untrained(logits: Logits) -> bool:
    """Whether logits `[texts, labels]` hardly depend on the text, as those of a head with its first weights."""
    relative = logits - logits.mean(axis=1, keepdims=True) if logits.shape[1] > 1 else logits
    return bool(relative.std(axis=0).max() < _HARDLY_VARIES)


def check_padding(path: Path, rows: Sequence[Sequence[int]], config: BundleConfig, source: str) -> None:
    """Refuse a graph that answers otherwise when a text is padded to the length of another, or not at all.

    Raises:
        ModelSourceError: a score moves by more than 0.05, or the graph cannot read two texts, or the longest.
    """
    session = open_session(path)
    wanted = {value.name for value in session.get_inputs()}

    def scores(feeds: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float64]:
        given = {name: value for name, value in feeds.items() if name in wanted}
        return _scores(session.run(["logits"], given)[0], multi_label=config.problem_type == _MULTI_LABEL)

    try:
        scores(feeds_of(_repeated(rows[0], config.max_length)))
        moved = [np.abs(scores(feeds_of(row))[0] - scores(_padded(row, config))[0]) for row in rows[:_PADDED_TEXTS]]
    except Exception as error:  # onnxruntime's own error classes share no public base
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelSourceError(
            f"{source} cannot read texts of different lengths, up to {config.max_length} tokens; set MAX_LENGTH if it "
            f"was trained on shorter ones: {reason}"
        ) from error
    furthest = float(np.max(moved))
    if furthest > _MOST_BY_PADDING:
        raise ModelSourceError(
            f"{source} answers otherwise when a text is padded (a score moves by {furthest:.2f}): it does not use the "
            "attention mask; export it with attention_mask among its inputs"
        )


def _repeated(row: Sequence[int], length: int) -> list[int]:
    return (list(row) * (length // len(row) + 1))[:length]


def _padded(row: Sequence[int], config: BundleConfig) -> dict[str, NDArray[np.int64]]:
    """The row, padded, and beside it its tokens over and over."""
    ids = np.full((2, min(len(row) + _PADDING, config.max_length)), config.pad_token_id, dtype=np.int64)
    ids[0, : len(row)] = row
    ids[1] = _repeated(row, ids.shape[1])
    mask = np.ones_like(ids)
    mask[0, len(row) :] = 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def _scores(logits: Logits, *, multi_label: bool) -> NDArray[np.float64]:
    values = logits.astype(np.float64)
    if multi_label:
        return np.asarray(1 / (1 + np.exp(-values)))
    exponentials = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def feeds_of(row: Sequence[int]) -> dict[str, NDArray[np.int64]]:
    """One row of token ids as the inputs of a graph, each `[1, length]`."""
    ids = np.array([row], dtype=np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
