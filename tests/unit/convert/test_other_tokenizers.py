"""XLM-R's SentencePiece model and RoBERTa's byte-level BPE, without a `tokenizer.json`, give their references' ids."""

from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from tokenizers import ByteLevelBPETokenizer
from transformers import RobertaTokenizer

from convert.samples import SAMPLE_TEXTS
from convert.sentencepiece_tokenizer import build_xlm_tokenizer
from convert.tokenizer import from_byte_pairs, pad_token_id
from convert.unknown_words import unknown_share
from shared.errors import ModelSourceError
from tests.support.checkpoints import write_sentencepiece

pytestmark = pytest.mark.training

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


@pytest.mark.parametrize("own_ids", [True, False])
def test_a_sentencepiece_model_gets_the_ids_of_xlm_r(tmp_path: Path, own_ids: bool) -> None:
    ids: dict[str, Any] = {"unk_id": 3, "bos_id": 0, "pad_id": 1, "eos_id": 2} if own_ids else {}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SAMPLE_TEXTS), model_prefix=str(tmp_path / "m"), vocab_size=300, minloglevel=2, **ids
    )
    reference = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "m.model"))

    tokenizer = build_xlm_tokenizer(tmp_path / "m.model")

    assert pad_token_id(tokenizer) == 1
    assert unknown_share(tokenizer) < 0.1
    for text in (*SAMPLE_TEXTS, "뷁 <s> </s>"):
        plain = reference.encode(text)
        expected = plain if own_ids else [3 if index == 0 else index + 1 for index in plain]
        assert sorted(tokenizer.encode(text).ids) == sorted([0, *expected, 2])


def test_a_sentencepiece_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write_sentencepiece(tmp_path / "spiece.model")
    with pytest.raises(ModelSourceError, match=r"begins with \[UNK\], \[PAD\], \[CLS\], \[SEP\]"):
        build_xlm_tokenizer(path)


def test_byte_pairs_get_the_ids_of_a_roberta(tmp_path: Path) -> None:
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(SAMPLE_TEXTS, vocab_size=600, special_tokens=SPECIALS, show_progress=False)
    trained.save_model(str(tmp_path))
    vocabulary, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    reference = RobertaTokenizer(str(vocabulary), str(merges))

    tokenizer = from_byte_pairs(vocabulary, merges, {})

    assert pad_token_id(tokenizer) == 1
    for text in (*SAMPLE_TEXTS, "ABC 漢字 🙂"):
        assert tokenizer.encode(text).ids == reference(text)["input_ids"]


def test_byte_pairs_that_are_damaged_are_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text('{"a": 0}')
    (tmp_path / "merges.txt").write_text("a b\n")
    with pytest.raises(ModelSourceError, match=r"vocab\.json has no <s>"):
        from_byte_pairs(tmp_path / "vocab.json", tmp_path / "merges.txt", {})
    (tmp_path / "vocab.json").write_text('{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}')
    with pytest.raises(ModelSourceError, match=r"merges\.txt does not belong to vocab\.json"):
        from_byte_pairs(tmp_path / "vocab.json", tmp_path / "merges.txt", {})
