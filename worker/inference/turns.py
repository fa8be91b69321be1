"""Windows that wait for the model, in the order in which their callers take turns.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): each window has a virtual time at which its turn comes. A
caller's next text comes after its last one, and the windows of a long text one after the other, while a text of another
caller comes at once. So neither many texts nor long ones hold up anybody else, and everybody's turn comes.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from bundles.windows import SentenceIds
from worker.inference.engines.protocol import Evidence, Logits
from worker.inference.stats import PassTime

# Callers whose turn is in the past are forgotten beyond this number.
MAX_FLOWS = 1_024


class TextLoad(NamedTuple):
    """What a text costs (`shared.cost`), the number of its caller, and whether its evidence is wanted.

    Evidence is given only if the engine has any.
    """

    cost: float = 0.0
    flow: int = 0
    is_explained: bool = False


NO_LOAD = TextLoad()


class WindowResult(NamedTuple):
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
    whole = [result.logits for result in results if not result.is_sentence]
    for result in results[len(whole) :]:
        whole[0] = np.maximum(whole[0], result.logits)
    return whole


# Told after each pass of the windows, or of others' results, that somebody waits for: by their futures.
Told = Callable[[Sequence["Future[Any]"]], None]


@dataclass(eq=False)
class Text:
    """Shared by the windows of one text, to count texts: the API plans with texts, not windows."""

    windows: int
    waiting: int
    has_failed: bool = False
    told: Told | None = None
    load: TextLoad = NO_LOAD


@dataclass(eq=False)
class Window:
    """A part of a text that waits for a pass; `turn` is the virtual time at which its turn comes."""

    token_ids: Sequence[int]
    text: Text = field(default_factory=lambda: Text(1, 1))
    future: "Future[WindowResult]" = field(default_factory=Future)
    turn: float = 0.0

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
    return [Window(token_ids, text) for token_ids in windows]


def result_of(window: Window, logits: Logits, pass_time: PassTime, evidence: Evidence | None) -> WindowResult:
    """What a pass found in a window; of a sentence that is read besides its text, less its discount."""
    if isinstance(window.token_ids, SentenceIds):
        return WindowResult(logits - np.float32(window.token_ids.discount), pass_time, evidence, is_sentence=True)
    return WindowResult(logits, pass_time, evidence)


class Turns:
    """Not thread-safe. Virtual time counts tokens."""

    def __init__(self) -> None:
        self._now = 0.0
        # When the next text of each caller has its turn.
        self._next: dict[int, float] = {}

    def queue(self, texts: Sequence[Sequence[Window]], waiting: deque[Window]) -> None:
        """Put the windows of these texts into `waiting`, each where its turn is."""
        for windows in texts:
            turn = max(self._now, self._next.get(windows[0].text.load.flow, 0.0)) if windows else 0.0
            for place, window in enumerate(windows):
                window.turn = turn
                _insert(window, waiting)
                turn += len(window.token_ids)
                if not place:
                    # The rest of a long text does not hold up the next one of the same caller.
                    self._next[window.text.load.flow] = turn

    def note(self, batch: Sequence[Window], texts: int, waiting: deque[Window]) -> None:
        """A pass begins on `batch`, whose first window is the oldest, of `texts` texts; `waiting` is what is left.

        Virtual time goes on as if each of the texts had got its share of the pass: whose turn is next can be late, but
        comes.
        """
        tokens = sum(len(window.token_ids) for window in batch)
        self._now = max(self._now, batch[0].turn) + tokens / max(1, texts)
        if not waiting:
            self._next.clear()
        elif len(self._next) > MAX_FLOWS:
            self._next = {flow: turn for flow, turn in self._next.items() if turn > self._now}


def _insert(window: Window, waiting: deque[Window]) -> None:
    """Behind everything whose turn is not later; mostly that is the end."""
    place = len(waiting)
    while place and waiting[place - 1].turn > window.turn:
        place -= 1
    waiting.insert(place, window)
