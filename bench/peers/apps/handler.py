"""What every peer does with texts: this project's graph, tokenizer and normaliser, and one word for each text.

Runs in the peers' own virtual environments, which have onnxruntime, tokenizers and numpy and nothing of this project
but the folder `bundles/text`, `bundles/session.py` and `bundles/windows.py` on the path.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Encoding, Tokenizer

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT))

from bundles.session import session_options  # noqa: E402
from bundles.text.normalise import normalise  # noqa: E402
from bundles.windows import Windows, discount_of, places_of, rows_of  # noqa: E402

TUNED = os.environ.get("PEER_STYLE") == "tuned"
MAX_BATCH = 64
# How long a tuned peer that collects a batch waits for more: as little as it allows.
WAIT_MS = 1
PASS_TOKENS = 512
THREADS = len(os.sched_getaffinity(0))


class Handler:
    """Texts -> answers.

    Plain: the library's default session and one padded pass. Tuned: what our engine knows, its session options and
    short passes of texts of like length, one on each processor.
    """

    def __init__(self) -> None:
        folder = Path(os.environ["PEER_BUNDLE"])
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._labels = config["labels"]
        self._curves = [np.array(config["calibration"][label], dtype=np.float64).T for label in self._labels]
        self._pad_token_id = config["pad_token_id"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._windows = Windows(config["max_length"] - 2, config["window_overlap"], config["sentence_discount"])
        options = session_options(1) if TUNED else onnxruntime.SessionOptions()
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._threads = ThreadPoolExecutor(THREADS)
        self._inputs = {value.name for value in self._session.get_inputs()}

    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        """One answer a text, in order."""
        read = [normalise(text) for text in texts]
        by_text = [
            self._rows(text, encoding) for text, encoding in zip(read, self._tokenizer.encode_batch(read), strict=True)
        ]
        rows = [row for of_text in by_text for row in of_text]
        found: list[np.ndarray] = [np.empty(0)] * len(rows)
        passes = self._passes(rows)
        batches = [[rows[place] for place in places] for places in passes]
        # A model of this size gains more from passes side by side than from threads in a pass, as in our engine.
        results = self._threads.map(self._run, batches) if len(batches) > 1 else map(self._run, batches)
        for places, logits in zip(passes, results, strict=True):
            for place, row in zip(places, logits, strict=True):
                found[place] = row - discount_of(rows[place])
        each = iter(found)
        return [self._answer(np.max([next(each) for _ in of_text], axis=0)) for of_text in by_text]

    def _rows(self, text: str, encoding: Encoding) -> list[list[int]]:
        """What our worker reads of a text: its windows, and each of its sentences besides."""
        first, *ids, last = encoding.ids
        whole, sentences = places_of(text, len(ids), lambda: encoding.offsets[1:-1], self._windows)
        return rows_of(ids, whole, sentences, ([first], [last]), self._windows.sentence_discount)

    def _passes(self, rows: list[list[int]]) -> list[list[int]]:
        """Places of rows that go through the graph together."""
        if not TUNED:
            return [list(range(len(rows)))]
        passes: list[list[int]] = []
        for place in sorted(range(len(rows)), key=lambda place: len(rows[place])):
            if passes and (len(passes[-1]) + 1) * len(rows[place]) <= PASS_TOKENS:
                passes[-1].append(place)
            else:
                passes.append([place])
        return passes

    def _run(self, rows: list[list[int]]) -> np.ndarray:
        longest = max(map(len, rows))
        ids = np.full((len(rows), longest), self._pad_token_id, dtype=np.int64)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = row
            mask[at, : len(row)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        logits: np.ndarray = self._session.run(["logits"], {name: feeds[name] for name in self._inputs})[0]
        return logits

    def _answer(self, logits: np.ndarray) -> dict[str, Any]:
        served = [np.interp(logit, *curve) for logit, curve in zip(logits, self._curves, strict=True)]
        scores = 1 / (1 + np.exp(-np.array(served)))
        by_label = dict(zip(self._labels, scores.round(4).tolist(), strict=True))
        top, score = max(((label, by_label[label]) for label in self._labels if "/" not in label), key=lambda p: p[1])
        is_clean = score < 0.5
        return {
            "classification": "clean" if is_clean else top,
            "confidence": 1 - score if is_clean else score,
            "scores": by_label,
        }


def texts_of(body: dict[str, Any]) -> list[str]:
    """The texts of a request: `{"text": …}` or `{"texts": […]}`."""
    return [body["text"]] if "text" in body else body["texts"]
