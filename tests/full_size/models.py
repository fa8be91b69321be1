"""Architectures that Korean users have, with random weights, as large as published or tiny."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.full_size.vocabularies import Vocabulary
from tests.support.families import family_classifier

LABELS = ("clean", "curse", "conflictOfGeneration", "insult", "caricature")


HEAD_WIDTH = 64


@dataclass(frozen=True)
class Scale:
    """How large everything is: as published, or tiny, to show that it runs."""

    layers: int = 12
    hidden: int = 768
    vocabulary: int = 300_000
    # Comments to train vocabularies on; those of them whose tokens, and whose answers, are compared.
    corpus: int = 28_000
    tokens: int = 10_000
    answers: int = 200


FULL, TINY = Scale(), Scale(layers=2, hidden=64, vocabulary=800, corpus=600, tokens=300, answers=20)


@dataclass(frozen=True)
class Model:
    """An architecture of `tests.support.families` with the sizes of a published encoder."""

    family: str
    vocabulary: str
    size: int
    layers: int = 12
    hidden: int = 768
    positions: int = 512
    others: Mapping[str, Any] = field(default_factory=dict)

    def make(self, scale: Scale, vocabulary: Vocabulary) -> Any:
        hidden = min(self.hidden, scale.hidden)
        others = dict(self.others)
        if self.family == "ELECTRA":
            others["embedding_size"] = hidden
        if self.family == "ELECTRA, small":
            others["embedding_size"] = hidden // 2
        made = family_classifier(
            self.family, num_labels=len(LABELS), vocab_size=vocabulary.size, hidden_size=hidden,
            num_hidden_layers=min(self.layers, scale.layers), num_attention_heads=hidden // HEAD_WIDTH,
            intermediate_size=4 * hidden, pad_token_id=vocabulary.pad_id,
            max_position_embeddings=self.positions, **others,
        )  # fmt: skip
        made.config.id2label = dict(enumerate(LABELS))
        made.config.label2id = {label: index for index, label in enumerate(LABELS)}
        made.config.problem_type = "single_label_classification"
        return made


_OFFSET = 514
MODELS = {
    "KoBERT": Model("BERT", "kobert", 8_002),
    "KcBERT": Model("BERT", "word-pieces", 30_000, positions=300),
    "klue/bert": Model("BERT", "tokenizer-json", 32_000),
    "klue/roberta": Model("RoBERTa", "klue", 32_000, positions=_OFFSET, others={"type_vocab_size": 1}),
    "RoBERTa": Model("RoBERTa", "byte-pairs", 32_000, positions=_OFFSET, others={"type_vocab_size": 1}),
    "XLM-R": Model("XLM-R", "fairseq", 250_002, positions=_OFFSET),
    "CamemBERT": Model("CamemBERT", "camembert", 32_005, positions=_OFFSET),
    "KcELECTRA": Model("ELECTRA", "word-pieces", 54_343),
    "KoELECTRA": Model("ELECTRA", "word-pieces", 35_000),
    "KoELECTRA-small": Model("ELECTRA, small", "word-pieces", 35_000, hidden=256),
    "KcELECTRA, fast": Model("ELECTRA", "tokenizer-json", 54_343),
    "DistilBERT": Model("DistilBERT", "word-pieces", 119_547, layers=6),
    "DistilKoBERT": Model("DistilBERT", "monologg", 8_002, layers=3),
}
