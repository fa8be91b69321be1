"""The tokenizer of a source: which file it is made of, and what is refused."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import BertTokenizer

from bundles.sources.conversion import ConversionOptions, ConversionRequest
from convert.sentencepiece_tokenizer import own_ids
from convert.tokenizer import choose_tokenizer, pad_token_id
from shared.errors import ModelSourceError
from tests.support.checkpoints import SENTENCES, write_sentencepiece

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "안녕", "##하세요", "오늘", "방송", "abc", "!", ",", "漢"]


def choose(files: dict[str, Path], **options: str) -> Tokenizer:
    request = ConversionRequest(
        name="model", source="model", revision="1", files={}, output_dir="",
        options=ConversionOptions(**options),  # type: ignore[arg-type]  # the test's own words
    )  # fmt: skip
    return choose_tokenizer(files, request, lambda _: None)[0]


@pytest.mark.parametrize("lowercase", [True, False])
def test_word_pieces_get_the_ids_of_transformers(tmp_path: Path, lowercase: bool) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(WORDS) + "\n")
    config = tmp_path / "tokenizer_config.json"
    config.write_text(f'{{"do_lower_case": {str(lowercase).lower()}}}')
    expected = BertTokenizer(str(path), do_lower_case=lowercase)

    tokenizer = choose({"word_pieces": path, "tokenizer_config": config})

    for text in ("안녕하세요 오늘, 방송!", "ABC abc 漢字", "모르는말"):
        assert tokenizer.encode(text).ids == expected(text)["input_ids"]
    assert pad_token_id(tokenizer) == 0


def test_a_tokenizer_json_loses_the_padding_that_its_trainer_set(tmp_path: Path) -> None:
    path = write_sentencepiece(tmp_path / "spiece.model")
    trained = choose({"sentencepiece": path})
    trained.enable_padding(length=64)
    trained.enable_truncation(8)
    trained.save(str(tmp_path / "tokenizer.json"))

    tokenizer = choose({"tokenizer": tmp_path / "tokenizer.json"})

    assert 8 < len(tokenizer.encode(SENTENCES[0]).ids) < 64
    assert pad_token_id(tokenizer) == 1


def test_pieces_take_the_ids_of_a_vocab_txt_beside_them(tmp_path: Path) -> None:
    """As monologg/kobert has it: SKT's model in its own order, KoBERT's order in vocab.txt."""
    path = write_sentencepiece(tmp_path / "spiece.model")
    tokens = list(own_ids(path))
    moved = [*tokens[:5], *reversed(tokens[5:])]
    (tmp_path / "vocab.txt").write_text("\n".join(moved) + "\n")

    tokenizer = choose({"sentencepiece": path, "word_pieces": tmp_path / "vocab.txt"})

    ids = tokenizer.encode(SENTENCES[0]).ids
    pieces = choose({"sentencepiece": path}).encode(SENTENCES[0]).ids
    assert [moved[index] for index in ids] == [tokens[index] for index in pieces]
    assert ids != pieces


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("tokenizer.json", "{}", "not a file of the tokenizers library"),
        ("vocab.txt", "a\nb\n", r"vocab\.txt has no \[UNK\]"),
    ],
)
def test_a_tokenizer_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: str, fault: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    role = {"tokenizer.json": "tokenizer", "vocab.txt": "word_pieces"}[name]
    with pytest.raises(ModelSourceError, match=fault):
        choose({role: path})


def test_a_source_without_any_tokenizer_is_refused() -> None:
    with pytest.raises(ModelSourceError, match="model has no tokenizer: add"):
        choose({})
