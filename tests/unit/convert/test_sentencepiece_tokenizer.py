"""`tokenizer.json` gives the ids that SentencePiece gives, and those that gluonnlp's BERTSPTokenizer gave."""

import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer

from convert.sentencepiece_tokenizer import build_tokenizer, own_ids
from convert.tokenizer_faults import tokenizer_faults_explained
from convert.vocabulary import read_vocabulary
from shared.errors import ModelSourceError
from tests.support.checkpoints import SENTENCES, write_sentencepiece

KOBERT = Path(__file__).resolve().parents[4] / "shared" / "kobert"
COMMENTS = KOBERT.parent / "data" / "unlabelled_comments.jsonl"
needs_kobert = pytest.mark.skipif(not KOBERT.is_dir(), reason="../shared/kobert is not here")

AWKWARD_TEXTS = (
    "", " ", "  앞뒤   공백  ", "탭\t줄\n바꿈", "ㄱㅣ사 쓸게 없구나", "이ㅄ아", "ㅋㅋㅋㅋ ㅠㅠ",
    "[SEP] [CLS] [MASK] [UNK]", "▁한국▁어", "１２３ＡＢＣ", "①②㈜", "漢字와 한글", "😀😀👍🏻",
    "e\u0301 é", "가\u200b나", "\x00제어\x07문자", unicodedata.normalize("NFD", "한국어 모델을 공유합니다."),
    "http://a.kr/?q=한국", "“따옴표” ‘작은’ …말줄임",
)  # fmt: skip


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sentencepiece(tmp_path_factory.mktemp("spiece") / "spiece.model")


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("text", [*SENTENCES, *AWKWARD_TEXTS])
def test_the_kobert_way_gives_sentencepieces_own_ids(small_model: Path, text: str) -> None:
    tokenizer = build_tokenizer(small_model, own_ids(small_model), "kobert")
    assert ids(tokenizer, text) == sentencepiece.SentencePieceProcessor(model_file=str(small_model)).encode(text)


@needs_kobert
@pytest.mark.parametrize("text", AWKWARD_TEXTS)
def test_awkward_texts_get_koberts_ids(text: str) -> None:
    path = KOBERT / "kobert_8002_rebuilt.spiece"
    tokenizer = build_tokenizer(path, own_ids(path), "kobert")
    assert ids(tokenizer, text) == sentencepiece.SentencePieceProcessor(model_file=str(path)).encode(text)


@needs_kobert
@pytest.mark.parametrize("model", ["kobert_8002_rebuilt.spiece", "tokenizer_78b3253a26.model"])
def test_koberts_reference_sentence_gets_its_published_ids(model: str) -> None:
    vocabulary = read_vocabulary(KOBERT / "vocab.pkl")
    tokenizer = build_tokenizer(KOBERT / model, vocabulary.token_ids(), "kobert")
    assert tokenizer.encode("한국어 모델을 공유합니다.").ids == [2, 4958, 6855, 2046, 7088, 1050, 7843, 54, 3]


@needs_kobert
def test_the_gluonnlp_way_splits_at_punctuation_before_sentencepiece() -> None:
    """Ids that gluonnlp 0.10.0 itself gave; training/gluonnlp_proof.py compares 10,000 comments."""
    path = KOBERT / "kobert_8002_rebuilt.spiece"
    tokenizer = build_tokenizer(path, own_ids(path), "gluonnlp")
    assert tokenizer.encode("한국어 모델을 공유합니다.").ids == [2, 4958, 6855, 2046, 7088, 1050, 7843, 517, 54, 3]


@pytest.mark.skipif(not COMMENTS.is_file(), reason="../shared/data is not here")
def test_ids_of_real_comments_differ_from_sentencepieces_only_where_two_readings_score_the_same() -> None:
    path = KOBERT / "kobert_8002_rebuilt.spiece"
    tokenizer = build_tokenizer(path, own_ids(path), "kobert")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    texts = [json.loads(line)["text"] for line in COMMENTS.read_text(encoding="utf-8").splitlines()[:10_000]]

    pairs = [(ids(tokenizer, text), processor.encode(text)) for text in texts]

    different = [(ours, theirs) for ours, theirs in pairs if ours != theirs]
    # "...." is "." and "..." in either order: SentencePiece adds in 32 bits, the tokenizers library in 64.
    assert all(sorted(ours) == sorted(theirs) for ours, theirs in different)
    assert len(different) <= 0.003 * len(texts)


def test_special_tokens_in_a_text_are_text(small_model: Path) -> None:
    tokenizer = build_tokenizer(small_model, own_ids(small_model), "kobert")
    assert not {1, 2, 3, 4} & set(ids(tokenizer, "[CLS] [SEP] [PAD] [MASK]"))


def test_a_vocabulary_of_another_model_is_refused(small_model: Path) -> None:
    fewer = dict(list(own_ids(small_model).items())[:-10])
    with pytest.raises(ModelSourceError, match=r"no id for \d+ pieces of spiece\.model.*do not belong together"):
        build_tokenizer(small_model, fewer, "kobert")


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff", b"<html>"])
def test_a_file_that_is_no_sentencepiece_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "spiece.model"
    path.write_bytes(content)
    with pytest.raises(ModelSourceError, match=r"spiece\.model is not a"):
        own_ids(path)


def trained(path: Path, **options: Any) -> Path:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20), model_writer=model, hard_vocab_limit=False,
        unk_piece="[UNK]", pad_id=1, pad_piece="[PAD]", bos_id=2, bos_piece="[CLS]", eos_id=3, eos_piece="[SEP]",
        control_symbols=["[MASK]"], minloglevel=2, **{"vocab_size": 100, **options},
    )  # fmt: skip
    path.write_bytes(model.getvalue())
    return path


@pytest.mark.parametrize("text", [*SENTENCES, "①②㈜", "１２ＡＢ", "  앞뒤   공백  "])
def test_a_model_without_a_normalisation_of_its_own_is_read(tmp_path: Path, text: str) -> None:
    path = trained(tmp_path / "spiece.model", normalization_rule_name="identity")
    tokenizer = build_tokenizer(path, own_ids(path), "kobert")
    assert ids(tokenizer, text) == sentencepiece.SentencePieceProcessor(model_file=str(path)).encode(text)


@pytest.mark.parametrize(
    "option",
    [{"add_dummy_prefix": False}, {"remove_extra_whitespaces": False}, {"byte_fallback": True},
     {"treat_whitespace_as_suffix": True}],
)  # fmt: skip
def test_a_model_that_reads_texts_in_a_way_of_its_own_is_refused(tmp_path: Path, option: dict[str, bool]) -> None:
    path = trained(tmp_path / "spiece.model", **({"vocab_size": 400} if "byte_fallback" in option else {}), **option)
    with pytest.raises(ModelSourceError, match=rf"trained with {next(iter(option))}=.*; add the tokenizer\.json"):
        own_ids(path)


def test_a_model_whose_normalisation_is_damaged_is_one_sentence(small_model: Path, tmp_path: Path) -> None:
    proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]  # generated
    proto.ParseFromString(small_model.read_bytes())
    proto.normalizer_spec.precompiled_charsmap = b"abc"
    path = tmp_path / "spiece.model"
    path.write_bytes(proto.SerializeToString())
    said = pytest.raises(ModelSourceError, match=r"the tokenizer of mine cannot be used: .*charsmap")
    with said, tokenizer_faults_explained("mine"):
        build_tokenizer(path, own_ids(path), "kobert")
