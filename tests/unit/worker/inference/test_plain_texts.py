import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, normalizers

from bundles.format import load_bundle
from convert.sentencepiece_tokenizer import _spaces_round_punctuation
from worker.inference.plain_texts import is_plain, without_normaliser
from worker.inference.tokenizer import BundleTokenizer

ROOT = Path(__file__).parents[4]
DEFAULT = ROOT / "models" / "default"
SYLLABLES = [chr(code) for code in range(0xAC00, 0xD7A4)]
SIGNS = [chr(code) for code in range(0x21, 0x7F)]


@pytest.fixture(scope="module")
def full() -> Tokenizer:
    return Tokenizer.from_file(str(DEFAULT / "tokenizer.json"))


@pytest.fixture(scope="module")
def bare(full: Tokenizer) -> Tokenizer:
    found = without_normaliser(full)
    assert found is not None
    return found


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    found: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return found


def test_every_plain_character_alone_and_beside_others_is_tokenised_the_same(full: Tokenizer, bare: Tokenizer) -> None:
    dice = random.Random(1)
    mixed = [*SYLLABLES, *SIGNS * 50]
    dice.shuffle(mixed)
    texts = ["".join(mixed[at : at + 7]) for at in range(0, len(mixed), 7)]
    texts += [" ".join(mixed[at : at + 5]) for at in range(0, len(mixed), 5)]
    assert all(map(is_plain, texts))
    assert [ids(bare, text) for text in texts] == [ids(full, text) for text in texts]


@pytest.fixture(scope="module")
def tokenizer() -> BundleTokenizer:
    return BundleTokenizer(load_bundle(DEFAULT), max_windows=4)


@given(text=st.text(st.sampled_from([*" 가각힣한글봇ㄳㅋㅠa.B~^1", "\ufdd0", "\u0301", "\u11a8"]), max_size=20))
def test_a_batch_is_tokenised_as_by_the_whole_tokenizer(full: Tokenizer, tokenizer: BundleTokenizer, text: str) -> None:
    encoded = tokenizer.encode_normalised([text, "가나", text, "ㅋㅋ"])
    assert [windows[0][1:-1] for windows in encoded] == [ids(full, one) for one in (text, "가나", text, "ㅋㅋ")]


@pytest.mark.parametrize("text", ["", " 가", "가 ", "가  나", "가\t나", "ㄳ", "각ㄱ", "가\u0301", "ａ", "\ufdd0"])
def test_what_a_step_may_change_is_not_plain(text: str) -> None:
    assert not is_plain(text)


@pytest.mark.parametrize(
    "step",
    [
        normalizers.Lowercase(),
        normalizers.Prepend("▁"),
        normalizers.Replace("가", "나"),
        normalizers.Replace(Regex("[ㄳㄵ]+."), "나"),
        normalizers.Replace(Regex(" {2,}"), ""),
        normalizers.NFD(),
        normalizers.BertNormalizer(),
        normalizers.Precompiled(_spaces_round_punctuation()),
    ],
)
def test_a_normaliser_that_may_change_plain_texts_is_kept(full: Tokenizer, step: normalizers.Normalizer) -> None:
    tokenizer = Tokenizer(full.model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Strip(), step])
    assert without_normaliser(tokenizer) is None
    tokenizer.normalizer = step
    assert without_normaliser(tokenizer) is None


def test_added_tokens_keep_the_normaliser(full: Tokenizer) -> None:
    tokenizer = Tokenizer.from_str(full.to_str())
    tokenizer.add_tokens([AddedToken("가나")])
    assert without_normaliser(tokenizer) is None
