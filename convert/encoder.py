"""Makes a base encoder for training from any BERT checkpoint: KoBERT, or another from the Hub or a folder.

Writes the folder that `training.learn.network.load_encoder` reads: `config.json`, `tokenizer.json`, and
`model.safetensors` without pooler and heads.
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
from bundles.sources.conversion import ConversionOptions, ConversionRequest
from convert.json_file import read_json
from convert.model_source import read_weights
from convert.tokenizer import choose_tokenizer, pad_token_id
from shared.errors import ModelSourceError

_WEIGHTS_FILE = "model.safetensors"
_ENCODER_KEY = re.compile(r"^(?:module\.)?(?:bert\.)?((?:embeddings|encoder)\..+)$")
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")


def write_encoder(source: Path, files: SourceFiles, name: str, folder: Path) -> None:
    """Write the encoder of the checkpoint in folder `source` into `folder`.

    Raises:
        ModelSourceError: it is not a BERT checkpoint, or it lacks its config or its tokenizer.
    """
    if files.weights is None or files.config is None:
        raise ModelSourceError(f"{name} is not a base encoder: it needs weights of PyTorch and a config.json")
    config = read_json(source / files.config)
    if config.get("model_type", "bert") != "bert":
        raise ModelSourceError(f"{name} is a {config['model_type']}; a base encoder must be a bert")
    paths = {role: source / file for role, file in files.by_role().items()}
    request = ConversionRequest(
        name=name, source=name, revision="", files={}, options=ConversionOptions(), output_dir=str(folder)
    )
    tokenizer, _ = choose_tokenizer(paths, request, lambda _: None)
    weights = _encoder_weights(read_weights(source / files.weights), name)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / _WEIGHTS_FILE)
    (folder / TOKENIZER_FILE).write_text(tokenizer.to_str(), encoding="utf-8")
    (folder / CONFIG_FILE).write_text(json.dumps(config | {"pad_token_id": pad_token_id(tokenizer)}), encoding="utf-8")


def _encoder_weights(tensors: Mapping[str, Any], name: str) -> dict[str, torch.Tensor]:
    found = ((_ENCODER_KEY.match(key), tensor) for key, tensor in tensors.items())
    weights = {match[1]: tensor for match, tensor in found if match and match[1] not in _BUFFERS}
    if not weights or not all(isinstance(tensor, torch.Tensor) for tensor in weights.values()):
        raise ModelSourceError(f"{name} holds no float weights of a BERT encoder")
    return {key: tensor.to(torch.float32).contiguous().clone() for key, tensor in weights.items()}
