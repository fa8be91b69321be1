"""What a graph has said of texts, kept on disk: an interrupted run goes on, and no text is read twice."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.data.batches import Floats
from training.ship.bundle import GraphRunner

log = logging.getLogger(__name__)
_TEXTS_A_FILE = 4_000
_HASH_BYTES = 8


class SaidStore:
    """The logits of `runner`'s graph by text, in files of `folder`, which belongs to that one graph."""

    def __init__(self, folder: Path, runner: GraphRunner) -> None:
        self._folder = folder
        self._runner = runner
        self._known: dict[int, Floats] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob("*.npz")):
            stored = np.load(path)
            self._known.update(zip(stored["keys"].tolist(), stored["logits"], strict=True))

    def logits(self, texts: Sequence[str]) -> Floats:
        """Logits `[texts, labels]`; what is not known is read, a few thousand texts at a time, and kept."""
        keys = [_key(text) for text in texts]
        unread = list({key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}.items())
        for start in tqdm(range(0, len(unread), _TEXTS_A_FILE), desc="reading", disable=not unread):
            self._read(unread[start : start + _TEXTS_A_FILE])
        found: Floats = np.stack([self._known[key] for key in keys])
        return found

    def _read(self, texts: Sequence[tuple[int, str]]) -> None:
        keys = [key for key, _ in texts]
        logits = self._runner.logits([text for _, text in texts])
        self._known.update(zip(keys, logits, strict=True))
        path = self._folder / f"{keys[0]:016x}.npz"
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, keys=np.array(keys, dtype=np.uint64), logits=logits)
        partial.replace(path)


def _key(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "big")
