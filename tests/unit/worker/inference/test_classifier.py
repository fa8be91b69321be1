import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from fakeredis import FakeRedis

from shared.errors import UnavailableError
from shared.messages import Answer, PredictMessage, TextItem, encode
from shared.options import VerdictOptions
from shared.steady_time import steady_clock
from shared.verdict import Failure, Verdict
from tests.support.classifiers import running_classifier
from tests.support.deliveries import Outbox, delivery_of
from tests.support.echo import EchoEngine, echo_logits, echo_scores
from worker.answer_desk import AnswerDesk
from worker.inference.classifier import Classifier
from worker.inference.engines.protocol import Logits
from worker.inference.stage import Reading
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.verdict import Judge
from worker.inference.waiting import Priority
from worker.quarantine.known import DeadlyTexts
from worker.quarantine.reader import Quarantine
from worker.quarantine.suspects import Suspects
from worker.tasks import answer


class SlowEngine:
    """`echo_logits`, behind a gate."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.rows = 0

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        self.gate.wait(10)
        self.rows += len(rows)
        return np.stack([echo_logits(row) for row in rows])


@pytest.fixture
def engine() -> SlowEngine:
    return SlowEngine()


@pytest.fixture
def classifier(engine: SlowEngine, echo_bundle: Path) -> Iterator[Classifier]:
    with running_classifier(engine, echo_bundle) as classifier:
        yield classifier
        engine.gate.set()


def answers_to(classifier: Classifier, texts: list[str], timeout_s: float = 10) -> dict[int, Answer]:
    items = [TextItem(index, text) for index, text in enumerate(texts)]
    groups = classifier.answers_as_done(items, time.monotonic() + timeout_s)
    return {answer.id: answer for group in groups for answer in group}


def test_every_text_has_one_outcome_its_own(classifier: Classifier) -> None:
    texts = [f"글 {number}" for number in range(50)]
    outcomes = answers_to(classifier, texts)

    assert sorted(outcomes) == list(range(50))
    for index, text in enumerate(texts):
        outcome = outcomes[index].outcome
        assert isinstance(outcome, Verdict)
        assert outcome.scores == echo_scores(text)


def test_a_text_of_too_many_windows_is_refused_and_the_others_are_classified(classifier: Classifier) -> None:
    outcomes = answers_to(classifier, ["앞", "길다" * 100, "뒤"])

    assert outcomes[1].failure is not None
    assert outcomes[1].failure.code == "text_too_long"
    assert isinstance(outcomes[0].outcome, Verdict)
    assert isinstance(outcomes[2].outcome, Verdict)


def test_at_the_deadline_what_is_unfinished_ends_as_such_and_is_not_computed(
    classifier: Classifier, engine: SlowEngine
) -> None:
    engine.gate.clear()
    classifier.batcher.submit([[[1]]], Priority.INTERACTIVE)  # occupies the model thread
    time.sleep(0.1)

    outcomes = answers_to(classifier, ["늦은 글"], timeout_s=0.2)

    assert outcomes[0].failure is not None
    assert outcomes[0].failure.code == "deadline_exceeded"
    engine.gate.set()
    assert isinstance(answers_to(classifier, ["다음 글"])[0].outcome, Verdict)
    assert engine.rows == 2


def test_a_text_that_is_read_before_it_is_waited_for_is_not_lost(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = classifier.batcher.submit

    def submit_and_read(*arguments: Any) -> Any:
        futures = submit(*arguments)
        assert not wait(futures, 10).not_done
        time.sleep(0.1)  # until whoever waits is told
        return futures

    monkeypatch.setattr(classifier.batcher, "submit", submit_and_read)

    assert isinstance(answers_to(classifier, ["읽힌 글"])[0].outcome, Verdict)
    outbox = Outbox()
    message = PredictMessage(reply_to="api", deadline=time.time() + 5, items=[TextItem(1, "또 읽힌 글")])
    answer(delivery_of(encode(message).decode()), suspects_of(classifier), AnswerDesk(classifier, outbox))
    assert [isinstance(one.outcome, Verdict) for one in outbox.answers] == [True]


def test_windows_that_share_a_pass_count_its_time_once(classifier: Classifier) -> None:
    ((two,), (one,)) = (answers_to(classifier, [text]).values() for text in ("가" * 30, "가" * 20))

    # Both windows fit one pass, so there were two passes for two texts.
    assert isinstance(two.outcome, Verdict)
    assert isinstance(one.outcome, Verdict)
    assert (two.outcome.windows, one.outcome.windows) == (2, 1)
    assert classifier.batcher.stats.snapshot().batches == 2


def suspects_of(classifier: Classifier) -> Suspects:
    return Suspects(classifier, Quarantine(classifier.bundle, 64, EchoEngine, 5.0), DeadlyTexts(FakeRedis(), "1"))


def test_a_message_that_cannot_be_read_is_dropped(classifier: Classifier) -> None:
    outbox = Outbox()
    answer(delivery_of('{"version": 99}'), suspects_of(classifier), AnswerDesk(classifier, outbox))
    answer(delivery_of("not a message"), suspects_of(classifier), AnswerDesk(classifier, outbox))
    assert outbox.answers == []


def test_a_message_delivered_after_its_deadline_costs_no_computation(
    classifier: Classifier, engine: SlowEngine
) -> None:
    outbox = Outbox()
    message = PredictMessage(reply_to="api", deadline=time.time() - 1, items=[TextItem(1, "늦었다")])
    answer(delivery_of(encode(message).decode()), suspects_of(classifier), AnswerDesk(classifier, outbox))

    assert outbox.answers == []
    assert engine.rows == 0


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_message_is_answered_though_the_clock_is_set_while_it_is_on_its_way(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    outbox = Outbox()
    now, steady = time.time(), time.monotonic()
    message = PredictMessage(
        reply_to="api",
        deadline=now + 5,
        steady_deadline=steady + 5,
        clock=steady_clock(),
        items=[TextItem(1, "제때 왔다")],
    )
    monkeypatch.setattr(time, "time", lambda: now + step_s)
    answer(delivery_of(encode(message).decode()), suspects_of(classifier), AnswerDesk(classifier, outbox))
    assert [isinstance(one.outcome, Verdict) for one in outbox.answers] == [True]

    late = msgspec.structs.replace(message, steady_deadline=steady - 1)
    answer(delivery_of(encode(late).decode()), suspects_of(classifier), AnswerDesk(classifier, outbox))
    assert len(outbox.answers) == 1


def test_answers_carry_the_ids_of_their_texts(classifier: Classifier) -> None:
    outbox = Outbox()
    items = [TextItem(7, "일곱"), TextItem(9, "길다" * 100)]
    message = PredictMessage(reply_to="api", deadline=time.time() + 10, items=items)
    answer(delivery_of(encode(message).decode()), suspects_of(classifier), AnswerDesk(classifier, outbox))

    by_id = {answer.id: answer.outcome for answer in outbox.answers}
    assert isinstance(by_id[7], Verdict)
    assert by_id[7].scores == echo_scores("일곱")
    assert isinstance(by_id[9], Failure)
    assert by_id[9].code == "text_too_long"


class Rude:
    """A stage: knows one answer by heart, refuses another text, and has the model read the rest backwards."""

    def prepare(self, text: str, options: VerdictOptions) -> Reading:
        if text == "거절":
            raise UnavailableError("the rules are not there")
        known = Verdict("clean", 1.0, {"clean": 1.0}, ["clean"]) if text == "외움" else None
        return Reading(text[::-1], options, known)

    def amend(self, reading: Reading, verdict: Verdict) -> Verdict:
        return msgspec.structs.replace(verdict, labels=["amended"])


def test_a_stage_says_what_the_model_reads_and_amends_what_it_says(engine: SlowEngine, classifier: Classifier) -> None:
    bundle = classifier.bundle
    staged = Classifier(
        bundle, BundleTokenizer(bundle, max_windows=2), classifier.batcher, Judge(bundle.config, {}), Rude()
    )

    answers = answers_to(staged, ["하나", "외움", "거절"])

    assert answers[0].verdict is not None
    assert (answers[0].verdict.scores, answers[0].verdict.labels) == (echo_scores("나하"), ["amended"])
    assert answers[1].verdict == Verdict("clean", 1.0, {"clean": 1.0}, ["clean"])
    assert answers[2].failure == Failure("unavailable", "the rules are not there")
    assert engine.rows == 1


class Faulty(Rude):
    """A stage with a fault that nobody foresaw, before the model and behind it."""

    def prepare(self, text: str, options: VerdictOptions) -> Reading:
        if text == "앞":
            raise RecursionError
        return super().prepare(text, options)

    def amend(self, reading: Reading, verdict: Verdict) -> Verdict:
        if reading.text == "뒤":
            raise ZeroDivisionError
        return super().amend(reading, verdict)


def test_a_fault_that_nobody_foresaw_costs_its_own_text_alone(classifier: Classifier) -> None:
    bundle = classifier.bundle
    staged = Classifier(
        bundle, BundleTokenizer(bundle, max_windows=2), classifier.batcher, Judge(bundle.config, {}), Faulty()
    )

    answers = answers_to(staged, ["하나", "앞", "뒤"])

    assert answers[0].verdict is not None
    assert answers[1].failure == Failure("prediction_failed", "the text could not be judged (RecursionError)")
    assert answers[2].failure == Failure("prediction_failed", "the text could not be judged (ZeroDivisionError)")
    assert [type(one) for one in staged.outcomes_in_order(["뒤", "하나"])] == [Failure, Verdict]
