"""LoRA adapters as peft leaves them, on a base of any family, with the classifier that the two together are."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.support.families import NAMES, WORDS

RANK, ALPHA = 4, 8
_HEADS = ("classifier.", "score.", "pre_classifier.")


def write_adapter_folder(
    folder: Path, model: Any, layers: tuple[str, ...], *, bare: bool = False, **fields: Any
) -> dict[str, torch.Tensor]:
    """Write `adapter/` and `base/` into `folder` for the classifier `model`; returns the weights of the two together.

    `layers` end the names of those that have a LoRA; with `bare`, the base is an encoder without a head of any kind.
    """
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    base, adapter = folder / "base", folder / "adapter"
    adapter.mkdir(parents=True)
    _write_base(base, model, bare=bare)
    config = {
        "peft_type": "LORA", "task_type": "SEQ_CLS", "r": RANK, "lora_alpha": ALPHA, "bias": "none",
        "base_model_name_or_path": str(base), "target_modules": list(layers),
        "modules_to_save": ["classifier", "score"], **fields,
    }  # fmt: skip
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    (adapter / "labels.json").write_text(json.dumps(NAMES))
    tensors = {f"base_model.model.{name}": state[name] for name in state if name.startswith(_HEADS)}
    for name in [name for name in state if name.removesuffix(".weight").endswith(layers) and "LayerNorm" not in name]:
        if name.endswith(".weight"):
            tensors |= _lora(state, name, config)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, adapter / "adapter_model.safetensors")
    return state


def _write_base(folder: Path, model: Any, *, bare: bool) -> None:
    """The pretrained model: of a task of its own, or the encoder alone. It knows nothing of the classes."""
    encoder = model.base_model
    encoder.save_pretrained(folder)
    path = folder / "config.json"
    fields = json.loads(path.read_text())
    for field in ("id2label", "label2id"):
        fields.pop(field, None)
    path.write_text(json.dumps(fields))
    if not bare:
        prefix = model.base_model_prefix
        state = {f"{prefix}.{name}": tensor.clone() for name, tensor in encoder.state_dict().items()}
        state["lm_head.bias"] = torch.zeros(7)
        save_file(state, folder / "model.safetensors")
        path.write_text(json.dumps(fields | {"architectures": [f"{type(encoder).__name__[:-5]}ForMaskedLM"]}))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))


def _lora(state: dict[str, torch.Tensor], name: str, config: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The factors of one layer, added to `state` as the paper has it."""
    outer, inner = state[name].shape
    rank = int(config["r"])
    down, up = torch.randn(rank, inner) * 0.2, torch.randn(outer, rank) * 0.2
    scale = config["lora_alpha"] / (rank**0.5 if config.get("use_rslora") else rank)
    state[name] = state[name] + scale * (up @ down)
    layer = f"base_model.model.{name.removesuffix('.weight')}"
    return {f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up}
