"""Text classifiers of transformers of every family that is read directly, with random weights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from convert.samples import SAMPLE_TEXTS
from tests.support.checkpoints import SENTENCES

LABELS = 3
VOCABULARY = 200
HIDDEN = 64
# Word pieces of every syllable of the sample texts.
SYLLABLES = sorted({sign for text in (*SENTENCES, *SAMPLE_TEXTS) for sign in text if sign.strip()})
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *SYLLABLES, *(f"##{sign}" for sign in SYLLABLES)]
NAMES = ("clean", "curse", "insult")
_SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 4 * HIDDEN,
}


def _bert(**sizes: Any) -> Any:
    return transformers.BertForSequenceClassification(transformers.BertConfig(**{**_SIZES, **sizes}))


def _roberta(**sizes: Any) -> Any:
    config = transformers.RobertaConfig(**{**_SIZES, "max_position_embeddings": 514, "layer_norm_eps": 1e-5, **sizes})
    return transformers.RobertaForSequenceClassification(config)


def _xlm_roberta(**sizes: Any) -> Any:
    fields = {**_SIZES, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5, **sizes}
    return transformers.XLMRobertaForSequenceClassification(transformers.XLMRobertaConfig(**fields))


def _camembert(**sizes: Any) -> Any:
    fields = {**_SIZES, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5, **sizes}
    return transformers.CamembertForSequenceClassification(transformers.CamembertConfig(**fields))


def _electra(**sizes: Any) -> Any:
    config = transformers.ElectraConfig(**{**_SIZES, "embedding_size": HIDDEN, **sizes})
    return transformers.ElectraForSequenceClassification(config)


def _electra_small(**sizes: Any) -> Any:
    return _electra(**{"embedding_size": HIDDEN // 2, **sizes})


def _distilbert(**sizes: Any) -> Any:
    given = {**_SIZES, **sizes}
    config = transformers.DistilBertConfig(
        vocab_size=given["vocab_size"], dim=given["hidden_size"], n_layers=given["num_hidden_layers"],
        n_heads=given["num_attention_heads"], hidden_dim=given["intermediate_size"],
        num_labels=given.get("num_labels", LABELS),
    )  # fmt: skip
    return transformers.DistilBertForSequenceClassification(config)


_MAKERS: dict[str, Callable[..., Any]] = {
    "BERT": _bert,
    "RoBERTa": _roberta,
    "XLM-R": _xlm_roberta,
    "CamemBERT": _camembert,
    "ELECTRA": _electra,
    "ELECTRA, small": _electra_small,
    "DistilBERT": _distilbert,
}
FAMILY_NAMES = tuple(_MAKERS)


def family_classifier(name: str, **sizes: Any) -> Any:
    """A classifier of the family `name` whose weights are spread so that its answers differ."""
    torch.manual_seed(20)
    model = _MAKERS[name](num_labels=sizes.pop("num_labels", LABELS), **sizes).eval()
    for parameter_name, parameter in model.named_parameters():
        if "embeddings.weight" in parameter_name:
            nn.init.normal_(parameter, std=0.5)
        elif "norm" not in parameter_name.lower() and parameter.dim() == 1:
            nn.init.normal_(parameter, std=0.1)  # biases, which transformers leaves at zero
        elif "classifier" in parameter_name:
            nn.init.normal_(parameter, std=0.3)
    return model


def write_family_folder(folder: Path, name: str, **options: Any) -> Any:
    """What `save_pretrained` leaves of a classifier with named labels, and its word pieces; returns the model."""
    model = family_classifier(name, vocab_size=len(WORDS))
    model.config.id2label = dict(enumerate(NAMES))
    model.config.label2id = {label: index for index, label in enumerate(NAMES)}
    model.save_pretrained(folder, **options)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    return model
