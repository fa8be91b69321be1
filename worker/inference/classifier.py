"""Classifies texts: tokenise in the calling thread, infer in the model threads, judge in the calling thread."""

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from operator import attrgetter
from typing import Any

import msgspec

from bundles.format import Bundle
from bundles.record import notices_here
from shared.errors import DeadlineExceededError, KobertError
from shared.messages import Answer, ModelInfo, TextItem
from shared.options import NO_OPTIONS, VerdictOptions
from shared.verdict import Details, Outcome, PolicyVersion, Verdict
from worker.inference.asked import NOBODY, AskedTexts, TextsRead, queue_texts, read_alone
from worker.inference.batcher import MicroBatcher
from worker.inference.cache import ResultCache
from worker.inference.cascade import Cascade, NoCascade
from worker.inference.engines.protocol import Logits
from worker.inference.explaining import Explainer, Explanation
from worker.inference.failures import failed
from worker.inference.info import model_info
from worker.inference.stage import NoStage, Reading, Stage
from worker.inference.stats import seconds_covered
from worker.inference.submitted import Submitted, Tokenised, ending_flights
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.turns import TextLoad, TextResults, WindowResult, rows_of_text
from worker.inference.verdict import Judge
from worker.inference.waiting import Priority
from worker.spans.showing import show_spans

_MODEL_ALONE = NoStage()


class Classifier:
    """Classifies texts with one bundle. Thread-safe. `stage` is what stands around the model."""

    def __init__(
        self,
        bundle: Bundle,
        tokenizer: BundleTokenizer,
        batcher: MicroBatcher,
        judge: Judge,
        stage: Stage = _MODEL_ALONE,
    ) -> None:
        self.bundle = bundle
        self.batcher = batcher
        # Off; whoever wants one sets it before the first text.
        self.cache = ResultCache(0)
        self.cascade: Cascade | NoCascade = NoCascade()
        self._tokenizer = tokenizer
        self._judge = judge
        self._stage = stage
        self._notices = notices_here(bundle.path)
        config = bundle.config
        is_single = config.problem_type == "single_label_classification"
        self._explainer = Explainer(judge, config.labels, config.clean_label, is_single=is_single)

    @property
    def info(self) -> ModelInfo:
        """The model's entry in `/info`."""
        return model_info(self.bundle, self._judge, self._notices)

    def answers_as_done(
        self, items: Sequence[TextItem], deadline: float, options: Sequence[VerdictOptions] = ()
    ) -> Iterator[list[Answer]]:
        """Yield the answers to interactive texts as they come, in groups, until each text has one.

        `deadline` is on the monotonic clock; texts unfinished by then end as `DeadlineExceededError`. `options` has
        those of each text, or is empty.
        """
        with self.batcher.interactive():
            ended: queue.SimpleQueue[Sequence[Future[Any]]] = queue.SimpleQueue()
            asked = AskedTexts(ended.put)
            if answers := self.ask(asked, items, options):
                yield answers
            while asked.are_left:
                try:
                    answers = self.take(asked, ended.get(timeout=max(0.0, deadline - time.monotonic())))
                except queue.Empty:
                    answers = self.expire(asked)
                if answers:
                    yield answers

    def ask(self, asked: AskedTexts, items: Sequence[TextItem], options: Sequence[VerdictOptions] = ()) -> list[Answer]:
        """Bring interactive texts to the model; returns the answers to those that it need not or cannot read."""
        answers, _ = self._submit(items, Priority.INTERACTIVE, options or [NO_OPTIONS] * len(items), asked)
        return answers

    def take(self, asked: AskedTexts, futures: Sequence[Future[Any]]) -> list[Answer]:
        """The answers to the texts that are done now that these futures have ended."""
        return [self._answer(text) for text in asked.take(futures) if not self._occlude(text, asked)]

    def expire(self, asked: AskedTexts) -> list[Answer]:
        """The answers at the deadline to the texts that have none."""
        return [self._answer(text) if text.done else self._expire(text) for text in asked.take_all()]

    def outcomes_in_order(self, texts: Sequence[str], options: VerdictOptions = NO_OPTIONS) -> list[Outcome]:
        """The outcomes of bulk texts when all are there; cheaper a text than `answers_as_done`."""
        return self.begin_in_order(texts, options)()

    def begin_in_order(self, texts: Sequence[str], options: VerdictOptions = NO_OPTIONS) -> Callable[[], list[Outcome]]:
        """Bring bulk texts to the model; what is returned waits for their outcomes.

        So a caller can bring more before it waits, and the model threads do not run out of texts meanwhile.
        """
        self.batcher.give_way()
        items = [TextItem(index, text) for index, text in enumerate(texts)]
        read = TextsRead()
        answered, waiting = self._submit(items, Priority.BULK, [options] * len(items), AskedTexts(read.told))
        return partial(self._end_in_order, answered, waiting, read)

    def _end_in_order(self, answered: list[Answer], waiting: list[Submitted], read: TextsRead) -> list[Outcome]:
        read.wait(len(waiting))
        for text in waiting:
            self._occlude(text)
        answers = [*answered, *map(self._answer, waiting)]
        return [answer.outcome for answer in sorted(answers, key=attrgetter("id"))]

    def text_read(self, text: str, options: VerdictOptions = NO_OPTIONS) -> str | None:
        """What the model would read of a text; None where it is not asked."""
        try:
            reading = self._stage.prepare(text, options)
        except KobertError:
            return None
        return reading.text if reading.verdict is None else None

    def _submit(
        self,
        items: Sequence[TextItem],
        priority: Priority,
        options: Sequence[VerdictOptions],
        asked: AskedTexts = NOBODY,
    ) -> tuple[list[Answer], list[Submitted]]:
        """Prepare and tokenise texts and queue their windows.

        Returns the answers to those that the model need not or cannot read, and the others.
        """
        started = time.perf_counter()
        answered, readings = self._prepare(items, options)
        texts = [Submitted(item, 0.0, reading, priority) for item, reading in readings]
        self.cascade.choose(texts)
        known, joined, unread = self._look_up(texts)
        with ending_flights(unread):
            windows_of = self._tokenise(unread, started)
            refused, waiting = self._refuse_long(unread, windows_of)
            certain, waiting = self.cascade.split(waiting)
            certain += [text for text in read_alone(self.batcher, waiting) if not self._occlude(text, asked)]
            waiting = [(text, windows) for text, windows in waiting if text.read is None]
            with asked.joining() as texts:
                queue_texts(self.batcher, waiting, asked.told)
                texts += [*(text for text, _ in waiting), *joined]
        return [*answered, *known, *refused, *map(self._answer, certain)], texts

    def _look_up(self, texts: Sequence[Submitted]) -> tuple[list[Answer], list[Submitted], list[Submitted]]:
        """Answers to the texts that the model has read, those that it is reading, and the others."""
        known: list[Answer] = []
        joined: list[Submitted] = []
        unread: list[Submitted] = []
        for text in texts:
            if text.reading.options.wants_spans:
                # Where its tokens lie in the text as sent is no other text's.
                unread.append(text)
                continue
            text.normalised = self._tokenizer.normalise(text.reading.text)
            if not self.cache.is_on:
                unread.append(text)
                continue
            found = self.cache.find(text.normalised, text.priority, may_cascade=text.may_cascade)
            rows, text.flight, text.is_leader = found
            if rows is not None:
                known.append(self._answer(text, rows))
            elif text.is_leader:
                unread.append(text)
            else:
                joined.append(text)
        return known, joined, unread

    def _tokenise(self, texts: Sequence[Submitted], started: float) -> list[Sequence[Sequence[int]]]:
        """The windows of each text."""
        for text in texts:
            if text.reading.options.wants_spans:
                text.explanation = self._trace(text.item, text.reading)
        encoded = iter(self._tokenizer.encode_normalised([text.normalised for text in texts if not text.explanation]))
        windows_of: list[Sequence[Sequence[int]]] = [
            text.explanation.encoded.windows if text.explanation else next(encoded) for text in texts
        ]
        tokenization_s = time.perf_counter() - started
        for text in texts:
            text.tokenization_s = tokenization_s
        return windows_of

    def _refuse_long(
        self, texts: Sequence[Submitted], windows_of: Sequence[Sequence[Sequence[int]]]
    ) -> tuple[list[Answer], list[Tokenised]]:
        """Answers to the texts that are too long, and the others with their windows."""
        refused: list[Answer] = []
        waiting: list[Tokenised] = []
        for text, windows in zip(texts, windows_of, strict=True):
            try:
                self._tokenizer.check_length(windows)
            except KobertError as error:
                refused.append(failed(text.item, error, text.tokenization_s))
                if text.flight is not None:
                    text.flight.fail(error)
            else:
                waiting.append((text, windows))
        return refused, waiting

    def _trace(self, item: TextItem, reading: Reading) -> Explanation:
        encoded = self._tokenizer.encode_traced(reading.text)
        return Explanation(item.text, reading.options, encoded, self._tokenizer.special_tokens)

    def _prepare(
        self, items: Sequence[TextItem], options: Sequence[VerdictOptions]
    ) -> tuple[list[Answer], list[tuple[TextItem, Reading]]]:
        """The answers to texts that need no model or whose options it cannot follow, and how the others are read."""
        answered: list[Answer] = []
        readings: list[tuple[TextItem, Reading]] = []
        for item, own_options in zip(items, options, strict=True):
            try:
                reading = self._stage.prepare(item.text, own_options)
                self._judge.check(reading.options)
            except Exception as error:  # noqa: BLE001  one text must not cost its neighbours' answers
                answered.append(failed(item, error, 0.0))
            else:
                if reading.verdict is None:
                    readings.append((item, reading))
                else:
                    answered.append(
                        Answer(id=item.id, verdict=self._shown(item.text, reading.verdict, reading.options))
                    )
        return answered, readings

    def _occlude(self, text: Submitted, asked: AskedTexts = NOBODY) -> bool:
        """Queue the further windows that explaining the text needs, once its own are read; whether there are any."""
        if text.explanation is None or text.is_planned or self.batcher.gives_evidence:
            return False
        text.is_planned = True
        try:
            rows = _results(text.read)
        except KobertError:
            return False
        windows = self._explainer.occlusions(text.explanation, rows, text.reading.options)
        if windows:
            loads = [TextLoad(flow=text.item.flow)]
            with asked.joining() as texts:
                (text.occlusions,) = self.batcher.submit([windows], text.priority, asked.told, loads)
                texts.append(text)
        return bool(windows)

    def _answer(self, text: Submitted, known: Sequence[Logits] | None = None) -> Answer:
        """The answer to a text once the model has read its windows; or `known`, those of another that is the same."""
        try:
            if text.joined is not None:
                known = text.joined.rows.result()
            if known is not None:
                return self._answer_cached(text, known)
            rows, rest = _results(text.read), _results(text.occlusions)
            verdict = self._verdict(text, rows, rest)
        except Exception as error:  # noqa: BLE001  as above
            return failed(text.item, error, text.tokenization_s)
        return Answer(
            id=text.item.id,
            verdict=verdict,
            tokenization_s=text.tokenization_s,
            # Windows of one text may have shared a pass, or been in several at the same time.
            inference_s=seconds_covered([row.pass_time for row in (*rows, *rest)]),
        )

    def _answer_cached(self, text: Submitted, rows: Sequence[Logits]) -> Answer:
        """The answer from what the model said of another text that is the same once normalised."""
        said = self._judge.judge(rows, text.reading.options)
        return Answer(id=text.item.id, verdict=self._amended(text, said), is_cached=True)

    def _verdict(self, text: Submitted, rows: Sequence[WindowResult], rest: Sequence[WindowResult]) -> Verdict:
        reading = text.reading
        said = self._judge.judge(rows_of_text(rows), reading.options)
        if text.explanation is not None:
            spans = self._explainer.spans(text.explanation, rows, rest, said)
            said = msgspec.structs.replace(said, spans=spans)
        return self._amended(text, said)

    def _amended(self, text: Submitted, said: Verdict) -> Verdict:
        return self._shown(text.item.text, self._stage.amend(text.reading, said), text.reading.options)

    def _shown(self, text: str, verdict: Verdict, options: VerdictOptions) -> Verdict:
        """The verdict with what the caller asked for besides: spans, a mask, what it rests on."""
        shown = show_spans(text, verdict, options)
        return msgspec.structs.replace(shown, details=self._details(options)) if options.details else shown

    def _expire(self, text: Submitted) -> Answer:
        if text.flight is None:
            for future in (text.read, text.occlusions):
                if future is not None:
                    future.cancel()
        elif self.cache.leave(text.flight):
            text.flight.cancel()
        error = DeadlineExceededError("the text was not classified before its deadline")
        return failed(text.item, error, text.tokenization_s)

    def _details(self, options: VerdictOptions) -> Details:
        ref = options.policy
        return Details(
            model=self.bundle.config.name,
            revision=self.bundle.revision,
            policy=None if ref is None else PolicyVersion(ref.name, ref.version),
            strictness=options.strictness or self._judge.strictness,
            thresholds=self._judge.thresholds_for(options),
        )


def _results(read: Future[TextResults] | None) -> TextResults:
    """What the model found; waits for it."""
    return [] if read is None else read.result()
