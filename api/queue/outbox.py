"""Texts that wait to be sent. Callers take turns by the cost of their texts, and so do the requests of one caller.

Deficit round robin (Shreedhar and Varghese, 1995): a caller whose turn it is may send texts up to its quantum, and
keeps what it could not use. One caller's thousand texts delay another's one text by no more than a turn of each.
"""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from api.queue.pending import PendingRequest, PendingText
from shared.cost import cost_of
from shared.errors import OverloadedError

TOO_LATE = OverloadedError(
    "the workers are slower than when this was accepted, and cannot answer it in time; try again shortly",
    retry_after_s=1,
)


@dataclass(eq=False, slots=True)
class _Flow:
    """What of one request waits: the places of its texts."""

    request: PendingRequest
    places: deque[int]


@dataclass(eq=False, slots=True)
class _Turn:
    """One caller: its requests, and what it may send before it is another's turn."""

    name: str
    allowance: float = 0.0
    flows: deque[_Flow] = field(default_factory=deque)

    def head(self, horizon: float) -> _Flow | None:
        """The request whose text is next.

        Those that nobody waits for are dropped, and those that would not be answered before `horizon` are ended.
        """
        while self.flows:
            flow = self.flows[0]
            if flow.places and not flow.request.is_over:
                if flow.request.deadline > horizon:
                    return flow
                flow.request.fail(TOO_LATE)
            self.flows.popleft()
        return None


class Outbox:
    """Not thread-safe. `ids` gives each text that leaves an id of its own."""

    def __init__(self, quantum: float, ids: Iterator[int]) -> None:
        self._quantum = quantum
        self._ids = ids
        self._again: deque[PendingText] = deque()
        self._turns: deque[_Turn] = deque()
        self._by_name: dict[str, _Turn] = {}

    def __bool__(self) -> bool:
        return bool(self._again or self._turns)

    def add(self, request: PendingRequest, places: Sequence[int]) -> None:
        """Queue texts of one request."""
        name = request.caller.name
        turn = self._by_name.get(name)
        if turn is None:
            turn = self._by_name[name] = _Turn(name)
            self._turns.append(turn)
        turn.flows.append(_Flow(request, deque(places)))

    def add_again(self, texts: Iterable[PendingText]) -> None:
        """Queue texts that have left before, ahead of all others."""
        self._again.extend(texts)

    def take(self, room: float, count: int, horizon: float) -> list[PendingText]:
        """The next texts, up to `count`, until their cost fills `room`; the last one may exceed it.

        Requests whose deadline is before the Unix time `horizon` fail: their texts would be computed for nobody.
        """
        taken: list[PendingText] = []
        for text in itertools.chain(self._drain_again(), self._drain_turns(horizon)):
            taken.append(text)
            room -= text.cost
            if room <= 0 or len(taken) == count:
                break
        return taken

    def _drain_again(self) -> Iterator[PendingText]:
        while self._again:
            text = self._again.popleft()
            if text.is_wanted:
                yield text

    def _drain_turns(self, horizon: float) -> Iterator[PendingText]:
        while self._turns:
            turn = self._turns[0]
            flow = turn.head(horizon)
            if flow is None:
                self._turns.popleft()
                del self._by_name[turn.name]
                continue
            cost = cost_of(flow.request.texts[flow.places[0]])
            if turn.allowance < cost:
                turn.allowance += self._quantum
                self._turns.rotate(-1)
                continue
            turn.allowance -= cost
            turn.flows.rotate(-1)
            yield PendingText(flow.request, flow.places.popleft(), next(self._ids))
