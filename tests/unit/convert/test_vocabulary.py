"""`vocab.pkl` and `category.pkl`, as the KoBERT tutorials leave them."""

import json
from pathlib import Path

import pytest

from convert.vocabulary import read_vocabulary
from shared.errors import ModelSourceError
from tests.support.pickles import PROTOCOLS, dumps, gluonnlp_vocabulary

KOBERT = Path(__file__).resolve().parents[4] / "shared" / "kobert"
SPECIALS = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
OTHER_ORDER = ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "[PAD]"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_gluonnlp_vocabulary_is_read_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    tokens = [*SPECIALS, "▁한국", "어", "!"]
    path = tmp_path / "vocab.pkl"
    path.write_bytes(gluonnlp_vocabulary(tokens, protocol))

    vocabulary = read_vocabulary(path)

    assert list(vocabulary.tokens) == tokens
    assert vocabulary.special_tokens["padding_token"] == "[PAD]"
    assert not vocabulary.specials_differ()


@pytest.mark.skipif(not KOBERT.is_dir(), reason="../shared/kobert is not here")
def test_the_genuine_vocab_pkl_and_skts_json_are_the_same_8002_tokens() -> None:
    genuine = read_vocabulary(KOBERT / "vocab.pkl")

    assert len(genuine.tokens) == 8002
    assert genuine.tokens == read_vocabulary(KOBERT / "kobertvocab_f38b8a4d6d.json").tokens
    assert genuine.token_ids()["▁한국"] == 4958


def test_special_tokens_in_another_order_are_noticed_and_can_be_put_right(tmp_path: Path) -> None:
    path = tmp_path / "vocab.pkl"
    path.write_bytes(gluonnlp_vocabulary([*OTHER_ORDER, "▁한국"], protocol=4))

    vocabulary = read_vocabulary(path)

    assert vocabulary.specials_differ()
    assert vocabulary.token_ids("file")["[PAD]"] == 4
    assert vocabulary.token_ids("kobert") == {
        "[UNK]": 0, "[PAD]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "▁한국": 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"_idx_to_token": ["a"]}, "not a pickled gluonnlp vocabulary"),
        ([1, 2], "not a pickled gluonnlp vocabulary"),
    ],
)
def test_a_pickle_that_is_no_vocabulary_is_refused(tmp_path: Path, content: object, fault: str) -> None:
    path = tmp_path / "vocab.pkl"
    path.write_bytes(dumps(content))
    with pytest.raises(ModelSourceError, match=fault):
        read_vocabulary(path)


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ({"idx_to_token": ["a", "b"], "token_to_idx": {"a": 1, "b": 0}}, "contradicts itself"),
        ({"idx_to_token": ["a", "a"], "token_to_idx": {"a": 1}}, "a token twice"),
        ({"idx_to_token": "ab"}, "no list of tokens"),
        ([], "not a JSON object"),
    ],
)
def test_a_vocabulary_that_contradicts_itself_is_refused(tmp_path: Path, state: object, fault: str) -> None:
    path = tmp_path / "kobertvocab_x.json"
    path.write_text(json.dumps(state))
    with pytest.raises(ModelSourceError, match=fault):
        read_vocabulary(path)
