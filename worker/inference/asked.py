"""The texts that one caller asked about, while the model reads them."""

import threading
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

from shared.cost import cost_of
from worker.inference.batcher import MicroBatcher
from worker.inference.submitted import Submitted, Tokenised
from worker.inference.turns import TextLoad, Told


class AskedTexts:
    """Thread-safe. Each text is taken once, by whoever answers it.

    `told` is called with the futures that end, in a model thread; `take` finds the texts that they end. Where nobody is
    told, nothing is noted either.
    """

    def __init__(self, told: Told | None) -> None:
        self.told = told
        self._lock = threading.Lock()
        # Those that nobody has taken, by what ends them.
        self._waiting: dict[Hashable, list[Submitted]] = {}

    @property
    def are_left(self) -> bool:
        """Whether some of them have not been taken."""
        return bool(self._waiting)

    @contextmanager
    def joining(self) -> Iterator[list[Submitted]]:
        """Context in which texts are brought to the model; those that are put into its list are then waited for.

        A pass may end before all are there: whoever takes what it read waits until they are.
        """
        texts: list[Submitted] = []
        told = self.told
        if told is None:
            yield texts
            return
        with self._lock:
            yield texts
            for text in texts:
                self._waiting.setdefault(text.awaited, []).append(text)
        for text in texts:
            if text.joined:
                text.joined.rows.add_done_callback(lambda rows: told([rows]))

    def take(self, futures: Sequence[Hashable]) -> list[Submitted]:
        """The texts that waited for one of these futures, which have ended."""
        with self._lock:
            return [text for future in futures for text in self._waiting.pop(future, ())]

    def take_all(self) -> list[Submitted]:
        """Those that have not been taken."""
        with self._lock:
            left = [text for texts in self._waiting.values() for text in texts]
            self._waiting.clear()
        return left


NOBODY = AskedTexts(None)
"""Whoever waits for the futures themselves."""


class TextsRead:
    """Wakes a waiting thread once, when the model has read all of its texts, instead of after each pass."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all_read = threading.Event()
        self._read = 0
        self._wanted: int | None = None

    def told(self, futures: Sequence[Hashable]) -> None:
        """Count futures that have ended."""
        with self._lock:
            self._read += len(futures)
            if self._read == self._wanted:
                self._all_read.set()

    def wait(self, texts: int) -> None:
        """Wait until as many have ended in all; called once."""
        with self._lock:
            self._wanted = texts
            if self._read == texts:
                return
        self._all_read.wait()


def read_alone(batcher: MicroBatcher, waiting: Sequence[Tokenised]) -> list[Submitted]:
    """The text that this thread could read itself, if it is alone in work; it has ended."""
    if len(waiting) != 1:
        return []
    ((text, windows),) = waiting
    read = batcher.read_alone(windows, text.priority, _load_of(text))
    if read is None:
        return []
    text.begin(read)
    return [text]


def queue_texts(batcher: MicroBatcher, waiting: Sequence[Tokenised], told: Told | None) -> None:
    """Queue the windows of texts of one priority."""
    if not waiting:
        return
    loads = [_load_of(text) for text, _ in waiting]
    submitted = batcher.submit([windows for _, windows in waiting], waiting[0][0].priority, told, loads)
    for (text, _), read in zip(waiting, submitted, strict=True):
        text.begin(read)


def _load_of(text: Submitted) -> TextLoad:
    return TextLoad(cost_of(text.item.text), text.item.flow, bool(text.explanation))
