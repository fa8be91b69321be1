import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakeredis import FakeRedis

from shared.messages import Answer, PredictMessage, TextItem, encode
from shared.options import NO_OPTIONS
from shared.settings import Settings
from shared.verdict import Failure, Verdict
from tests.support.deliveries import Outbox, delivery_of
from tests.support.echo import EchoEngine, echo_scores
from worker.answer_desk import AnswerDesk
from worker.main import build_classifier
from worker.quarantine.known import DeadlyTexts
from worker.quarantine.reader import Quarantine
from worker.quarantine.suspects import Suspects
from worker.tasks import answer

pytestmark = pytest.mark.integration

CRASHER = "이 글에 프로세스가 무너집니다"


@pytest.fixture
def suspects(echo_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suspects]:
    """Those of a process that the text does not crash: so it answers for the child's sake alone."""
    classifier = build_classifier(Settings(model=str(echo_bundle)), EchoEngine)
    monkeypatch.setenv("ECHO_CRASH", CRASHER)
    yield Suspects(classifier, Quarantine(classifier.bundle, 64, EchoEngine, 30.0), DeadlyTexts(FakeRedis(), "1"))
    classifier.batcher.close()


def answered(suspects: Suspects, items: list[TextItem], *, is_again: bool) -> dict[int, Answer]:
    outbox = Outbox()
    message = PredictMessage(reply_to="api", deadline=time.time() + 60, items=items)
    answer(delivery_of(encode(message).decode(), is_again=is_again), suspects, AnswerDesk(suspects.classifier, outbox))
    return {one.id: one for one in outbox.answers}


@pytest.mark.parametrize("is_again", [True, False])
def test_a_deadly_text_fails_by_name_and_its_neighbours_are_answered(suspects: Suspects, *, is_again: bool) -> None:
    items = [TextItem(1, "가"), TextItem(2, CRASHER, is_suspect=not is_again), TextItem(3, "나")]

    answers = answered(suspects, items, is_again=is_again)

    deadly = answers.pop(2).failure
    assert deadly is not None
    assert (deadly.code, "SIGSEGV" in deadly.message) == ("prediction_failed", True)
    found = [one.outcome for _, one in sorted(answers.items())]
    assert [one.scores for one in found if isinstance(one, Verdict)] == [echo_scores("가"), echo_scores("나")]


def test_a_message_of_deadly_texts_alone_is_answered_whole(suspects: Suspects) -> None:
    answers = answered(suspects, [TextItem(1, CRASHER)], is_again=True)
    assert isinstance(answers[1].outcome, Failure)


def test_a_deadly_text_costs_one_process_however_often_it_comes(
    suspects: Suspects, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = suspects.find_deadly([(5, CRASHER, NO_OPTIONS)], lambda: False)
    monkeypatch.setattr("worker.quarantine.reader.CHILD_MODULE", "there.is.none")

    assert suspects.find_deadly([(9, CRASHER, NO_OPTIONS)], lambda: False) == {9: (first or {})[5]}


def test_a_text_that_is_known_to_be_deadly_is_never_read_again(suspects: Suspects) -> None:
    """The model reads it no more, in this process or another: a plain message fails by name at once."""
    suspects.find_deadly([(5, CRASHER, NO_OPTIONS)], lambda: False)
    items = [TextItem(1, "가"), TextItem(2, CRASHER)]

    answers = answered(suspects, items, is_again=False)

    assert isinstance(answers[2].outcome, Failure)
    assert isinstance(answers[1].outcome, Verdict)
