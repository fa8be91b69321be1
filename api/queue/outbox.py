"""Texts that wait to be sent. Callers take turns by the cost of their texts, and so do the requests of one caller.

Deficit round robin (Shreedhar and Varghese, 1995): a caller whose turn it is may send texts up to its quantum, and
keeps what it could not use. One caller's thousand texts delay another's one text by no more than a turn of each. A
caller whose texts have only just come may be taken first (`take_fresh`), as new flows are by FQ-CoDel (RFC 8290).
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
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

    @property
    def cost(self) -> int:
        """Of the next text."""
        return cost_of(self.request.texts[self.places[0]])


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
        # Those that have not had a turn yet.
        self._fresh: dict[str, _Turn] = {}

    def __bool__(self) -> bool:
        return bool(self._again or self._by_name)

    def add(self, request: PendingRequest, places: Sequence[int]) -> None:
        """Queue texts of one request."""
        name = request.caller.name
        turn = self._by_name.get(name)
        if turn is None:
            turn = self._by_name[name] = self._fresh[name] = _Turn(name)
            self._turns.append(turn)
        turn.flows.append(_Flow(request, deque(places)))

    def add_again(self, texts: Iterable[PendingText]) -> None:
        """Queue texts that have left before, ahead of all others."""
        self._again.extend(texts)

    def take(self, room: float, count: int, horizon: float) -> list[PendingText]:
        """The next texts, up to `count`, until their cost fills `room`; the last one may exceed it.

        Requests whose deadline is before `horizon` fail: their texts would be computed for nobody.
        """
        taken: list[PendingText] = []
        for text in itertools.chain(self._drain_again(), self._drain_turns(horizon)):
            taken.append(text)
            room -= text.cost
            if room <= 0 or len(taken) == count:
                break
        return taken

    @property
    def are_all_fresh(self) -> bool:
        """Whether no caller whose texts wait has had a turn yet."""
        return len(self._fresh) == len(self._by_name)

    def take_fresh(self, count: int, horizon: float, may_go_first: Callable[[str], bool]) -> list[PendingText]:
        """Up to a quantum of texts from each caller who has not had a turn yet, and may go before the others."""
        taken: list[PendingText] = []
        for name in list(filter(may_go_first, self._fresh)):
            if len(taken) >= count:
                break
            turn = self._fresh.pop(name)
            turn.allowance += self._quantum
            while (flow := turn.head(horizon)) and flow.cost <= turn.allowance and len(taken) < count:
                taken.append(self._hand_out(turn, flow))
            if not turn.flows:
                # It stays in the queue of turns until it is met there.
                self._forget(turn)
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
                self._forget(turn)
            elif turn.allowance < flow.cost:
                turn.allowance += self._quantum
                self._fresh.pop(turn.name, None)
                self._turns.rotate(-1)
            else:
                text = self._hand_out(turn, flow)
                if not turn.flows:
                    self._turns.popleft()
                    self._forget(turn)
                yield text

    def _hand_out(self, turn: _Turn, flow: _Flow) -> PendingText:
        """The next text of `flow`, which is the first of the turn."""
        turn.allowance -= flow.cost
        text = PendingText(flow.request, flow.places.popleft(), next(self._ids))
        turn.flows.popleft()
        if flow.places:
            turn.flows.append(flow)
        return text

    def _forget(self, turn: _Turn) -> None:
        """Nothing of this caller waits; unless it has come again, and has another turn."""
        if self._by_name.get(turn.name) is turn:
            del self._by_name[turn.name]
            self._fresh.pop(turn.name, None)
