"""Text classifiers of the families that transformers exports, small, with random weights and word pieces."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from convert.word_pieces import from_word_pieces
from tests.support.families import LABELS, NAMES, WORDS

_SIZES: dict[str, Any] = {
    "vocab_size": len(WORDS), "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
    "intermediate_size": 128, "num_labels": LABELS, "pad_token_id": 0,
}  # fmt: skip
_GROUPED = {**_SIZES, "num_key_value_heads": 2, "head_dim": 16, "bos_token_id": 2, "eos_token_id": 3}


def _deberta_v2() -> Any:
    fields: dict[str, Any] = {
        **_SIZES, "relative_attention": True, "position_buckets": 16, "max_relative_positions": -1,
        "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm", "share_att_key": True,
        "position_biased_input": False,
    }  # fmt: skip
    return transformers.DebertaV2Config(**fields)


def _deberta() -> Any:
    return transformers.DebertaConfig(
        **_SIZES, relative_attention=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0
    )


def _modernbert() -> Any:
    return transformers.ModernBertConfig(
        **_SIZES, local_attention=16, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3
    )


def _gpt2() -> Any:
    fields: dict[str, Any] = {
        "vocab_size": len(WORDS), "n_embd": 64, "n_layer": 2, "n_head": 4, "num_labels": LABELS, "pad_token_id": 0,
        "bos_token_id": 2, "eos_token_id": 3,
    }  # fmt: skip
    return transformers.GPT2Config(**fields)


_BOTH: dict[str, Any] = {
    "vocab_size": len(WORDS), "num_labels": LABELS, "pad_token_id": 0, "eos_token_id": 3, "d_model": 64,
    "decoder_start_token_id": 3,
}  # fmt: skip
_BARTS: dict[str, Any] = {
    **_BOTH, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "max_position_embeddings": 512, "bos_token_id": 2,
}  # fmt: skip
_T5S: dict[str, Any] = {**_BOTH, "decoder_start_token_id": 0, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
_CONFIGS: dict[str, Callable[[], Any]] = {
    "albert": lambda: transformers.AlbertConfig(**_SIZES, embedding_size=32),
    "deberta": _deberta,
    "deberta-v2": _deberta_v2,
    "modernbert": _modernbert,
    "mpnet": lambda: transformers.MPNetConfig(**{**_SIZES, "max_position_embeddings": 514, "pad_token_id": 1}),
    "gpt2": _gpt2,
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**_SIZES, bos_token_id=2, eos_token_id=3),
    "llama": lambda: transformers.LlamaConfig(**_GROUPED),
    "mistral": lambda: transformers.MistralConfig(**_GROUPED, sliding_window=16),
    "qwen2": lambda: transformers.Qwen2Config(
        **{name: value for name, value in _GROUPED.items() if name != "head_dim"}
    ),
    "qwen3": lambda: transformers.Qwen3Config(**_GROUPED),
    "gemma": lambda: transformers.GemmaConfig(**_GROUPED),
    "gemma2": lambda: transformers.Gemma2Config(**_GROUPED, sliding_window=16, query_pre_attn_scalar=16),
    "gemma3_text": lambda: transformers.Gemma3TextConfig(**_GROUPED, sliding_window=16),
    "bart": lambda: transformers.BartConfig(**_BARTS, forced_eos_token_id=3),
    "mbart": lambda: transformers.MBartConfig(**_BARTS),
    "t5": lambda: transformers.T5Config(**_T5S),
    "mt5": lambda: transformers.MT5Config(**_T5S),
}
EXPORTED_TYPES = tuple(_CONFIGS)


def exported_classifier(model_type: str) -> Any:
    """A classifier of this model type, whose weights are spread so that its answers differ."""
    torch.manual_seed(20)
    config = _CONFIGS[model_type]()
    config.id2label = dict(enumerate(NAMES))
    config.label2id = {label: index for index, label in enumerate(NAMES)}
    config._attn_implementation = "eager"
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    for name, parameter in model.named_parameters():
        if (
            "word_embeddings" in name
            or "embed_tokens" in name
            or name.endswith(("wte.weight", "embed_in.weight", "shared.weight"))
        ):
            nn.init.normal_(parameter, std=0.5)
        elif parameter.dim() == 2:
            nn.init.normal_(parameter, std=0.1)
    return model


def write_exported_folder(folder: Path, model_type: str) -> Any:
    """What `save_pretrained` leaves of it, and word pieces as a `tokenizer.json`; returns the model."""
    model = exported_classifier(model_type)
    model.save_pretrained(folder)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS) + "\n")
    from_word_pieces(vocabulary, {"do_lower_case": False}).save(str(folder / "tokenizer.json"))
    vocabulary.unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 512}))
    return model
