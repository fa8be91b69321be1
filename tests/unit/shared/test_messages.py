import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages import Answer, PredictMessage, Reply, TextItem, decode, encode
from shared.options import VerdictOptions
from shared.verdict import Failure, Verdict


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_texts_survive_the_wire(texts: list[str]) -> None:
    message = PredictMessage(reply_to="api", deadline=1.5, items=[TextItem(i, text) for i, text in enumerate(texts)])
    assert decode(encode(message), PredictMessage) == message


def test_a_text_without_options_is_as_small_on_the_wire_as_its_id_and_text() -> None:
    assert msgspec.json.encode(TextItem(7, "글")).decode() == '{"id":7,"text":"글"}'


def test_options_survive_the_wire_and_each_is_sent_once() -> None:
    options = [VerdictOptions("strict", (("curse", 0.4),)), VerdictOptions("lenient")]
    items = [TextItem(1, "a", 0), TextItem(2, "b"), TextItem(3, "c", 1), TextItem(4, "d", 0)]
    message = PredictMessage(reply_to="api", deadline=1.5, items=items, options=options)

    assert decode(encode(message), PredictMessage) == message
    assert encode(message).count(b'"strict"') == 1


def test_verdicts_and_failures_keep_their_kind() -> None:
    verdict, failure = Verdict("clean", 0.9, {"clean": 0.9}, ["clean"], 2), Failure("prediction_failed", "…")
    answers = [
        Answer(id=1, verdict=verdict, tokenization_s=0.001, inference_s=0.01),
        Answer(id=2, failure=failure, tokenization_s=0.001),
    ]
    reply = decode(encode(Reply(worker_id="w", answers=answers)), Reply)

    assert reply.answers == answers
    assert [answer.outcome for answer in reply.answers] == [verdict, failure]


def test_an_answer_that_says_nothing_is_a_failure() -> None:
    reply = decode(b'{"worker_id": "w", "answers": [{"id": 1}], "version": 2}', Reply)
    assert isinstance(reply.answers[0].outcome, Failure)


def test_a_message_of_another_version_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="wire version 99"):
        decode(b'{"reply_to": "api", "deadline": 1, "items": [], "version": 99}', PredictMessage)
