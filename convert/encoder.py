"""Makes a base encoder for training from a checkpoint of any family that is read directly, from the Hub or a folder.

Writes the folder that `training.learn.network.load_encoder` reads: `config.json`, `tokenizer.json`, and
`model.safetensors` without pooler and heads, all as BERT has them: the families differ in names and positions alone.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from bundles.files import SourceFiles
from bundles.format import CONFIG_FILE, TOKENIZER_FILE
from bundles.model_config import ModelConfig, read_model_config
from bundles.sources.conversion import ConversionOptions, ConversionRequest
from convert.families import BERT, FAMILIES, Family
from convert.model_source import read_weights
from convert.tokenizer import choose_tokenizer, pad_token_id
from shared.errors import ModelSourceError

_WEIGHTS_FILE = "model.safetensors"
_LAYER = re.compile(r"layer\.(\d+)\.")
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
_POSITIONS = "embeddings.position_embeddings.weight"
_SEGMENTS = "embeddings.token_type_embeddings.weight"
_WORDS = "embeddings.word_embeddings.weight"
_EMBEDDINGS = (_WORDS, _POSITIONS, _SEGMENTS, "embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias")
_LAYER_PARTS = (
    *("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    *("attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"),
)
_FIRST = "encoder.layer.0"

Weights = dict[str, torch.Tensor]


def write_encoder(source: Path, files: SourceFiles, name: str, folder: Path) -> None:
    """Write the encoder of the checkpoint in folder `source` into `folder`.

    Raises:
        ModelSourceError: it is of no family that is read, or it lacks its config or its tokenizer.
    """
    if files.weights is None or files.config is None:
        raise ModelSourceError(f"{name} is not a base encoder: it needs weights of PyTorch and a config.json")
    config = read_model_config(source / files.config)
    family = _family_of(config, name)
    paths = {role: source / file for role, file in files.by_role().items()}
    request = ConversionRequest(
        name=name, source=name, revision="", files={}, options=ConversionOptions(), output_dir=str(folder)
    )
    tokenizer, _ = choose_tokenizer(paths, request, lambda _: None)
    weights = _encoder_weights(read_weights(source / files.weights), family, config, name)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / _WEIGHTS_FILE)
    (folder / TOKENIZER_FILE).write_text(tokenizer.to_str(), encoding="utf-8")
    fields = _bert_config(weights, config, pad_token_id(tokenizer), name)
    (folder / CONFIG_FILE).write_text(json.dumps(fields), encoding="utf-8")


def _family_of(config: ModelConfig, name: str) -> Family:
    if config.model_type is None:
        return BERT
    known = {model_type: family for family in FAMILIES for model_type in family.model_types}
    if config.model_type not in known:
        raise ModelSourceError(
            f"{name} is a {config.model_type}; a base encoder must be one of {', '.join(sorted(known))}"
        )
    return known[config.model_type]


def _encoder_weights(tensors: Mapping[str, Any], family: Family, config: ModelConfig, name: str) -> Weights:
    """The float weights of the encoder, by BERT's names; what a head or a pooler has is left out."""
    prefix = re.compile(rf"^(?:module\.|model\.)?(?:{family.prefix}\.)?")
    own = {_modern(prefix.sub("", key)): tensor for key, tensor in tensors.items()}
    layers = 1 + max((int(found[1]) for key in own if (found := _LAYER.search(key))), default=-1)
    names = {_own_name(family, bert): bert for bert in _encoder_names(layers)}
    parts = ("embeddings.", "embeddings_project.", _own_name(family, "encoder."))
    left_over = [key for key in own if key.startswith(parts) and key not in {*names, *_BUFFERS}]
    missing = [key for key, bert in names.items() if key not in own and bert != _SEGMENTS]
    if not layers or missing or left_over:
        raise ModelSourceError(
            f"{name} is no {family.name} encoder that can be trained from: {_faults(missing, left_over)}"
        )
    weights = {bert: own[key] for key, bert in names.items() if key in own}
    if not all(isinstance(tensor, torch.Tensor) and tensor.is_floating_point() for tensor in weights.values()):
        raise ModelSourceError(f"{name} holds no float weights of a {family.name} encoder")
    floats = {bert: tensor.to(torch.float32).contiguous().clone() for bert, tensor in weights.items()}
    floats[_POSITIONS] = floats[_POSITIONS][family.position_offset(config.pad_token_id) :].clone()
    floats.setdefault(_SEGMENTS, torch.zeros(1, floats[_WORDS].shape[1]))
    return floats


def _own_name(family: Family, bert: str) -> str:
    return family.own_name(f"bert.{bert}").removeprefix(f"{family.prefix}.")


def _modern(name: str) -> str:
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _encoder_names(layers: int) -> list[str]:
    """BERT's names of an encoder's tensors."""
    kinds = ("weight", "bias")
    of_layers = [f"encoder.layer.{at}.{part}.{kind}" for at in range(layers) for part in _LAYER_PARTS for kind in kinds]
    return [*_EMBEDDINGS, *of_layers]


def _faults(missing: list[str], left_over: list[str]) -> str:
    if "embeddings_project.weight" in left_over:
        return "its embeddings are narrower than its layers"
    return f"it lacks {', '.join(missing[:4]) or 'nothing'}, and holds {', '.join(left_over[:4]) or 'nothing'} beside"


def _bert_config(weights: Weights, config: ModelConfig, pad_id: int, name: str) -> dict[str, Any]:
    words, hidden = weights[_WORDS].shape
    if config.heads is None:
        raise ModelSourceError(f"the config.json of {name} does not say how many attention heads it has")
    return {
        "model_type": "bert",
        "vocab_size": words,
        "hidden_size": hidden,
        "num_hidden_layers": sum(key.endswith("attention.self.query.weight") for key in weights),
        "num_attention_heads": config.heads,
        "intermediate_size": len(weights[f"{_FIRST}.intermediate.dense.bias"]),
        "max_position_embeddings": len(weights[_POSITIONS]),
        "type_vocab_size": len(weights[_SEGMENTS]),
        "hidden_act": config.activation_name,
        "layer_norm_eps": config.layer_norm_eps,
        "pad_token_id": pad_id,
    }
