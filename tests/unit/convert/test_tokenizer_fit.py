"""A tokenizer that belongs to another model is refused; settings of one that mean nothing here change nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, models, processors

from convert.tokenizer import load_tokenizer_json
from convert.tokenizer_fit import check_fit
from convert.word_pieces import as_configured, compare_words, from_word_pieces
from shared.errors import ModelSourceError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "안녕", "##하세요", "오늘", "Abc", "abc"]


def of_size(size: int, **moved: int) -> Tokenizer:
    ids = {**{f"w{at}": at for at in range(size)}, **moved}
    return Tokenizer(models.WordLevel(ids, unk_token="w0"))


@pytest.mark.parametrize(
    ("size", "rows"), [(30_000, 30_000), (54_343, 54_343), (250_101, 251_000), (151_669, 151_936), (128_001, 128_100)]
)
def test_a_model_may_have_a_few_rows_more(size: int, rows: int) -> None:
    check_fit(of_size(size), rows)
    check_fit(of_size(size), None)


@pytest.mark.parametrize(
    ("size", "rows"), [(30_000, 32_000), (32_000, 30_000), (32_000, 32_200), (32_200, 35_000), (8_002, 30_000)]
)
def test_a_vocabulary_of_another_korean_model_is_refused(size: int, rows: int) -> None:
    with pytest.raises(ModelSourceError, match=f"has {size:,} tokens and the model {rows:,}: they do not belong"):
        check_fit(of_size(size), rows)


def test_an_id_beyond_the_rows_of_the_model_is_refused() -> None:
    with pytest.raises(ModelSourceError, match="has ids up to 5,000 and the model 300"):
        check_fit(of_size(290, far=5_000), 300)


def test_texts_of_another_token_type_are_refused() -> None:
    tokenizer = Tokenizer(models.WordLevel({"가": 0, "[CLS]": 1}, unk_token="가"))
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS]:0 $A:1", special_tokens=[("[CLS]", 1)])
    with pytest.raises(ModelSourceError, match="another token type than 0"):
        check_fit(tokenizer, None)


def test_texts_that_do_not_end_where_the_classifier_reads_are_refused() -> None:
    """As KoBART's tokenizer, which adds no `</s>`."""
    tokenizer = Tokenizer(models.WordLevel({"가": 0, "</s>": 1}, unk_token="가"))
    with pytest.raises(ModelSourceError, match=r"does not end a text with the token 1 \(eos_token_id\)"):
        check_fit(tokenizer, None, end_id=1)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    check_fit(tokenizer, None, end_id=1)


def word_pieces(folder: Path, **config: Any) -> Tokenizer:
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return from_word_pieces(folder / "vocab.txt", {"do_lower_case": False, **config})


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_side_of_padding_and_of_truncation_changes_nothing(tmp_path: Path, side: str) -> None:
    trained = word_pieces(tmp_path)
    expected = trained.encode("안녕하세요 오늘 abc").ids
    trained.enable_padding(direction=side, length=20)
    trained.enable_truncation(4, direction=side)
    trained.save(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer_json(tmp_path / "tokenizer.json").encode("안녕하세요 오늘 abc").ids == expected


@pytest.mark.parametrize("said", [{"do_lower_case": True}, {"do_lower_case": True, "strip_accents": False}])
def test_the_letters_are_those_of_the_config_as_in_transformers(tmp_path: Path, said: dict[str, Any]) -> None:
    """BERT's classes of transformers put what tokenizer_config.json says over tokenizer.json."""
    told: list[str] = []
    config = {"tokenizer_class": "BertTokenizerFast", **said}

    tokenizer = as_configured(word_pieces(tmp_path), config, told.append)

    assert tokenizer.encode("Abc 오늘").ids == word_pieces(tmp_path, **said).encode("Abc 오늘").ids
    assert tokenizer.encode("Abc").ids != word_pieces(tmp_path).encode("Abc").ids
    assert len(told) == 1
    assert "differ in" in told[0]


@pytest.mark.parametrize(
    "config",
    [{"tokenizer_class": "BertTokenizerFast", "do_lower_case": False}, {"tokenizer_class": "PreTrainedTokenizerFast",
     "do_lower_case": True}, {}],
)  # fmt: skip
def test_a_config_that_agrees_or_is_not_read_changes_nothing(tmp_path: Path, config: dict[str, Any]) -> None:
    told: list[str] = []
    tokenizer = as_configured(word_pieces(tmp_path), config, told.append)
    assert tokenizer.to_str() == word_pieces(tmp_path).to_str()
    assert told == []


def test_two_files_that_number_words_differently_are_told_of(tmp_path: Path) -> None:
    told: list[str] = []
    tokenizer = word_pieces(tmp_path)
    tokenizer.add_tokens([AddedToken("뿡뿡이")])
    compare_words(tokenizer, tmp_path / "vocab.txt", told.append)
    assert told == []

    (tmp_path / "vocab.txt").write_text("\n".join([*WORDS[:5], "오늘", "안녕", *WORDS[8:]]) + "\n")
    compare_words(tokenizer, tmp_path / "vocab.txt", told.append)
    assert "number 4 words differently ('오늘')" in told[0]
    assert json.loads(tokenizer.to_str())["model"]["vocab"]["안녕"] == 5
