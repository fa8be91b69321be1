"""Callers take turns at the model."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from worker.inference.stats import PassTime
from worker.inference.turns import TextLoad, Turns, Window, WindowResult, rows_of_text, windows_of


class Model:
    """Takes the window whose turn it is, one a pass."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.waiting: deque[Window] = deque()

    def submit(self, *lengths: Sequence[int], caller: int) -> None:
        """Texts of one caller, each as the lengths of its windows."""
        texts = [windows_of([[0] * length for length in text], None, TextLoad(1, caller)) for text in lengths]
        self.turns.assign(texts)
        waiting = [*self.waiting, *(window for windows in texts for window in windows)]
        self.waiting = deque(sorted(waiting, key=lambda window: window.turn))

    def passes(self, count: int) -> list[tuple[int, int]]:
        """The caller and the length of the next windows."""
        taken = []
        for _ in range(count):
            texts = len({id(window.text) for window in self.waiting})
            window = self.waiting.popleft()
            self.turns.note([window], texts, is_last=not self.waiting)
            taken.append((window.text.load.flow, len(window.token_ids)))
        return taken


def test_one_callers_many_texts_do_not_hold_up_anothers_one() -> None:
    model = Model()
    model.submit(*[[10]] * 100, caller=1)
    model.passes(5)
    model.submit([11], caller=2)

    assert (2, 11) in model.passes(2)


def test_a_long_text_does_not_hold_up_a_short_one_even_of_the_same_caller() -> None:
    model = Model()
    model.submit([64] * 64, caller=1)
    model.passes(3)
    model.submit([11], caller=1)

    assert (1, 11) in model.passes(2)


def test_a_long_text_gets_its_turns_however_many_short_ones_come() -> None:
    model = Model()
    model.submit([64] * 4, caller=1)
    seen: list[tuple[int, int]] = []
    for caller in range(2, 60):
        model.submit([10], caller=caller)
        seen += model.passes(1)

    assert seen.count((1, 64)) == 4


def test_texts_of_one_caller_keep_their_order() -> None:
    model = Model()
    model.submit([3], [1], [2], caller=1)
    model.submit([5], [4], caller=1)

    assert [length for _, length in model.passes(5)] == [3, 1, 2, 5, 4]


def test_what_a_sentence_says_is_in_the_first_window_of_its_text() -> None:
    results = [
        WindowResult(np.array([1, 5], dtype=np.float32), PassTime(0, 0, 0)),
        WindowResult(np.array([2, 0], dtype=np.float32), PassTime(0, 0, 0)),
        WindowResult(np.array([4, 4], dtype=np.float32), PassTime(0, 0, 0), is_sentence=True),
    ]

    assert [row.tolist() for row in rows_of_text(results)] == [[4, 5], [2, 0]]
    assert results[0].logits.tolist() == [1, 5]  # of which spans are read
