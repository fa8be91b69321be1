"""The first pass over a text: a table answers what is certainly clean, and leaves the rest to the model."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from functools import lru_cache

import numpy as np

from bundles.cascade import CascadeTable, cascade_of
from bundles.format import Bundle
from bundles.windows import SentenceIds, whole_windows
from shared.errors import BundleInvalidError
from shared.log import get_logger
from shared.messages import CascadeFigures
from shared.options import VerdictOptions
from worker.inference.engines.protocol import Logits
from worker.inference.stats import PassTime
from worker.inference.submitted import Submitted, Tokenised
from worker.inference.turns import TextResults, WindowResult
from worker.inference.verdict import RULES_KEPT, Judge

log = get_logger(__name__)

_NO_PASS = PassTime(0.0, 0.0, 0.0)


class Cascade:
    """Thread-safe. Counts the texts that it was asked about, by who answers them.

    It is certified for the thresholds that the bundle has at `standard`. `judge` is the worker's, which knows what
    settings and callers put over them: where they differ, the model reads the text.

    Raises:
        BundleInvalidError: what the table would answer with is not clean at those thresholds.
    """

    def __init__(self, table: CascadeTable, bundle: Bundle, judge: Judge) -> None:
        certified = Judge(bundle.config, {})
        if any(
            certified.judge([_row(logits)]).classification != bundle.config.clean_label for _, logits in table.knots
        ):
            raise BundleInvalidError("the cascade would answer with scores that are not clean")
        self.certificate = table.certificate
        self._table = table
        self._judge = judge
        self._thresholds = certified.thresholds
        self._lock = threading.Lock()
        self._answered = self._unsure = self._exempt = 0
        self.may_answer = lru_cache(RULES_KEPT)(self._may_answer)

    def _may_answer(self, options: VerdictOptions) -> bool:
        """Whether a text with these options may be answered without the model."""
        if options.wants_spans or options.labels is not None:
            return False
        return self._judge.thresholds_for(options) == self._thresholds

    def logits(self, windows: Sequence[Sequence[int]]) -> Logits | None:
        """What to answer with in place of the model's logits; None where the text is not certainly clean."""
        found = None
        if len(windows) == 1 or len(whole_windows(windows)) == 1:
            margin = self._table.certain(windows[0])
            if margin is not None:
                found = _row(self._table.logits_at(margin))
        with self._lock:
            if found is None:
                self._unsure += 1
            else:
                self._answered += 1
        return found

    def choose(self, texts: Sequence[Submitted]) -> None:
        """Note for each text whether it may be answered without the model; count those that may not."""
        for text in texts:
            text.may_cascade = self.may_answer(text.reading.options)
        with self._lock:
            self._exempt += sum(not text.may_cascade for text in texts)

    def split(self, texts: Sequence[Tokenised]) -> tuple[list[Submitted], list[Tokenised]]:
        """The texts of which it is certain, whose windows have ended, and those that the model must read."""
        certain: list[Submitted] = []
        others: list[Tokenised] = []
        for text, windows in texts:
            logits = self.logits(windows) if text.may_cascade else None
            if logits is None:
                others.append((text, self.to_be_read(windows) if text.may_cascade else windows))
                continue
            read: Future[TextResults] = Future()
            read.set_result([WindowResult(logits, _NO_PASS)])
            text.begin(read)
            certain.append(text)
        return certain, others

    def to_be_read(self, windows: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
        """Without the sentences that are read besides and in which nothing may be wrong."""
        if len(windows) == 1:
            return windows
        return [row for row in windows if not isinstance(row, SentenceIds) or not self._table.is_calm(row)]

    @property
    def figures(self) -> CascadeFigures:
        """The counters now."""
        with self._lock:
            return CascadeFigures(answered=self._answered, unsure=self._unsure, exempt=self._exempt)


class NoCascade:
    """The model reads every text."""

    figures: CascadeFigures | None = None

    def choose(self, texts: Sequence[Submitted]) -> None:
        """No text may be answered without the model."""

    def split(self, texts: Sequence[Tokenised]) -> tuple[list[Submitted], list[Tokenised]]:
        """None is certain."""
        return [], list(texts)


def _row(logits: Sequence[float]) -> Logits:
    return np.array(logits, dtype=np.float32)


def build_cascade(bundle: Bundle, judge: Judge) -> Cascade | NoCascade:
    """The cascade of a bundle; that it has none which can be used is logged."""
    try:
        table = cascade_of(bundle)
        cascade = None if table is None else Cascade(table, bundle, judge)
    except BundleInvalidError as error:
        log.warning("cascade_unusable", reason=error.message)
        return NoCascade()
    if cascade is None:
        log.info("cascade_missing", reason="the model has none, so it reads every text", model=bundle.config.name)
        return NoCascade()
    log.info("cascade_on", certified_share=cascade.certificate.share, agreement=cascade.certificate.agreement)
    return cascade
