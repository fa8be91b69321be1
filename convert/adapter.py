"""Merges a LoRA adapter onto its base, and writes what `save_pretrained` would leave of the two together.

A LoRA layer adds `B @ A` to a weight, scaled by `alpha / r` (Hu et al., 2021), or by `alpha / sqrt(r)` with rank
stabilisation (Kalajdzievski, 2023). Layers that were trained whole, the classifier among them, take the base's place.
Every tensor of the adapter must be used: an adapter on another base answers at random.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from bundles.adapter import ADAPTER_ROLES, AdapterConfig, read_adapter_config
from bundles.architecture import CLASSIFIER, classifier_class, find_model_type
from bundles.model_config import ModelConfig, read_model_config
from convert.json_file import read_json
from shared.errors import ModelSourceError

_PREFIX = re.compile(r"^base_model\.model\.")
# Where peft keeps a layer that was trained whole, beside the one it stands for.
_WHOLE = re.compile(r"\.(?:modules_to_save|base_layer)(?:\.default)?(?=\.)")
_LORA = re.compile(
    r"(?P<layer>.+)\.lora_(?P<part>A|B|embedding_A|embedding_B)(?:\.default)?(?:\.(?P<kind>weight|bias))?"
)
_MERGED = "merged"
# Layers of a head that a classifier keeps of its base, by model type.
_KEPT_HEADS = {"modernbert": "head."}
# Their layers hold a weight as `[in, out]`.
_TRANSPOSED = frozenset(("gpt2",))
_HEADS = ("classifier", "score")

Tensors = dict[str, torch.Tensor]
ReadWeights = Callable[[Path], Mapping[str, Any]]


def merge_adapter(files: Mapping[str, Path], folder: Path, source: str, read_weights: ReadWeights) -> dict[str, Path]:
    """The files of a source by role, with weights and config of the adapter and its base merged, in a folder below.

    Raises:
        ModelSourceError: they do not belong together, or one is damaged.
    """
    config = read_adapter_config(files["adapter_config"], source)
    base_config = read_model_config(files["config"])
    adapter = _of_floats(read_weights(files["adapter"]), files["adapter"].name)
    base = _of_floats(read_weights(files["weights"]), str(config.base_model_name_or_path))
    merge = _Merge(config, base_config, base, source)
    merged = merge.run(adapter)
    target = folder / _MERGED
    target.mkdir()
    save_file(merged, target / "model.safetensors")
    fields = _merged_config(files, base_config, merged, keeps_labels=merge.keeps_labels)
    (target / "config.json").write_text(json.dumps(fields), encoding="utf-8")
    kept = {role: path for role, path in files.items() if role not in ADAPTER_ROLES and not role.startswith("shard")}
    return kept | {"weights": target / "model.safetensors", "config": target / "config.json"}


def _of_floats(tensors: Mapping[str, Any], name: str) -> Tensors:
    plain = {key: value for key, value in tensors.items() if isinstance(value, torch.Tensor)}
    if len(plain) < len(tensors) or any(tensor.is_quantized for tensor in plain.values()):
        raise ModelSourceError(f"{name} holds more than float tensors; save it in float")
    return plain


@dataclass
class _Layer:
    """The two factors of one LoRA layer, and a bias of the second."""

    down: torch.Tensor | None = None
    up: torch.Tensor | None = None
    bias: torch.Tensor | None = None
    is_embedding: bool = False


class _Merge:
    """The base's tensors, changed one layer after the other."""

    def __init__(self, config: AdapterConfig, base_config: ModelConfig, base: Tensors, source: str) -> None:
        self._config = config
        self._base_config = base_config
        self._tensors = base
        self._source = source
        self.keeps_labels = False

    def run(self, adapter: Mapping[str, torch.Tensor]) -> Tensors:
        """The merged tensors, by the names that a text classifier of the base's kind has."""
        layers, whole = self._sort(adapter)
        prefix = next(iter(layers)).partition(".")[0]
        if not any(name.startswith(f"{prefix}.") for name in self._tensors):
            # A bare encoder is saved without its name in a classifier.
            self._tensors = {f"{prefix}.{name}": tensor for name, tensor in self._tensors.items()}
        self._drop_other_heads(prefix, whole)
        for name, layer in layers.items():
            self._add(name, layer)
        self._tensors |= whole
        return {name: tensor.contiguous().clone() for name, tensor in self._tensors.items()}

    def _sort(self, adapter: Mapping[str, torch.Tensor]) -> tuple[dict[str, _Layer], Tensors]:
        layers: dict[str, _Layer] = {}
        whole: Tensors = {}
        for key, tensor in adapter.items():
            name = _PREFIX.sub("", key)
            found = _LORA.fullmatch(name)
            if found is None:
                if ".original_module." not in name:
                    whole[_WHOLE.sub("", name)] = tensor
                continue
            layer = layers.setdefault(found["layer"], _Layer())
            layer.is_embedding |= found["part"].startswith("embedding")
            if found["kind"] == "bias":
                layer.bias = tensor
            elif found["part"].endswith("A"):
                layer.down = tensor
            else:
                layer.up = tensor
        if not layers:
            raise ModelSourceError(f"{self._source} is an adapter without a LoRA layer")
        return layers, whole

    def _drop_other_heads(self, prefix: str, whole: Tensors) -> None:
        """Leave out what the base has beside its encoder, unless it is a text classifier itself."""
        architecture = (self._base_config.architectures or [""])[0]
        self.keeps_labels = architecture.endswith(CLASSIFIER) and not any(name.startswith(_HEADS) for name in whole)
        if architecture.endswith(CLASSIFIER):
            return
        kept = (f"{prefix}.", *filter(None, [_KEPT_HEADS.get(find_model_type(self._base_config))]))
        self._tensors = {name: tensor for name, tensor in self._tensors.items() if name.startswith(kept)}

    def _add(self, name: str, layer: _Layer) -> None:
        weight = self._tensors.get(f"{name}.weight")
        if weight is None:
            raise ModelSourceError(self._other_base(f"changes {name}, which it does not have"))
        if layer.down is None or layer.up is None:
            raise ModelSourceError(
                f"{self._source} has one half of the LoRA layer {name} only; download or copy it again"
            )
        rank = layer.down.shape[0]
        said = _by_pattern(self._config.rank_pattern, name, self._config.r)
        if rank != said or layer.up.ndim != 2 or layer.up.shape[1] != rank:
            raise ModelSourceError(f"{self._source}: {name} has rank {rank}, and its config says {said}")
        scale = _by_pattern(self._config.alpha_pattern, name, self._config.lora_alpha)
        scale /= math.sqrt(rank) if self._config.use_rslora else rank
        change = scale * (layer.up.float() @ layer.down.float())
        if layer.is_embedding or self._is_transposed(name):
            change = change.T
        if change.shape != weight.shape:
            raise ModelSourceError(
                self._other_base(f"changes {name} {tuple(change.shape)}, which is {tuple(weight.shape)} there")
            )
        self._tensors[f"{name}.weight"] = weight.float() + change
        if layer.bias is not None:
            bias = self._tensors.get(f"{name}.bias")
            self._tensors[f"{name}.bias"] = scale * layer.bias.float() + (0 if bias is None else bias.float())

    def _is_transposed(self, name: str) -> bool:
        in_a_layer = find_model_type(self._base_config) in _TRANSPOSED and ".h." in name
        return self._config.fan_in_fan_out or in_a_layer

    def _other_base(self, fault: str) -> str:
        base = self._config.base_model_name_or_path
        return f"{self._source} does not belong to the base {base}: it {fault}"


def _by_pattern(patterns: Mapping[str, float] | None, name: str, default: float) -> float:
    """The value of the first pattern that ends a layer's name, as peft looks it up."""
    found = (value for pattern, value in (patterns or {}).items() if re.fullmatch(rf"(.*\.)?({pattern})", name))
    return next(found, default)


def _merged_config(
    files: Mapping[str, Path], base: ModelConfig, merged: Tensors, *, keeps_labels: bool
) -> dict[str, Any]:
    """The base's config as that of a text classifier, with the labels of the adapter's own config, if there is one."""
    fields = read_json(files["config"]) | {"architectures": [classifier_class(base)]}
    if not keeps_labels:
        for field in ("id2label", "label2id", "problem_type", "num_labels"):
            fields.pop(field, None)
    own = read_json(files.get("adapter_model_config"))
    fields |= {field: own[field] for field in ("id2label", "label2id", "problem_type") if field in own}
    outputs = next(
        (len(t) for name, t in merged.items() if re.fullmatch(r"(?:classifier(?:\.out_proj)?|score)\.weight", name)), 0
    )
    return fields if "id2label" in fields or not outputs else fields | {"num_labels": outputs}
