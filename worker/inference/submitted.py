"""A text on its way through the model."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shared.errors import UnavailableError
from shared.messages import TextItem
from worker.inference.cache import Flight
from worker.inference.explaining import Explanation
from worker.inference.stage import Reading
from worker.inference.turns import TextResults
from worker.inference.waiting import Priority


@dataclass(eq=False)
class Submitted:
    """One text whose windows a model thread has, or will have, read: `read` ends with them.

    `flight` is set where the result cache is asked; who does not lead it has no windows of its own. `may_cascade`:
    whether the cascade may answer it, so that no model thread reads it. `occlusions` ends with the further windows that
    explaining it needs.
    """

    item: TextItem
    tokenization_s: float
    reading: Reading
    priority: Priority
    explanation: Explanation | None = None
    read: "Future[TextResults] | None" = None
    occlusions: "Future[TextResults] | None" = None
    is_planned: bool = False
    flight: Flight | None = None
    is_leader: bool = True
    normalised: str = ""
    may_cascade: bool = False

    @property
    def awaited(self) -> "Future[Any] | None":
        """What ends next of what it waits for; None where that has not begun."""
        if self.is_leader or self.flight is None:
            return self.occlusions or self.read
        return self.flight.rows

    def begin(self, read: "Future[TextResults]") -> None:
        """Note that its windows are on their way through the model."""
        self.read = read
        if self.flight is not None:
            self.flight.follow(read)

    @property
    def joined(self) -> Flight | None:
        """The flight of another text that it waits for, which is the same once normalised."""
        return None if self.is_leader else self.flight

    @property
    def done(self) -> bool:
        """Whether there is an answer."""
        return self.awaited is not None and self.awaited.done()


# A text with the token ids of its windows.
Tokenised = tuple[Submitted, Sequence[Sequence[int]]]


@contextmanager
def ending_flights(texts: Sequence[Submitted]) -> Iterator[None]:
    """Context that brings texts to the model; where it fails, others who wait for these texts are told."""
    try:
        yield
    except BaseException as error:
        for text in texts:
            if text.flight is not None and not text.flight.rows.done():
                text.flight.fail(UnavailableError(f"the text was not read ({type(error).__name__})"))
        raise
