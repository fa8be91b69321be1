from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.format import load_bundle
from bundles.windows import discount_of
from shared.errors import BundleInvalidError, TextRejectedError
from tests.support.echo import write_echo_bundle
from worker.inference.tokenizer import BundleTokenizer


@pytest.fixture(scope="module")
def tokenizer(echo_bundle: Path) -> BundleTokenizer:
    return BundleTokenizer(load_bundle(echo_bundle), max_windows=4)


def test_each_window_carries_the_special_tokens_of_the_bundle(tokenizer: BundleTokenizer) -> None:
    ((short,), long) = tokenizer.encode(["a", "b" * 100])

    assert (short[0], short[-1], len(short)) == (1, 2, 3)
    assert [len(window) for window in long] == [59, 59]
    assert all((window[0], window[-1]) == (1, 2) for window in long)


def test_a_text_of_too_many_windows_is_refused_with_both_numbers(tokenizer: BundleTokenizer) -> None:
    (windows,) = tokenizer.encode(["b" * 1000])
    with pytest.raises(TextRejectedError, match=r"21 windows.*at most 4"):
        tokenizer.check_length(windows)


def test_an_unknown_normaliser_is_refused_by_name(tmp_path: Path) -> None:
    bundle = load_bundle(write_echo_bundle(tmp_path / "bundle", normaliser="from-the-future"))
    with pytest.raises(BundleInvalidError, match="from-the-future"):
        BundleTokenizer(bundle, max_windows=4)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_a_text_has_the_same_tokens_alone_and_among_others(tokenizer: BundleTokenizer, text: str) -> None:
    assert tokenizer.encode([text]) == tokenizer.encode([text, "다른 글"])[:1]


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_valid_unicode_can_be_tokenised(tokenizer: BundleTokenizer, text: str) -> None:
    ((*_, last),) = tokenizer.encode([text])
    assert last[-1] == 2


def test_a_special_token_in_a_text_is_read_as_its_characters(tokenizer: BundleTokenizer) -> None:
    ((window,),) = tokenizer.encode(["a[SEP]b"])
    assert len(window) == 2 + len("a[SEP]b")
    assert window.count(2) == 1


@pytest.fixture
def reader_of_sentences(tmp_path: Path) -> BundleTokenizer:
    config = {"problem_type": "multi_label_classification", "labels": ["curse"], "sentence_discount": 0.5}
    return BundleTokenizer(load_bundle(write_echo_bundle(tmp_path / "bundle", **config)), max_windows=1)


def test_sentences_are_read_besides_and_do_not_make_a_text_too_long(reader_of_sentences: BundleTokenizer) -> None:
    ((whole, first, second),) = reader_of_sentences.encode(["재미있었어요. 또 올게요."])

    assert [discount_of(row) for row in (whole, first, second)] == [0, 0.5, 0.5]
    assert first[1:-1] == whole[1 : len(first) - 1]
    assert second[1:-1] == whole[1 - len(second) : -1]
    reader_of_sentences.check_length([whole, first, second])


def test_sentences_are_the_same_alone_and_among_other_texts(reader_of_sentences: BundleTokenizer) -> None:
    text = "재미있었어요. 또 올게요."
    assert reader_of_sentences.encode([text]) == reader_of_sentences.encode([text, "다른 글"])[:1]


def test_a_text_to_be_explained_is_read_in_the_same_windows(reader_of_sentences: BundleTokenizer) -> None:
    text = "재미있었어요. 또 올게요."

    traced = reader_of_sentences.encode_traced(text)

    assert [traced.windows] == reader_of_sentences.encode([text])
    assert [len(ranges) + 2 for ranges in traced.token_ranges] == [len(window) for window in traced.windows]
