"""Texts that the model reads in windows, and the order in which their callers take turns.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): each window has a virtual time at which its turn comes. A
caller's next text comes after its last one, and the windows of a long text one after the other, while a text of another
caller comes at once. So neither many texts nor long ones hold up anybody else, and everybody's turn comes.
"""

import contextlib
import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from bundles.windows import SentenceIds
from worker.inference.engines.protocol import Evidence, Logits
from worker.inference.stats import PassTime

# Callers whose turn is in the past are forgotten beyond this number.
MAX_FLOWS = 1_024


class TextLoad(msgspec.Struct, frozen=True):
    """What a text costs (`shared.cost`), the number of its caller, and whether its evidence is wanted.

    Evidence is given only if the engine has any.
    """

    cost: float = 0.0
    flow: int = 0
    is_explained: bool = False


NO_LOAD = TextLoad()


class WindowResult(msgspec.Struct, frozen=True):
    """Logits `[labels]` of one window, and when its pass ran.

    `evidence` is what each of its tokens adds, where the text is to be explained and the engine can tell;
    `is_sentence`: it was read besides the windows of the whole text.
    """

    logits: Logits
    pass_time: PassTime
    evidence: Evidence | None = None
    is_sentence: bool = False


def rows_of_text(results: Sequence[WindowResult]) -> list[Logits]:
    """The logits of a text's windows; what its sentences say is in the first one, as the highest logits count."""
    if len(results) == 1:
        return [results[0].logits]
    whole = [result.logits for result in results if not result.is_sentence]
    for result in results[len(whole) :]:
        whole[0] = np.maximum(whole[0], result.logits)
    return whole


# What a text ends as: the result of each of its windows.
TextResults = list[WindowResult]
# Told after each pass of the texts that it ended, and of what others were told, as somebody waits: by their futures.
Told = Callable[[Sequence["Future[Any]"]], None]


@dataclass(eq=False)
class Text:
    """What the windows of one text share; `future` ends with the last of them.

    `waiting` windows have not been taken: the API plans with texts, not windows.
    """

    windows: int
    waiting: int
    has_failed: bool = False
    told: Told | None = None
    load: TextLoad = NO_LOAD
    future: "Future[TextResults]" = field(default_factory=Future)
    read: dict[int, WindowResult | Exception] = field(default_factory=dict)

    def note(self, place: int, result: WindowResult | Exception) -> bool:
        """Note how its window at `place` ended; returns whether it was the last one. One thread at a time calls it."""
        self.read[place] = result
        return len(self.read) == self.windows

    def end(self) -> None:
        """End as the results of all its windows, or as the error of the first that has one."""
        results: list[WindowResult] = []
        error: Exception | None = None
        for place in range(self.windows):
            result = self.read[place]
            if not isinstance(result, Exception):
                results.append(result)
            elif error is None:
                error = result
        # Who no longer waits has cancelled it.
        with contextlib.suppress(InvalidStateError):
            if error is None:
                self.future.set_result(results)
            else:
                self.future.set_exception(error)


@dataclass(eq=False)
class Window:
    """A part of a text that waits for a pass, at its `place` among them.

    `turn` is the virtual time at which its turn comes, and a number that tells which of several was there first.
    """

    token_ids: Sequence[int]
    text: Text = field(default_factory=lambda: Text(1, 1))
    place: int = 0
    turn: tuple[float, int] = (0.0, 0)

    @property
    def text_share(self) -> float:
        """The share of its text that this window is."""
        return 1 / self.text.windows

    def leaves(self) -> bool:
        """Count the window as taken; returns whether it was the last waiting window of its text."""
        self.text.waiting -= 1
        return not self.text.waiting


def windows_of(windows: Sequence[Sequence[int]], told: Told | None, load: TextLoad) -> list[Window]:
    """The windows of one text."""
    text = Text(len(windows), len(windows), told=told, load=load)
    return [Window(token_ids, text, place) for place, token_ids in enumerate(windows)]


def result_of(window: Window, logits: Logits, pass_time: PassTime, evidence: Evidence | None) -> WindowResult:
    """What a pass found in a window; of a sentence that is read besides its text, less its discount."""
    if isinstance(window.token_ids, SentenceIds):
        return WindowResult(logits - np.float32(window.token_ids.discount), pass_time, evidence, is_sentence=True)
    return WindowResult(logits, pass_time, evidence)


class Endings:
    """Thread-safe: windows of one text may end in several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def note(self, windows: Sequence[Window], results: Sequence[WindowResult | Exception]) -> None:
        """Note how windows ended; the texts of which each was the last one end, and who waits for them is told."""
        with self._lock:
            ended = [
                window.text
                for window, result in zip(windows, results, strict=True)
                if window.text.note(window.place, result)
            ]
        by_told: dict[Told, list[Future[TextResults]]] = {}
        for text in ended:
            text.end()
            if text.told is not None:
                by_told.setdefault(text.told, []).append(text.future)
        for told, futures in by_told.items():
            told(futures)


class Turns:
    """Not thread-safe. Virtual time counts tokens."""

    def __init__(self) -> None:
        self._now = 0.0
        self._numbers = itertools.count()
        # When the next text of each caller has its turn.
        self._next: dict[int, float] = {}

    def assign(self, texts: Sequence[Sequence[Window]]) -> None:
        """Tell the windows of these texts when their turns are."""
        for windows in texts:
            turn = max(self._now, self._next.get(windows[0].text.load.flow, 0.0)) if windows else 0.0
            for window in windows:
                window.turn = (turn, next(self._numbers))
                turn += len(window.token_ids)
                if not window.place:
                    # The rest of a long text does not hold up the next one of the same caller.
                    self._next[window.text.load.flow] = turn

    def note(self, batch: Sequence[Window], texts: int, *, is_last: bool) -> None:
        """A pass begins on `batch`, whose first window is the oldest, of `texts` texts; `is_last`: none is left.

        Virtual time goes on as if each of the texts had got its share of the pass: whose turn is next can be late, but
        comes.
        """
        tokens = sum(len(window.token_ids) for window in batch)
        self._now = max(self._now, batch[0].turn[0]) + tokens / max(1, texts)
        if is_last:
            self._next.clear()
        elif len(self._next) > MAX_FLOWS:
            self._next = {flow: turn for flow, turn in self._next.items() if turn > self._now}
