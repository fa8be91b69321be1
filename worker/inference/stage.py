"""What may stand around the model: it says what the model reads of a text, and amends what the model says of it."""

from typing import Protocol

import msgspec

from shared.options import VerdictOptions
from shared.verdict import Verdict


class Reading(msgspec.Struct, frozen=True):
    """How one text is read.

    `text` is what the model reads, as long as the text as sent, so that offsets hold in both. Where `verdict` is set,
    it is the answer already, and the model is not asked.
    """

    text: str
    options: VerdictOptions
    verdict: Verdict | None = None


class Stage(Protocol):
    """Thread-safe. Called in the threads that ask the model, never in a model thread."""

    def prepare(self, text: str, options: VerdictOptions) -> Reading:
        """How `text` is to be read; raises KobertError where it cannot be."""
        ...

    def amend(self, reading: Reading, verdict: Verdict) -> Verdict:
        """The verdict to answer, given what the model said of `reading`."""
        ...


class NoStage:
    """The model alone."""

    def prepare(self, text: str, options: VerdictOptions) -> Reading:
        """The text itself."""
        return Reading(text, options)

    def amend(self, reading: Reading, verdict: Verdict) -> Verdict:  # noqa: ARG002  as `Stage` has it
        """What the model said."""
        return verdict
