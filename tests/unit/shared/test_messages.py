import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages import Failure, Prediction, PredictMessage, Reply, TextItem, decode, encode


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_texts_survive_the_wire(texts: list[str]) -> None:
    message = PredictMessage(reply_to="api", deadline=1.5, items=[TextItem(i, text) for i, text in enumerate(texts)])
    assert decode(encode(message), PredictMessage) == message


def test_predictions_and_failures_keep_their_kind() -> None:
    prediction = Prediction(
        id=1,
        classification="clean",
        confidence=0.9,
        labels=["clean"],
        scores={"clean": 0.9},
        windows=1,
        revision="abc",
        tokenization_s=0.001,
        inference_s=0.01,
    )
    reply = Reply(worker_id="w", results=[prediction, Failure(id=2, code="prediction_failed", message="…")])
    assert decode(encode(reply), Reply) == reply


def test_a_message_of_another_version_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="wire version 2"):
        decode(b'{"reply_to": "api", "deadline": 1, "items": [], "version": 2}', PredictMessage)
