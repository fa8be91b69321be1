"""The tokenizer of a source: which file it is made of, and what is refused."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertTokenizer

from bundles.sources.conversion import ConversionOptions, ConversionRequest
from convert.sentencepiece_tokenizer import own_ids
from convert.tokenizer import choose_tokenizer, pad_token_id
from convert.unknown_words import check_known
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


def wordpiece_of(path: Path, folder: Path) -> Path:
    """A `tokenizer.json` as optimum writes it for a KoBERT: word pieces of what are SentencePiece's pieces."""
    ids = own_ids(path)
    wrong = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    wrong.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    wrong.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def test_a_tokenizer_json_that_knows_no_korean_gives_way_to_the_sentencepiece_model(tmp_path: Path) -> None:
    path = write_sentencepiece(tmp_path / "spiece.model")
    wrong = wordpiece_of(path, tmp_path)

    tokenizer = choose({"tokenizer": wrong, "sentencepiece": path})

    assert tokenizer.encode(SENTENCES[0]).ids == choose({"sentencepiece": path}).encode(SENTENCES[0]).ids
    with pytest.raises(ModelSourceError, match=r"tokenizer\.json does not know \d\d% of Korean sample texts"):
        check_known(choose({"tokenizer": wrong}), "tokenizer.json")


@pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\x0b", "\x1c"])
def test_a_line_of_a_vocab_txt_may_hold_any_character_but_a_line_feed(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join([*WORDS[:5], separator, *WORDS[5:]]) + "\n")
    tokenizer = choose({"word_pieces": path})
    assert tokenizer.get_vocab_size() == len(WORDS) + 1
    assert tokenizer.token_to_id("안녕") == WORDS.index("안녕") + 1


def test_special_tokens_of_a_trainers_own_are_matched_in_a_text_and_those_of_the_input_are_not(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join([*WORDS, "[", "]", "sep", "name"]) + "\n")
    trained = choose({"word_pieces": path})
    trained.add_special_tokens(["[SEP]", "[NAME]"])
    trained.save(str(tmp_path / "tokenizer.json"))

    tokenizer = choose({"tokenizer": tmp_path / "tokenizer.json"})
    tokenizer.encode_special_tokens = True  # as a worker sets it

    tokens = tokenizer.encode("abc[NAME]abc[SEP]", add_special_tokens=False).tokens
    assert tokens == ["abc", "[NAME]", "abc", "[", "sep", "]"]


def test_added_tokens_have_their_ids_and_match_as_transformers_matches_them(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(WORDS) + "\n")
    trained = BertTokenizer(str(path), do_lower_case=False)
    trained.add_tokens(["뿡뿡이", "[NAME]"])
    first = len(WORDS)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"뿡뿡이": first, "[NAME]": first + 1}))
    decoder = {str(first + 1): {"content": "[NAME]", "special": True}, "3": {"content": "[SEP]", "special": True}}
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"do_lower_case": False, "added_tokens_decoder": decoder}))

    files = {"word_pieces": path, "tokenizer_config": config, "added_tokens": tmp_path / "added_tokens.json"}
    tokenizer = choose(files)
    tokenizer.encode_special_tokens = True  # as a worker sets it

    for text in ("오늘 뿡뿡이 방송", "뿡뿡이안녕하세요[NAME]!", "안녕"):
        assert tokenizer.encode(text).ids == trained(text)["input_ids"]
    assert tokenizer.encode("[SEP]").ids.count(3) == 1


def test_an_added_token_whose_id_cannot_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(WORDS) + "\n")
    for wrong, said in (({"뿡뿡이": 40}, "ends at 12"), ({"방송": 5}, "gives it 8"), ({"안녕하세요": 7}, "ends at 12")):
        (tmp_path / "added_tokens.json").write_text(json.dumps(wrong))
        with pytest.raises(ModelSourceError, match=said):
            choose({"word_pieces": path, "added_tokens": tmp_path / "added_tokens.json"})
