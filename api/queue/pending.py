"""Texts on their way to a worker and back: of one request, and one by one."""

from collections.abc import Callable, Sequence

import msgspec

from api.http.caller import Caller
from shared.cost import cost_of
from shared.errors import KobertError
from shared.log import get_logger
from shared.messages import Answer, TextItem
from shared.options import VerdictOptions

log = get_logger(__name__)


class Flight:
    """One message that is with a worker, or will be."""

    __slots__ = ("by_caller", "cost", "cost_left", "least_cost", "progress_at")

    def __init__(self, cost: float, by_caller: dict[str, int], now: float, least_cost: float) -> None:
        self.cost = self.cost_left = cost
        # How many texts of whom have no answer.
        self.by_caller = by_caller
        # What it counts at least, since a message costs work itself.
        self.least_cost = least_cost
        # When it left, or when its last answer came.
        self.progress_at = now


class PendingRequest:
    """The texts of one request, and the answers that have come. `deadline` is on the monotonic clock.

    It is over when all are there, or nobody waits. Then, and once, `on_over` is called with it, on the spot: a future
    and its callback would cost a request a round of the event loop more.
    """

    __slots__ = (
        "answers", "caller", "cost_left", "deadline", "ends_at", "is_over", "on_over", "options", "request_id", "texts",
        "texts_left", "unanswered",
    )  # fmt: skip

    def __init__(self, texts: Sequence[str], options: VerdictOptions | None, caller: Caller, deadline: float) -> None:
        self.texts = texts
        self.options = options
        self.caller = caller
        self.deadline = deadline
        # When it is over: its deadline, on the event loop's clock.
        self.ends_at = 0.0
        self.request_id: str | None = None
        self.answers: list[Answer | KobertError | None] = [None] * len(texts)
        self.unanswered = len(texts)
        # What admission still counts.
        self.cost_left: float = sum(map(cost_of, texts))
        self.texts_left = len(texts)
        self.is_over = False
        self.on_over: Callable[[PendingRequest], None] = _do_nothing

    def answer(self, place: int, answer: Answer | KobertError) -> None:
        """Keep the answer to one text; one that comes late or twice is dropped."""
        if self.is_over or self.answers[place] is not None:
            return
        self.answers[place] = answer
        self.unanswered -= 1
        if not self.unanswered:
            self.end()

    def fail(self, error: KobertError) -> None:
        """End every text that has no answer with `error`."""
        for place, answer in enumerate(self.answers):
            if answer is None:
                self.answer(place, error)

    def end(self) -> None:
        """Nobody waits for the rest."""
        if self.is_over:
            return
        self.is_over = True
        try:
            self.on_over(self)
        except Exception:
            # Whoever ends a request has others to end.
            log.exception("request_end_failed", request_id=self.request_id)


class PendingText:
    """One text of a request that the outbox has handed out."""

    __slots__ = ("cost", "flight", "has_left", "item", "place", "request")

    def __init__(self, request: PendingRequest, place: int, text_id: int) -> None:
        text = request.texts[place]
        self.request = request
        self.place = place
        self.item = TextItem(text_id, text, flow=request.caller.flow)
        self.cost = cost_of(text)
        self.flight: Flight | None = None
        self.has_left = False

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for its answer."""
        return not self.request.is_over and self.request.answers[self.place] is None

    def mark_suspect(self) -> None:
        """A worker died while it may have had this text."""
        self.item = msgspec.structs.replace(self.item, is_suspect=True)

    def answer(self, answer: Answer | KobertError) -> None:
        """Hand the answer to its request."""
        self.request.answer(self.place, answer)


def _do_nothing(_request: PendingRequest) -> None:
    pass
