"""Two lanes of waiting texts: short ones, and those longer than a pass of the model, each with an outbox and credit.

So short texts never wait for the many passes of a long one: a worker gives its passes to the texts in hand in turns.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from api.queue.credit import Credit
from api.queue.outbox import Outbox
from api.queue.pending import PendingRequest, PendingText
from shared.cost import COST_PER_TOKEN, cost_of
from shared.settings import Settings

# Passes of the model that may be with one worker or on their way to it.
PASSES_AHEAD = 12
# Extra passes for callers who had nothing waiting while others keep the workers busy. Without them, such a text would
# wait until a whole message of the others is answered.
PASSES_FOR_FRESH = 4
# Messages that carry them, unless they are larger.
MESSAGES_AHEAD = 2
# Messages are smaller where several workers divide few texts, but not smaller than this.
LEAST_MESSAGE_TEXTS = 32
# Much is divided evenly among so few workers. More of them have less to do at a request's end where messages are large:
# eight did 848 texts/s with small ones, and 804 with even parts (`bench.ceiling`, in turns).
FEW_WORKERS = 2
# Long texts that may be with one worker at a time.
LONG_AHEAD = 2
# What a caller may send before it is another's turn: a share of a pass, or of the longest text.
TURN_SHARE = 0.25
# A message of which nothing was heard for so long holds no more credit: the worker that has it hangs, or it was lost.
STUCK_S = 4.0


@dataclass
class _Lane:
    outbox: Outbox
    credit: Credit
    limit_per_worker: float


class Lanes:
    """Not thread-safe. Costs are those of `shared.cost`."""

    def __init__(self, settings: Settings) -> None:
        self._max_message_texts = self._message_texts = settings.max_message_texts
        # The texts that fill one pass.
        self._pass_cost = settings.max_batch_tokens * COST_PER_TOKEN
        ids = itertools.count(1)
        ahead = PASSES_AHEAD * self._pass_cost
        self._short = _Lane(
            Outbox(TURN_SHARE * self._pass_cost, ids),
            Credit(ahead, ahead / MESSAGES_AHEAD, ahead, PASSES_FOR_FRESH * self._pass_cost),
            ahead,
        )
        self._long = _Lane(
            Outbox(max(self._pass_cost, TURN_SHARE * settings.max_text_chars), ids),
            Credit(LONG_AHEAD, 0.0, 1.0),
            LONG_AHEAD,
        )
        self._all = (self._short, self._long)

    def __bool__(self) -> bool:
        """Whether a text waits."""
        return any(lane.outbox for lane in self._all)

    def resize(self, workers: int, waiting_texts: int) -> None:
        """Keep so many workers busy, and divide evenly among a few what waits, if it is much."""
        workers = max(1, workers)
        for lane in self._all:
            lane.credit.limit = lane.limit_per_worker * workers
        least = max(LEAST_MESSAGE_TEXTS, self._max_message_texts // workers)
        messages = workers * max(1, math.ceil(waiting_texts / (workers * self._max_message_texts)))
        even = math.ceil(waiting_texts / messages) if workers <= FEW_WORKERS else 0
        self._message_texts = min(self._max_message_texts, max(least, even))

    def add(self, request: PendingRequest) -> None:
        """Queue the texts of a request."""
        if len(request.texts) == 1:
            lane = self._long if self._is_long(request.cost_left) else self._short
            lane.outbox.add(request, (0,))
            return
        long = [place for place, text in enumerate(request.texts) if self._is_long(cost_of(text))]
        if long:
            self._long.outbox.add(request, long)
        if len(long) < len(request.texts):
            are_long = frozenset(long)
            places = range(len(request.texts))
            self._short.outbox.add(request, [p for p in places if p not in are_long] if long else places)

    def add_again(self, texts: Iterable[PendingText]) -> None:
        """Queue texts that have left before, ahead of all others."""
        for text in texts:
            self._lane_of(text).outbox.add_again([text])

    @property
    def cost_away(self) -> float:
        """What is with the workers."""
        return self._short.credit.used

    def take(self, now: float, horizon: float) -> list[PendingText]:
        """Texts for one message, charged; none if no text waits that may leave now. `horizon`: as `Outbox.take`."""
        for lane in self._all:
            if lane.outbox and lane.credit.room > 0:
                batch = lane.outbox.take(lane.credit.room, self._message_texts, horizon)
                if batch:
                    lane.credit.charge(batch, now)
                    return batch
        return self._take_fresh(now, horizon)

    def _take_fresh(self, now: float, horizon: float) -> list[PendingText]:
        """Texts of callers who had nothing waiting, where another caller has more, with the workers or waiting."""
        outbox, credit = self._short.outbox, self._short.credit
        if not outbox or not credit.may_overdraw or (outbox.are_all_fresh and not credit.is_mostly_of_one):
            return []
        batch = outbox.take_fresh(self._message_texts, horizon, credit.has_less_than_others)
        if batch:
            credit.charge(batch, now, is_overdraft=True)
        return batch

    def settle(self, text: PendingText, now: float) -> None:
        """Give back the charge of a text that was answered or did not leave."""
        self._lane_of(text).credit.settle(text, now)

    def counts(self, text: PendingText) -> bool:
        """Whether the charge of a text that left has not been given back."""
        return self._lane_of(text).credit.counts(text)

    def forget_all(self) -> None:
        """Give back every charge: what is with the workers is not known."""
        for lane in self._all:
            lane.credit.forget_all()

    def forget_stuck(self, now: float) -> bool:
        """Give back the charge of messages that do not get on; returns whether there were any."""
        return sum(lane.credit.forget_stuck(now - STUCK_S) for lane in self._all) > 0

    def _is_long(self, cost: float) -> bool:
        return cost > self._pass_cost

    def _lane_of(self, text: PendingText) -> _Lane:
        return self._long if self._is_long(text.cost) else self._short
