"""Texts that an earlier worker may have died of: they are read with care, and those that are deadly fail by name."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from shared.errors import PredictionFailedError
from shared.messages import Answer, TextItem
from shared.options import VerdictOptions
from shared.verdict import Failure
from worker.inference.classifier import Classifier
from worker.quarantine.child import SuspectText
from worker.quarantine.known import DeadlyTexts
from worker.quarantine.reader import Quarantine


class Suspects:
    """Thread-safe. Callers get the `classifier`'s answers to every text that does not end the process that reads it."""

    def __init__(self, classifier: Classifier, quarantine: Quarantine, known: DeadlyTexts) -> None:
        self.classifier = classifier
        self.known = known
        self._quarantine = quarantine

    def answers_as_done(
        self, asked: Sequence[tuple[TextItem, VerdictOptions]], deadline: float
    ) -> Iterator[list[Answer]]:
        """As `Classifier.answers_as_done`, once it is known which of the texts are deadly."""
        deadly = self.find_deadly(_numbered(asked), lambda: time.monotonic() >= deadline) or {}
        return self._answers_without(deadly, asked, deadline)

    def answers_to_known(
        self, asked: Sequence[tuple[TextItem, VerdictOptions]], deadline: float
    ) -> Iterator[list[Answer]]:
        """As `Classifier.answers_as_done`, but for texts of which it is already known that they are deadly."""
        return self._answers_without(self.find_known(_numbered(asked)), asked, deadline)

    def find_known(self, texts: Iterable[tuple[int, str, VerdictOptions]]) -> dict[int, Failure]:
        """The failures of those that are known to end the process that reads them, by their number."""
        if not self.known.are_known:
            return {}
        ends = {number: self.known.end_of(suspect) for number, suspect in self._suspects(texts).items()}
        return {number: _failure(end) for number, end in ends.items() if end is not None}

    def find_deadly(
        self, texts: Iterable[tuple[int, str, VerdictOptions]], is_over: Callable[[], bool]
    ) -> dict[int, Failure] | None:
        """The failures of those that end the process that reads them, by their number.

        None when `is_over` said meanwhile that nobody waits for them.
        """
        suspects = self._suspects(texts)
        known = {number: end for number, text in suspects.items() if (end := self.known.end_of(text)) is not None}
        unknown = {number: text for number, text in suspects.items() if number not in known}
        found = self._quarantine.find_deadly(unknown, is_over) if unknown else {}
        if found is None:
            return None
        self.known.add({unknown[number]: end for number, end in found.items()})
        return {number: _failure(end) for number, end in {**known, **found}.items()}

    def _suspects(self, texts: Iterable[tuple[int, str, VerdictOptions]]) -> dict[int, SuspectText]:
        """What the model would read of each that it is asked about."""
        suspects = {}
        for number, text, options in texts:
            read = self.classifier.text_read(text, options)
            if read is not None:
                suspects[number] = SuspectText(read, options.wants_spans)
        return suspects

    def _answers_without(
        self, deadly: dict[int, Failure], asked: Sequence[tuple[TextItem, VerdictOptions]], deadline: float
    ) -> Iterator[list[Answer]]:
        if deadly:
            yield [Answer(id=asked[number][0].id, failure=failure) for number, failure in deadly.items()]
        rest = [one for number, one in enumerate(asked) if number not in deadly]
        if rest:
            yield from self.classifier.answers_as_done(
                [item for item, _ in rest], deadline, [options for _, options in rest]
            )


def _numbered(asked: Sequence[tuple[TextItem, VerdictOptions]]) -> list[tuple[int, str, VerdictOptions]]:
    return [(number, item.text, options) for number, (item, options) in enumerate(asked)]


def _failure(end: str) -> Failure:
    return Failure(PredictionFailedError.code, f"the process that read this text {end}; it is not tried again")
