"""Spreadsheets are read one at a time, and their senders take turns."""

import threading

from api.http.caller import Caller, Presence
from api.http.file_turn import FileTurn
from tests.support.stack import wait_until


class Reader(threading.Thread):
    """Waits for the turn on behalf of `caller`."""

    def __init__(self, turn: FileTurn, caller: Caller, order: list[str]) -> None:
        super().__init__(daemon=True)
        self._turn, self._caller, self._order = turn, caller, order
        self.has_had_turn = False

    def run(self) -> None:
        self.has_had_turn = self._turn.take(self._caller)
        if self.has_had_turn:
            self._order.append(self._caller.name)


def waiting(turn: FileTurn, callers: list[Caller], order: list[str]) -> list[Reader]:
    readers = []
    for caller in callers:
        readers.append(Reader(turn, caller, order))
        readers[-1].start()
        wait_until(lambda: len(turn._waiting) == len(readers), "the reader's wait")
    return readers


def test_one_callers_many_files_keep_another_waiting_for_one_at_most() -> None:
    turn = FileTurn()
    order: list[str] = []
    assert turn.take(Caller("many"))
    readers = waiting(turn, [Caller("many"), Caller("many"), Caller("one"), Caller("many")], order)

    for count in range(1, 5):
        turn.give_back()
        wait_until(lambda count=count: len(order) == count, "the next turn")  # type: ignore[misc]

    assert order == ["one", "many", "many", "many"]
    for reader in readers:
        reader.join(30)


def test_two_callers_who_take_turns_keep_no_third_waiting() -> None:
    turn = FileTurn()
    order: list[str] = []
    assert turn.take(Caller("a"))
    callers = [Caller("a"), Caller("a"), Caller("b"), Caller("b"), Caller("a"), Caller("b")]
    waiting(turn, callers, order)
    for count in range(1, 3):
        turn.give_back()
        wait_until(lambda count=count: len(order) == count, "the next turn")  # type: ignore[misc]
    late = Reader(turn, Caller("c"), order)
    late.start()
    wait_until(lambda: len(turn._waiting) == len(callers) - 2 + 1, "the third caller's wait")
    for count in range(3, len(callers) + 2):
        turn.give_back()
        wait_until(lambda count=count: len(order) == count, "the next turn")  # type: ignore[misc]

    assert order == ["b", "a", "c", "b", "a", "b", "a"]


def test_two_files_at_a_time_are_not_three() -> None:
    turn = FileTurn(2)
    order: list[str] = []
    assert turn.take(Caller("first"))
    assert turn.take(Caller("second"))
    waiting(turn, [Caller("third")], order)
    assert order == []
    turn.give_back()
    wait_until(lambda: order == ["third"], "a turn")


def test_who_has_left_waits_no_longer_and_has_no_turn() -> None:
    turn = FileTurn()
    order: list[str] = []
    gone = Presence()
    assert turn.take(Caller("first"))
    left, stays = waiting(turn, [Caller("left", gone), Caller("stays")], order)

    gone.lose()
    left.join(30)
    assert not left.is_alive()
    assert not left.has_had_turn
    turn.give_back()
    stays.join(30)

    assert order == ["stays"]
