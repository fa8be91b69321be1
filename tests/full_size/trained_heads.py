"""Classifiers of four families that were really trained, converted, and scored beside torch: `make trained-heads`.

    python -m tests.full_size.trained_heads FOLDER --base FOLDER --data ROWS.jsonl [--write]

The upper layers of a BERT encoder (`--base`: a bundle of this project, or an encoder's folder) and a head for BERT are
trained on the `train` rows. Its weights are then given to a
RoBERTa (positions after the padding id), an ELECTRA and a DistilBERT (no token types), and a head of each family, with
its own activation, is trained on what the encoder says of the same rows. Each is saved as transformers does it,
converted as `make run` does it, and compared with torch on the `dev` rows.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import transformers
from tokenizers import Tokenizer
from torch import Tensor, nn

from bench.pages import replace_section
from bundles.format import MANIFEST_FILE, load_bundle
from bundles.model_config import read_model_config
from bundles.sources.resolver import resolve
from convert.families import BERT, DISTILBERT, ELECTRA, ROBERTA, Family
from convert.model_source import open_model
from convert.verify import Logits, run_graph
from shared.settings import Settings
from tests.full_size.torch_answers import by_torch
from tests.full_size.trained_heads_page import Result, section
from training.data.batches import TrainingSet, encode, pad
from training.learn.embedded import encoder_of_bundle
from training.learn.fit import Fit, FitPlan, class_loss
from training.learn.network import load_encoder
from training.ship.vocabulary import tokenizer_of

LABELS = ("none", "offensive", "hate")
_MAX_LENGTH = 64
_PAD_ID = 1
_OFFSET = _PAD_ID + 1
# Enough to learn what the labels mean, in a few minutes of one core.
_TRAIN_ROWS = 2_500
# Of those, rows that the other families' heads are trained on.
_HEAD_ROWS = 800
# Of those, rows by which a head's first layer is begun.
_FIRST_ROWS = 500
# An encoder that was tuned to comments needs its upper layers trained, a general one all of them; and how often.
_OF_A_BUNDLE, _OF_AN_ENCODER = (2, 1), (12, 1)
_BATCH = 64
_FLOAT_TEXTS = 100
_HEAD_EPOCHS, _HEAD_RATE = 20, 1e-3
_FEATURES_FILE, _TUNED_FILE = "features.npz", "tuned.pt"


@dataclass(frozen=True)
class Texts:
    """Tokenised texts with the indices of their labels."""

    ids: list[list[int]]
    labels: list[int]


def main(arguments: Sequence[str]) -> int:
    """Train, convert, compare; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base", type=Path, required=True, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="write the pages")
    options = parser.parse_args(arguments)
    missing = [str(path) for path in (*options.base, options.data) if not path.exists()]
    if missing:
        sys.stdout.write(f"skipped: {', '.join(missing)} is not here\n")
        return 0
    results = [
        result for base in options.base for result in train_and_compare(options.folder / base.name, base, options.data)
    ]
    for result in results:
        sys.stdout.write(f"{result}\n")
    if options.write:
        for language, page in (("en", "own-model.md"), ("ko", "own-model.ko.md")):
            replace_section(page, section(results, language))
    return int(any(result.float_difference > 1e-3 for result in results))


def train_and_compare(folder: Path, base: Path, data: Path) -> list[Result]:
    """One result a family; what was trained stays in `folder`, for a run that goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer_of(base)
    train, dev = (read_rows(data, split, tokenizer) for split in ("train", "dev"))
    step = max(len(train.ids) // _TRAIN_ROWS, 1)
    train = Texts(train.ids[::step], train.labels[::step])
    tuned = _tuned(folder, base, train)
    encoder = {name: tensor for name, tensor in tuned.state_dict().items() if name.startswith("bert.")}
    for_heads = Texts(train.ids[:: _TRAIN_ROWS // _HEAD_ROWS], train.labels[:: _TRAIN_ROWS // _HEAD_ROWS])
    features = _features(folder, tuned, for_heads.ids)
    layers, width = tuned.config.num_hidden_layers, tuned.config.hidden_size
    for family in (BERT, ROBERTA, ELECTRA, DISTILBERT):
        if (folder / f"{family.name}.json").is_file():
            continue
        model = tuned if family is BERT else _with_head_of(family, encoder, tuned.config, features, for_heads.labels)
        compared = _compare(family, model.eval(), tokenizer, dev, folder / family.name)
        result = Result(base=base.name, layers=layers, width=width, learnt=min(_depth(base)[0], layers), **compared)
        (folder / f"{family.name}.json").write_bytes(msgspec.json.encode(result))
    return [
        msgspec.json.decode((folder / f"{family.name}.json").read_bytes(), type=Result)
        for family in (BERT, ROBERTA, ELECTRA, DISTILBERT)
    ]


def read_rows(path: Path, split: str, tokenizer: Tokenizer) -> Texts:
    """The rows of a split, each with the first of its labels that is one of `LABELS`."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["split"] == split]
    labels = [next(LABELS.index(label) for label in row["labels"] if label in LABELS) for row in rows]
    return Texts(encode(tokenizer, [row["text"] for row in rows], _MAX_LENGTH), labels)


class _Tuned(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        # First, so that the optimiser finds them by this name.
        self.head = nn.ModuleList([model.bert.pooler, model.classifier])
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def _tuned(folder: Path, base: Path, train: Texts) -> Any:
    """The encoder of `base` as a BERT classifier, its upper layers trained on the rows."""
    encoder = encoder_of_bundle(load_bundle(base)) if (base / MANIFEST_FILE).is_file() else load_encoder(base)
    config = transformers.BertConfig(**{**encoder.config.to_dict(), **_labels()})
    torch.manual_seed(20)
    model = transformers.BertForSequenceClassification(config)
    model.bert.load_state_dict(encoder.state_dict(), strict=False)  # without its pooler, which is to be trained
    if (folder / _TUNED_FILE).is_file():
        model.load_state_dict(torch.load(folder / _TUNED_FILE, weights_only=True))
        return model.eval()
    pooler: Any = model.bert.pooler
    begin_at(pooler.dense, _states(model, train.ids[:: max(len(train.ids) // _FIRST_ROWS, 1)]))
    learnt, epochs = _depth(base)
    lower = [model.bert.embeddings, *model.bert.encoder.layer[:-learnt]]
    for parameter in (parameter for layer in lower for parameter in layer.parameters()):
        parameter.requires_grad_(False)
    targets = np.eye(len(LABELS), dtype=np.float32)[train.labels]
    fit = Fit(_Tuned(model), FitPlan(epochs=epochs, learning_rate=1e-4, checkpoint_every_s=60), folder, pad_id=_PAD_ID)
    fit.loss = class_loss
    fit.run(lambda _epoch, _generator: TrainingSet(train.ids, targets))
    torch.save(model.state_dict(), folder / _TUNED_FILE)
    return model.eval()


def begin_at(layer: nn.Linear, states: Tensor) -> None:
    """Begin a head's first layer so that it tells apart what the encoder says of texts, `[texts, hidden]`.

    A general encoder says nearly the same of all at the first token: e5's channels differ by 0.06 around 0.16. A layer
    of small random weights passes that on, the next sees one and the same text, and a few hundred steps end at chance.
    """
    spread, centre = states.std(dim=0).clamp(min=1e-3), states.mean(dim=0)
    with torch.no_grad():
        layer.weight.copy_(torch.randn_like(layer.weight) / (spread * len(spread) ** 0.5))
        layer.bias.copy_(-(layer.weight @ centre))


def _depth(base: Path) -> tuple[int, int]:
    """How many upper layers of the base are trained, at most, and how often."""
    return _OF_A_BUNDLE if (base / MANIFEST_FILE).is_file() else _OF_AN_ENCODER


def _labels() -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(LABELS)),
        "label2id": {label: index for index, label in enumerate(LABELS)},
        "problem_type": "single_label_classification",
        "attn_implementation": "eager",
    }


def _features(folder: Path, model: Any, ids: list[list[int]]) -> Tensor:
    """What the tuned encoder says of each row; kept for a run that goes on."""
    path = folder / _FEATURES_FILE
    if not path.is_file():
        np.savez(path, features=_states(model, ids).numpy())
    return torch.from_numpy(np.load(path)["features"])


def _states(model: Any, ids: list[list[int]]) -> Tensor:
    """What the encoder says at the first token of each row, `[rows, hidden]`."""
    found: list[Tensor] = [torch.empty(0)] * len(ids)
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    with torch.no_grad():
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            input_ids, mask = pad([ids[index] for index in chosen], _PAD_ID)
            states = model.bert(input_ids=input_ids, attention_mask=mask).last_hidden_state[:, 0]
            for index, state in zip(chosen, states, strict=True):
                found[index] = state.clone()
    return torch.stack(found)


def new_model(family: Family, config: Any) -> Any:
    """A classifier of the family with the sizes of a BERT's config and random weights."""
    sizes = {
        name: getattr(config, name)
        for name in (
            "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
            "layer_norm_eps", "pad_token_id", "type_vocab_size", "max_position_embeddings",
        )
    }  # fmt: skip
    if family is ROBERTA:
        longer = {**sizes, "max_position_embeddings": config.max_position_embeddings + _OFFSET, "type_vocab_size": 1}
        return transformers.RobertaForSequenceClassification(transformers.RobertaConfig(**longer, **_labels()))
    if family is ELECTRA:
        fields = {**sizes, "embedding_size": config.hidden_size}
        return transformers.ElectraForSequenceClassification(transformers.ElectraConfig(**fields, **_labels()))
    fields = {
        "vocab_size": config.vocab_size, "dim": config.hidden_size, "n_layers": config.num_hidden_layers,
        "n_heads": config.num_attention_heads, "hidden_dim": config.intermediate_size, "pad_token_id": _PAD_ID,
        "max_position_embeddings": config.max_position_embeddings,
    }  # fmt: skip
    return transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig(**fields, **_labels()))


def _with_head_of(
    family: Family, encoder: Mapping[str, Tensor], config: Any, features: Tensor, labels: list[int]
) -> Any:
    """The encoder's weights as one of the family, with a head trained on `features`."""
    torch.manual_seed(20)
    model = new_model(family, config)
    missing, unexpected = model.load_state_dict(rekeyed(family, encoder), strict=False)
    heads = ("classifier", "pre_classifier")
    if unexpected or any(not name.startswith(heads) and "_ids" not in name for name in missing):
        raise ValueError(f"the weights are not those of a {family.name}: {[*missing, *unexpected][:3]}")
    _train_head(family, model, features, torch.tensor(labels))
    return model


def rekeyed(family: Family, encoder: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a BERT encoder under the names, and with the embeddings, that the family has."""
    tensors = {name: tensor for name, tensor in encoder.items() if "pooler" not in name and "_ids" not in name}
    types = tensors["bert.embeddings.token_type_embeddings.weight"]
    positions = "bert.embeddings.position_embeddings.weight"
    if family is ROBERTA:
        unused = torch.zeros(_OFFSET, types.shape[1])
        tensors[positions] = torch.cat([unused, tensors[positions]])
        tensors["bert.embeddings.token_type_embeddings.weight"] = types[:1]
    if family is DISTILBERT:
        tensors[positions] = tensors[positions] + types[0]
        del tensors["bert.embeddings.token_type_embeddings.weight"]
    return {family.own_name(name): tensor for name, tensor in tensors.items()}


_HEADS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    ROBERTA.name: lambda model, states: model.classifier(states[:, None]),
    ELECTRA.name: lambda model, states: model.classifier(states[:, None]),
    DISTILBERT.name: lambda model, states: model.classifier(nn.functional.relu(model.pre_classifier(states))),
}


def _train_head(family: Family, model: Any, features: Tensor, labels: Tensor) -> None:
    head = [parameter for name, parameter in model.named_parameters() if "classifier" in name]
    optimiser = torch.optim.AdamW(head, lr=_HEAD_RATE, weight_decay=0.01)
    generator = torch.Generator().manual_seed(20)
    model.train()
    for _ in range(_HEAD_EPOCHS):
        for chosen in torch.randperm(len(features), generator=generator).split(_BATCH):
            loss = nn.functional.cross_entropy(_HEADS[family.name](model, features[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def _compare(family: Family, model: Any, tokenizer: Tokenizer, dev: Texts, folder: Path) -> dict[str, Any]:
    model.save_pretrained(folder / "model")
    (folder / "model" / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    bundle = resolve(Settings(model=str(folder / "model"), cache_dir=folder / "cache"), lambda _: None)
    expected = _kept(folder / "torch.npy", lambda: by_torch(model, dev.ids))
    in_int8 = _kept(folder / "int8.npy", lambda: run_graph(bundle.model_path, dev.ids))
    in_float = _kept(folder / "float.npy", lambda: run_graph(_float_graph(folder), dev.ids[:_FLOAT_TEXTS]))
    return {
        "family": family.name,
        "rows": len(dev.ids),
        "float_difference": float(np.abs(in_float - expected[:_FLOAT_TEXTS]).max()),
        "labels_equal": int((in_int8.argmax(axis=1) == expected.argmax(axis=1)).sum()),
        "accuracy_of_torch": _accuracy(expected, dev.labels),
        "accuracy_of_int8": _accuracy(in_int8, dev.labels),
    }


def _kept(path: Path, make: Callable[[], Logits]) -> Logits:
    """What an earlier run that was cut off left, or made now and left for the next one."""
    if not path.is_file():
        np.save(path, make())
    logits: Logits = np.load(path)
    return logits


def _float_graph(folder: Path) -> Path:
    source = folder / "model"
    files = {"weights": source / "model.safetensors", "config": source / "config.json"}
    return open_model(files, read_model_config(files["config"]), str(source)).write_float(folder)


def _accuracy(logits: Logits, labels: list[int]) -> float:
    return float((logits.argmax(axis=1) == np.array(labels)).mean())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
