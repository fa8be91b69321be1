"""A text on its way through the model."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared.errors import UnavailableError
from shared.messages import TextItem
from worker.inference.cache import Flight
from worker.inference.explaining import Explanation
from worker.inference.stage import Reading
from worker.inference.turns import WindowResult
from worker.inference.waiting import Priority


@dataclass(eq=False)
class Submitted:
    """One text whose windows a model thread has, or will have, read.

    `flight` is set where the result cache is asked; who does not lead it has no windows of its own. `may_cascade`:
    whether the cascade may answer it, so that no model thread reads it.
    """

    item: TextItem
    windows: "list[Future[WindowResult]]"
    tokenization_s: float
    reading: Reading
    priority: Priority
    explanation: Explanation | None = None
    occlusions: "list[Future[WindowResult]]" = field(default_factory=list)
    is_planned: bool = False
    flight: Flight | None = None
    is_leader: bool = True
    normalised: str = ""
    may_cascade: bool = False

    @property
    def futures(self) -> "list[Future[WindowResult]]":
        """What the model threads end."""
        return [*self.windows, *self.occlusions]

    def begin(self, windows: "list[Future[WindowResult]]") -> None:
        """Note its windows, which are on their way through the model."""
        self.windows = windows
        if self.flight is not None:
            self.flight.follow(windows)

    @property
    def joined(self) -> Flight | None:
        """The flight of another text that it waits for, which is the same once normalised."""
        return None if self.is_leader else self.flight

    @property
    def done(self) -> bool:
        """Whether there is an answer."""
        if self.joined is not None:
            return self.joined.rows.done()
        # A generator is spared where there is one window.
        if len(self.windows) == 1 and not self.occlusions:
            return self.windows[0].done()
        return all(future.done() for future in self.futures)


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
