"""Texts that an earlier worker may have died of: they are read with care, and those that are deadly fail by name."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from shared.errors import PredictionFailedError
from shared.messages import Answer, TextItem
from shared.options import VerdictOptions
from shared.verdict import Failure
from worker.inference.classifier import Classifier
from worker.quarantine.child import SuspectText
from worker.quarantine.reader import Quarantine

# Deadly texts that are remembered: the same one may come in several messages and chunks.
MAX_KNOWN = 1_024


class Suspects:
    """Thread-safe. Callers get the `classifier`'s answers to every text that does not end the process that reads it."""

    def __init__(self, classifier: Classifier, quarantine: Quarantine) -> None:
        self.classifier = classifier
        self._quarantine = quarantine
        self._known: dict[SuspectText, str] = {}

    def answers_as_done(
        self, asked: Sequence[tuple[TextItem, VerdictOptions]], deadline: float
    ) -> Iterator[list[Answer]]:
        """As `Classifier.answers_as_done`, once it is known which of the texts are deadly."""
        texts = [(number, item.text, options) for number, (item, options) in enumerate(asked)]
        deadly = self.find_deadly(texts, lambda: time.time() >= deadline) or {}
        if deadly:
            yield [Answer(id=asked[number][0].id, failure=failure) for number, failure in deadly.items()]
        rest = [one for number, one in enumerate(asked) if number not in deadly]
        if rest:
            yield from self.classifier.answers_as_done(
                [item for item, _ in rest], deadline, [options for _, options in rest]
            )

    def find_deadly(
        self, texts: Iterable[tuple[int, str, VerdictOptions]], is_over: Callable[[], bool]
    ) -> dict[int, Failure] | None:
        """The failures of those that end the process that reads them, by their number.

        None when `is_over` said meanwhile that nobody waits for them.
        """
        suspects = {}
        for number, text, options in texts:
            read = self.classifier.text_read(text, options)
            if read is not None:
                suspects[number] = SuspectText(read, options.wants_spans)
        known = {number: self._known[text] for number, text in suspects.items() if text in self._known}
        unknown = {number: text for number, text in suspects.items() if number not in known}
        found = self._quarantine.find_deadly(unknown, is_over) if unknown else {}
        if found is None:
            return None
        if len(self._known) < MAX_KNOWN:
            self._known.update({unknown[number]: end for number, end in found.items()})
        return {number: _failure(end) for number, end in {**known, **found}.items()}


def _failure(end: str) -> Failure:
    return Failure(PredictionFailedError.code, f"the process that read this text {end}; it is not tried again")
