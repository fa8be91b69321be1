"""Checkpoints as users have them, made by torch itself: a small BERT classifier in every form that is in the wild."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from torch import nn
from torch.ao import quantization
from transformers import BertConfig, BertForSequenceClassification

LABELS = ("clean", "curse", "insult")
HIDDEN = 64
VOCABULARY = 200
SENTENCES = (
    "안녕하세요 오늘 방송 정말 재미있게 봤습니다",
    "배송이 빠르고 포장도 꼼꼼해서 마음에 듭니다",
    "기사 제목만 보고 댓글 다는 사람들 반성하세요",
    "연기는 좋았는데 결말이 너무 허무해서 별점 두 개",
    "비가 와서 길이 많이 막히네요 다음에 만나요",
)


def bert_classifier(
    labels: int = len(LABELS),
    *,
    layers: int = 2,
    hidden: int = HIDDEN,
    vocabulary: int = VOCABULARY,
    positions: int = 512,
) -> Any:
    """A `BertForSequenceClassification` of transformers with random weights, spread so that its answers differ."""
    torch.manual_seed(20)
    config = BertConfig(
        vocab_size=vocabulary,
        max_position_embeddings=positions,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        intermediate_size=4 * hidden,
        num_labels=labels,
        attn_implementation="eager",
        pad_token_id=1,
    )
    model = BertForSequenceClassification(config).eval()
    nn.init.normal_(model.bert.embeddings.word_embeddings.weight, std=0.5)
    nn.init.normal_(model.classifier.weight, std=0.3)
    return model


class BERTClassifier(nn.Module):
    """SKT's tutorial class, as far as its state dict goes."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.bert = model.bert
        self.dropout = nn.Dropout(0.5)
        self.classifier = model.classifier


def quantised(model: nn.Module, *, per_channel: bool = False) -> nn.Module:
    """torch's dynamic quantisation, as the original service's Colab did it."""
    spec: Any = {nn.Linear: quantization.per_channel_dynamic_qconfig} if per_channel else {nn.Linear}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its deprecation is the reason why such files must be read without it
        return quantization.quantize_dynamic(model, spec, dtype=torch.qint8)


def with_position_ids(state: dict[str, Any]) -> dict[str, Any]:
    return {**state, "bert.embeddings.position_ids": torch.arange(512).expand(1, -1)}


VARIANTS: dict[str, Callable[[Any], Any]] = {
    "a state dict": lambda model: model.state_dict(),
    "SKT's BERTClassifier": lambda model: BERTClassifier(model).state_dict(),
    "half precision": lambda model: {name: tensor.half() for name, tensor in model.state_dict().items()},
    "under the key model": lambda model: {"model": model.state_dict(), "epoch": 3},
    "under the key state_dict": lambda model: {"state_dict": model.state_dict(), "optimizer": {"lr": 5e-5}},
    "from DataParallel": lambda model: {f"module.{name}": tensor for name, tensor in model.state_dict().items()},
    "with position ids": lambda model: with_position_ids(model.state_dict()),
    "dynamically quantised": lambda model: quantised(BERTClassifier(model)).state_dict(),
    "quantised by channel": lambda model: quantised(BERTClassifier(model), per_channel=True).state_dict(),
}


def save(value: Any, path: Path, **options: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own quantised storages
        torch.save(value, path, **options)
    return path


def write_sentencepiece(path: Path, vocabulary: int = VOCABULARY, texts: Sequence[str] = SENTENCES * 20) -> Path:
    """Train a small SentencePiece model whose special tokens have KoBERT's names and ids."""
    return _train_sentencepiece(
        path, texts, vocab_size=vocabulary, unk_id=0, pad_id=1, bos_id=2, eos_id=3, unk_piece="[UNK]",
        pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", control_symbols="[MASK]",
    )  # fmt: skip


def write_xlm_sentencepiece(path: Path, vocabulary: int = VOCABULARY) -> Path:
    """The same with the special tokens of XLM-R."""
    return _train_sentencepiece(path, SENTENCES * 20, vocab_size=vocabulary, bos_id=0, pad_id=1, eos_id=2, unk_id=3)


def _train_sentencepiece(path: Path, texts: Sequence[str], **options: Any) -> Path:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix=str(path.with_suffix("")), model_type="unigram",
        normalization_rule_name="nmt_nfkc", hard_vocab_limit=False, minloglevel=2, **options,
    )  # fmt: skip
    path.with_suffix(".vocab").unlink()
    path.with_suffix(".model").rename(path)
    return path
