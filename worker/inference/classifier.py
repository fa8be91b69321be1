"""Classifies texts: tokenise in the calling thread, infer in the model thread, judge in the calling thread."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import compress

from bundles.format import Bundle
from shared.errors import DeadlineExceededError, KobertError
from shared.messages import ModelInfo
from shared.options import NO_OPTIONS, VerdictOptions
from worker.inference.batcher import MicroBatcher, Priority, WindowResult
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.verdict import Judge, Verdict


@dataclass(frozen=True)
class Classified:
    """One text's outcome, by its place in the call: a verdict or the error of this text alone."""

    index: int
    outcome: Verdict | KobertError
    windows: int
    tokenization_s: float
    inference_s: float


@dataclass(eq=False)
class _Pending:
    index: int
    windows: "list[Future[WindowResult]]"
    tokenization_s: float
    options: VerdictOptions

    @property
    def done(self) -> bool:
        return all(future.done() for future in self.windows)


class Classifier:
    """Classifies texts with one bundle. Thread-safe."""

    def __init__(self, bundle: Bundle, tokenizer: BundleTokenizer, batcher: MicroBatcher, judge: Judge) -> None:
        self.bundle = bundle
        self.batcher = batcher
        self._tokenizer = tokenizer
        self._judge = judge

    @property
    def info(self) -> ModelInfo:
        """The model's entry in `/info`."""
        config = self.bundle.config
        return ModelInfo(
            name=config.name,
            revision=self.bundle.revision,
            problem_type=config.problem_type,
            labels=_all_labels(config.labels, config.clean_label),
            clean_label=config.clean_label,
            strictness=self._judge.strictness,
            thresholds=self._judge.thresholds,
            levels=self._judge.levels,
            max_length=config.max_length,
        )

    def classify(
        self, texts: Sequence[str], deadline: float, options: Sequence[VerdictOptions] = ()
    ) -> Iterator[list[Classified]]:
        """Yield the outcomes of interactive texts in groups, as they are done, until every text has one.

        `deadline` is a Unix time; texts unfinished by then end as `DeadlineExceededError`. `options` has those of each
        text, or is empty.
        """
        with self.batcher.interactive():
            yield from self._classify(texts, deadline, options)

    def _classify(
        self, texts: Sequence[str], deadline: float, options: Sequence[VerdictOptions]
    ) -> Iterator[list[Classified]]:
        rejected, pending = self._enqueue(texts, Priority.INTERACTIVE, options or [NO_OPTIONS] * len(texts))
        if rejected:
            yield rejected
        while pending:
            unfinished = [future for item in pending for future in item.windows if not future.done()]
            wait(unfinished, timeout=max(0.0, deadline - time.time()), return_when=FIRST_COMPLETED)
            # Read once: an item that finishes between two reads would be in neither list.
            are_done = [item.done for item in pending]
            if not any(are_done) and time.time() >= deadline:
                yield [self._expire(item) for item in pending]
                return
            done = list(compress(pending, are_done))
            pending = [item for item, is_done in zip(pending, are_done, strict=True) if not is_done]
            if done:
                yield [self._finish(item) for item in done]

    def classify_all(self, texts: Sequence[str], options: VerdictOptions = NO_OPTIONS) -> list[Verdict | KobertError]:
        """The outcomes of bulk texts, in the order of `texts`. Costs less per text than `classify`."""
        self.batcher.give_way()
        rejected, pending = self._enqueue(texts, Priority.BULK, [options] * len(texts))
        outcomes = {done.index: done.outcome for done in rejected}
        outcomes.update((item.index, self._finish(item).outcome) for item in pending)
        return [outcomes[index] for index in range(len(texts))]

    def _enqueue(
        self, texts: Sequence[str], priority: Priority, options: Sequence[VerdictOptions]
    ) -> tuple[list[Classified], list[_Pending]]:
        started = time.perf_counter()
        encoded = self._tokenizer.encode(texts)
        tokenization_s = time.perf_counter() - started
        rejected: list[Classified] = []
        accepted: list[tuple[int, Sequence[Sequence[int]]]] = []
        for index, windows in enumerate(encoded):
            try:
                self._tokenizer.check_length(windows)
                self._judge.check(options[index])
            except KobertError as error:
                rejected.append(Classified(index, error, len(windows), tokenization_s, 0.0))
            else:
                accepted.append((index, windows))
        futures = self.batcher.submit([windows for _, windows in accepted], priority)
        pending = [
            _Pending(index, of_text, tokenization_s, options[index])
            for (index, _), of_text in zip(accepted, futures, strict=True)
        ]
        return rejected, pending

    def _finish(self, item: _Pending) -> Classified:
        try:
            windows = [future.result() for future in item.windows]
        except KobertError as error:
            return Classified(item.index, error, len(item.windows), item.tokenization_s, 0.0)
        verdict = self._judge.judge([window.logits for window in windows], item.options)
        # Windows of one text may share a pass; count its time once.
        inference_s = sum({window.pass_number: window.inference_s for window in windows}.values())
        return Classified(item.index, verdict, len(windows), item.tokenization_s, inference_s)

    def _expire(self, item: _Pending) -> Classified:
        for future in item.windows:
            future.cancel()
        error = DeadlineExceededError("the text was not classified before its deadline")
        return Classified(item.index, error, len(item.windows), item.tokenization_s, 0.0)


def _all_labels(labels: Sequence[str], clean_label: str | None) -> list[str]:
    return list(labels) if clean_label is None or clean_label in labels else [clean_label, *labels]
