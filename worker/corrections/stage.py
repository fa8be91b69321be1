"""Corrections before all else: a text that a person put right is answered so, and neither rules nor model see it."""

import msgspec

from shared.options import VerdictOptions
from shared.verdict import Verdict
from worker.corrections.answer import CorrectedVerdicts
from worker.corrections.book import CorrectionBook
from worker.inference.stage import Reading, Stage


class CorrectionStage:
    """Stands around another stage."""

    def __init__(self, book: CorrectionBook, verdicts: CorrectedVerdicts, inner: Stage) -> None:
        self._book = book
        self._verdicts = verdicts
        self._inner = inner

    def prepare(self, text: str, options: VerdictOptions) -> Reading:
        """The corrected verdict, or what the inner stage makes of the text."""
        policy = options.policy
        said = self._book.find(text, None if policy is None else policy.name)
        if said is None:
            return self._inner.prepare(text, options)
        verdict = self._verdicts.verdict(said)
        if options.wants_spans:
            verdict = msgspec.structs.replace(verdict, spans=self._verdicts.spans(verdict, text))
        # Under a policy a verdict says which of its entries fired: here none was asked.
        return Reading(text, options, verdict if policy is None else msgspec.structs.replace(verdict, matches=[]))

    def amend(self, reading: Reading, verdict: Verdict) -> Verdict:
        """What the inner stage makes of the model's verdict; a corrected text never comes here."""
        return self._inner.amend(reading, verdict)
