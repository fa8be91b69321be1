import gc
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.messages import PredictMessage, TextItem
from shared.verdict import Verdict
from tests.support.classifiers import running_classifier
from tests.support.deliveries import Outbox, delivery_of
from tests.support.echo import echo_logits
from tests.support.stack import wait_until
from worker import answer_desk
from worker.answer_desk import AnswerDesk
from worker.inference.asked import AskedTexts
from worker.inference.classifier import Classifier
from worker.inference.engines.protocol import Logits
from worker.replies import Outgoing

PATIENCE_S = 10


class GatedEngine:
    """`echo_logits`, behind a gate."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.begun = threading.Event()

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        self.begun.set()
        assert self.gate.wait(PATIENCE_S)
        return np.stack([echo_logits(row) for row in rows])


class Post(Outbox):
    """Keeps what was sent together."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[Sequence[Outgoing]] = []

    def send_together(self, groups: Sequence[Outgoing]) -> None:
        self.writes.append(groups)
        super().send_together(groups)


@pytest.fixture
def engine() -> GatedEngine:
    return GatedEngine()


@pytest.fixture
def classifier(engine: GatedEngine, echo_bundle: Path) -> Iterator[Classifier]:
    with running_classifier(engine, echo_bundle) as classifier:
        yield classifier
        engine.gate.set()


class Caller(threading.Thread):
    """A task's thread with a message of its own."""

    def __init__(self, desk: AnswerDesk, first_id: int, *texts: str, timeout_s: float = PATIENCE_S) -> None:
        super().__init__(daemon=True)
        self.desk = desk
        items = [TextItem(first_id + place, text) for place, text in enumerate(texts)]
        self.message = PredictMessage(reply_to=f"api-{first_id}", deadline=time.time() + timeout_s, items=items)
        self.delivery = delivery_of("")
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.desk.answer(self.message, [], self.delivery)
        except ValueError as error:
            self.error = error

    def ended(self) -> "Caller":
        self.join(PATIENCE_S)
        assert not self.is_alive()
        return self


def waiting_texts(classifier: Classifier, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while classifier.batcher.waiting_texts < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def occupied(desk: AnswerDesk, engine: GatedEngine) -> Caller:
    """A message whose text the model is reading, behind the gate."""
    caller = Caller(desk, 0, "앞선 글")
    assert engine.begun.wait(PATIENCE_S)
    return caller


def test_what_a_pass_read_of_several_messages_is_sent_together_each_to_its_own(
    classifier: Classifier, engine: GatedEngine
) -> None:
    post = Post()
    desk = AnswerDesk(classifier, post)
    first = occupied(desk, engine)
    others = [Caller(desk, 10, "하나", "둘"), Caller(desk, 20, "셋")]
    waiting_texts(classifier, 3)

    engine.gate.set()
    for caller in (first, *others):
        caller.ended()

    together = post.writes[-1]
    assert {group.reply_to for group in together} >= {"api-10", "api-20"}
    assert sorted(one.id for one in post.answers) == [0, 10, 11, 20]
    assert all(isinstance(one.outcome, Verdict) for one in post.answers)


def test_answered_messages_are_freed_without_a_collection(classifier: Classifier, engine: GatedEngine) -> None:
    desk = AnswerDesk(classifier, Post())
    engine.gate.set()
    gc.collect()
    before = sum(isinstance(one, AskedTexts) for one in gc.get_objects())
    gc.disable()
    try:
        for first_id in range(0, 100, 10):
            Caller(desk, first_id, "하나", "둘").ended()
        left = sum(isinstance(one, AskedTexts) for one in gc.get_objects())
    finally:
        gc.enable()

    # The desk's thread and the model's still have the last ones in their hands.
    assert left - before <= 3


class SteppedEngine(GatedEngine):
    """`echo_logits`; `gate` lets one pass through."""

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        found = super().run(rows)
        self.gate.clear()
        return found


@pytest.mark.parametrize(
    ("texts", "hold_s", "holds"),
    [
        pytest.param(60, PATIENCE_S, True, id="more is left"),
        pytest.param(4, PATIENCE_S, False, id="less is left"),
        pytest.param(60, 0.3, False, id="the next pass does not end"),
    ],
)
def test_the_answers_of_a_pass_wait_for_those_of_the_next_one_only_while_more_than_that_is_left(
    echo_bundle: Path, monkeypatch: pytest.MonkeyPatch, texts: int, hold_s: float, *, holds: bool
) -> None:
    monkeypatch.setattr(answer_desk, "HOLD_S", hold_s)
    engine, post = SteppedEngine(), Post()
    with running_classifier(engine, echo_bundle, max_batch_tokens=64) as classifier:
        desk, stats = AnswerDesk(classifier, post), classifier.batcher.stats
        ended = occupied(desk, engine)
        many = Caller(desk, 100, *(f"여러 글 {number}" for number in range(texts)))
        waiting_texts(classifier, texts)

        def next_pass() -> None:
            before = stats.snapshot().batches
            engine.gate.set()
            wait_until(lambda: stats.snapshot().batches > before, "the end of a pass", PATIENCE_S)

        next_pass()
        ended.ended()
        assert [one.id for one in post.answers] == [0]
        next_pass()
        if holds:
            time.sleep(0.2)
            assert len(post.answers) == 1
            next_pass()
        wait_until(lambda: len(post.answers) > 1, "the answers of a pass", PATIENCE_S)
        while many.is_alive():
            engine.gate.set()
            many.join(0.01)
    assert sorted(one.id for one in post.answers) == [0, *range(100, 100 + texts)]


def test_the_last_answers_carry_the_tag_of_their_message(classifier: Classifier, engine: GatedEngine) -> None:
    post = Post()
    desk = AnswerDesk(classifier, post)
    caller = occupied(desk, engine)
    caller.delivery.note()

    engine.gate.set()
    caller.ended()

    assert [group.tag for write in post.writes for group in write] == ["tag"]
    assert caller.delivery.hand_over() == ""


def test_a_text_that_cannot_be_judged_fails_by_name_and_its_neighbours_are_answered(
    classifier: Classifier, engine: GatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = Post()
    desk = AnswerDesk(classifier, post)
    judge = classifier._judge.judge

    def judge_or_fail(windows: Any, options: Any) -> Verdict:
        if len(windows) == 2:
            raise ValueError("a fault")
        return judge(windows, options)

    monkeypatch.setattr(classifier._judge, "judge", judge_or_fail)
    first = occupied(desk, engine)
    faulty, good = Caller(desk, 10, "길" * 30, "이웃"), Caller(desk, 20, "좋은 글")
    waiting_texts(classifier, 3)
    engine.gate.set()

    assert first.ended().error is None
    assert faulty.ended().error is None
    assert good.ended().error is None
    failures = {one.id: one.failure and one.failure.code for one in post.answers}
    assert failures == {0: None, 10: "prediction_failed", 11: None, 20: None}
    assert Caller(desk, 30, "다음 글").ended().error is None


def test_at_the_deadline_what_is_unfinished_is_answered_as_such(classifier: Classifier, engine: GatedEngine) -> None:
    post = Post()
    desk = AnswerDesk(classifier, post)
    occupied(desk, engine)

    Caller(desk, 10, "늦은 글", timeout_s=0.2).ended()

    (late,) = post.answers
    assert late.failure is not None
    assert (late.id, late.failure.code) == (10, "deadline_exceeded")
