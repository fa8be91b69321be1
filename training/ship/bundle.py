"""Writes a served bundle: graph, tokenizer, config, card, manifest; and runs one, for scores."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
from tokenizers import Encoding, Tokenizer

from bundles.cascade import CASCADE_FILE
from bundles.format import (
    CARD_FILE,
    CONFIG_FILE,
    FORMAT_VERSION,
    MODEL_FILE,
    TOKENIZER_FILE,
    Bundle,
    BundleConfig,
    load_bundle,
    write_manifest,
)
from bundles.session import session_options
from bundles.text.normalise import CURRENT, NORMALISERS
from bundles.windows import Windows, discount_of, places_of, rows_of
from training.data.batches import Floats, group_by_length
from training.ship.serving import STANDARD, STRICTNESSES, Taxonomy

NORMALISER = CURRENT


def config_of(taxonomy: Taxonomy, name: str, windows: Windows, pad_token_id: int) -> BundleConfig:
    """The config of a bundle that serves `taxonomy`."""
    multi_label = taxonomy.clean_label is not None
    return BundleConfig(
        format_version=FORMAT_VERSION,
        name=name,
        problem_type="multi_label_classification" if multi_label else "single_label_classification",
        labels=taxonomy.names,
        max_length=windows.tokens,
        window_overlap=windows.overlap,
        sentence_discount=windows.sentence_discount,
        pad_token_id=pad_token_id,
        clean_label=taxonomy.clean_label,
        thresholds=_thresholds(taxonomy, STANDARD) if multi_label else {},
        strictness={level: _thresholds(taxonomy, level) for level in STRICTNESSES} if multi_label else {},
        calibration={label.name: list(label.knots) for label in taxonomy.labels if label.knots},
        sub_labels=dict(taxonomy.sub_labels),
        normaliser=NORMALISER,
    )


def _thresholds(taxonomy: Taxonomy, level: str) -> dict[str, float]:
    return {label.name: label.thresholds[level] for label in taxonomy.labels}


def write_bundle(folder: Path, config: BundleConfig, graph: Path, tokenizer: Tokenizer, card: str) -> Bundle:
    """Write the bundle in `folder`, over what was there, and read it back as a worker does."""
    folder.mkdir(parents=True, exist_ok=True)
    # That of the graph which was there before: it is not for this one.
    (folder / CASCADE_FILE).unlink(missing_ok=True)
    (folder / MODEL_FILE).write_bytes(graph.read_bytes())
    tokenizer.save(str(folder / TOKENIZER_FILE), pretty=False)
    (folder / CONFIG_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(config), indent=1) + b"\n")
    (folder / CARD_FILE).write_text(card, encoding="utf-8")
    write_manifest(folder)
    return load_bundle(folder)


class GraphRunner:
    """Runs a served graph on texts the way a worker does: normalised, sorted by length, in small batches."""

    def __init__(self, graph: Path, tokenizer: Tokenizer, *, windows: Windows, pad_id: int, threads: int = 2) -> None:
        self.path = graph
        self.normalise: Callable[[str], str] = NORMALISERS[NORMALISER]
        self.session = onnxruntime.InferenceSession(
            str(graph), session_options(threads), providers=["CPUExecutionProvider"]
        )
        self.tokenizer = tokenizer
        self.windows = windows
        self.pad_id = pad_id

    @classmethod
    def of_bundle(cls, bundle: Bundle, *, threads: int = 2) -> "GraphRunner":
        """The runner of a bundle on disk."""
        tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
        config = bundle.config
        windows = Windows(config.max_length, config.window_overlap, config.sentence_discount)
        runner = cls(bundle.model_path, tokenizer, windows=windows, pad_id=config.pad_token_id, threads=threads)
        runner.normalise = NORMALISERS[config.normaliser] if config.normaliser else str
        return runner

    def logits(self, texts: Sequence[str], *, tokens_per_batch: int = 512) -> Floats:
        """Logits `[texts, outputs]`, in the order of the texts: the highest of each text's windows, as it is served."""
        windows = self.windows_of(texts)
        rows = self.logits_of_ids([window for text in windows for window in text], tokens_per_batch)
        rows -= np.array([discount_of(window) for text in windows for window in text], dtype=np.float32)[:, None]
        starts = np.cumsum([0, *map(len, windows[:-1])])
        highest: Floats = np.maximum.reduceat(rows, starts, axis=0)
        return highest

    def windows_of(self, texts: Sequence[str]) -> list[list[list[int]]]:
        """The windows of each text, as token ids."""
        read = [self.normalise(text) for text in texts]
        encoded = self.tokenizer.encode_batch(read)  # the fast one does not say where the tokens stand
        return [self._windows(text, item) for text, item in zip(read, encoded, strict=True)]

    def _windows(self, text: str, encoding: Encoding) -> list[list[int]]:
        """The ids of a text, the first and last of which are special tokens, cut as a worker cuts them."""
        first, *ids, last = encoding.ids
        own = replace(self.windows, tokens=self.windows.tokens - 2)
        whole, sentences = places_of(text, len(ids), lambda: encoding.offsets[1:-1], own)
        return rows_of(ids, whole, sentences, ([first], [last]), own.sentence_discount)

    @property
    def max_length(self) -> int:
        """Tokens in a window, special ones included."""
        return self.windows.tokens

    def logits_of_ids(self, ids: Sequence[Sequence[int]], tokens_per_batch: int = 512) -> Floats:
        """Logits of token ids, batches closed by their padded number of tokens."""
        groups = group_by_length(np.array([len(row) for row in ids], dtype=np.float64), tokens_per_batch)
        parts = [self._run([ids[row] for row in group]) for group in groups]
        joined: Floats = np.concatenate(parts)
        ordered = np.empty_like(joined)
        ordered[np.concatenate(groups)] = joined
        return ordered

    def _run(self, rows: Sequence[Sequence[int]]) -> Floats:
        longest = max(map(len, rows))
        ids = np.full((len(rows), longest), self.pad_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        logits: Floats = self.session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]
        return logits
