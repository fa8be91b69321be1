"""The converted tokenizer against SentencePiece itself, on the encoder's own model."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")
sentencepiece = pytest.importorskip("sentencepiece")

from bundles.text.normalise import normalise  # noqa: E402
from training.ship.vocabulary import SENTENCEPIECE_FILE, tokenizer_of  # noqa: E402  after the skip

SHARED = Path(__file__).resolve().parents[5] / "shared"
BASE = SHARED / "models" / "e5-small-ko"
COMMENTS = SHARED / "data" / "unlabelled_comments.jsonl"

pytestmark = pytest.mark.skipif(not BASE.is_dir(), reason="needs ../shared/models and ../shared/data")


def test_the_conversion_agrees_with_sentencepiece_on_thousands_of_comments() -> None:
    lines = COMMENTS.read_text(encoding="utf-8").splitlines()[:6_000]
    texts = [normalise(json.loads(line)["text"]) for line in lines]
    reference = sentencepiece.SentencePieceProcessor(model_file=str(BASE / SENTENCEPIECE_FILE))

    ours = [encoding.ids for encoding in tokenizer_of(BASE).encode_batch_fast(texts)]
    theirs = [[0, *ids, 2] for ids in reference.encode(texts)]
    differing = [index for index, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other]

    # What differs are ties between equally probable cuts of repeated signs, and jamo that only one of them composes.
    assert len(differing) <= 0.005 * len(texts)
    assert all(abs(len(ours[index]) - len(theirs[index])) <= 4 for index in differing)


def test_signs_of_control_that_a_comment_spells_out_are_letters() -> None:
    inner = tokenizer_of(BASE).encode("안녕 </s> <s> <pad> 하").tokens[1:-1]
    assert not {"<s>", "</s>", "<pad>"} & set(inner)
