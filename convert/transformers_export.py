"""Exports transformers' own modules of a text classifier, for the families whose graph is not written here.

Only classes that transformers itself ships are used, and the weights come from our own readers: no code of a repository
and no pickle is run. The graph is compared with the modules before it is taken.
"""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import transformers
from torch import nn

from bundles.architecture import classifier_class, find_model_type
from bundles.model_config import ModelConfig
from bundles.session import session_options
from convert.json_file import read_json
from shared.errors import ModelSourceError

_OPSET = 17
_INPUTS = ("input_ids", "attention_mask")
# Texts that the graph is compared on, `(texts, tokens)`: more than a window of local attention has, too.
_SHAPES = ((2, 9), (3, 40), (1, 300))
_TRACED = _SHAPES[0]
# Relative to the largest logit: what a sum in another order changes, and not more.
_TOLERANCE = 1e-3
# Buffers that older versions saved and that are worked out anew.
_WORKED_OUT = ("position_ids", "inv_freq", "masked_bias", "attn.bias")
_LISTED_KEYS = 6


def load_classifier(weights: Mapping[str, Any], config_path: Path, config: ModelConfig, source: str) -> "Classifier":
    """The classifier of transformers with these weights, in float32.

    Raises:
        ModelSourceError: the config is not one of its kind, or keys are missing, left over or of a wrong shape.
    """
    told: Any = transformers.logging
    told.disable_progress_bar()
    told.set_verbosity_error()
    kind = getattr(transformers, classifier_class(config))
    tensors = _in_float(weights, source)
    try:
        fields = read_json(config_path) | {"model_type": find_model_type(config)}
        own_config = kind.config_class.from_dict(fields, attn_implementation="eager")
        own_config.use_cache = False
        model, info = kind.from_pretrained(
            None, config=own_config, state_dict=tensors, dtype=torch.float32, output_loading_info=True
        )
    except ModelSourceError:
        raise
    except Exception as error:  # transformers raises many kinds of errors for a config or weights that do not fit
        raise ModelSourceError(f"{source} cannot be read as {kind.__name__}: {_first_line(error)}") from error
    _check_keys(info, kind.__name__, source)
    return Classifier(model, own_config.pad_token_id).eval()


def export_classifier(classifier: "Classifier", target: Path, *, vocabulary: int, positions: int, source: str) -> float:
    """Write the graph of `classifier` to `target`; returns how far its logits are from the modules' at most.

    Raises:
        ModelSourceError: it cannot be exported, or its graph answers otherwise.
    """
    ids, mask = next(_texts(vocabulary, positions, classifier.end_id))
    dynamic = {name: {0: "batch", 1: "length"} for name in _INPUTS} | {"logits": {0: "batch"}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces another exporter, and warns of what it traces
            torch.onnx.export(
                classifier, (ids, mask), str(target), dynamo=False, opset_version=_OPSET, input_names=list(_INPUTS),
                output_names=["logits"], dynamic_axes=dynamic,
            )  # fmt: skip
    except Exception as error:  # torch raises many kinds of errors for what it cannot trace
        raise ModelSourceError(f"{source} cannot be exported to ONNX: {_first_line(error)}") from error
    furthest = _difference(classifier, target, vocabulary, positions)
    if not furthest < _TOLERANCE:
        raise ModelSourceError(f"{source} cannot be exported to ONNX: its graph answers otherwise, by {furthest:.2g}")
    return furthest


class Classifier(nn.Module):
    """From token ids padded on the right to logits `[batch, labels]`."""

    def __init__(self, model: Any, pad_id: int | None) -> None:  # noqa: ANN401  any class of transformers
        super().__init__()
        self.model = model
        self.pad_id = pad_id
        self.is_decoder = hasattr(model, "score")
        self.labels = int(model.config.num_labels)
        # The token that a text must end with, where the classifier reads there.
        self.end_id: int | None = model.config.eos_token_id if model.config.is_encoder_decoder else None

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """As transformers: a decoder is read at the last token that is no padding, which has seen the whole text.

        An encoder with a decoder is read at the last token that ends a text.
        """
        if self.is_decoder:
            hidden = self.model.base_model(input_ids=input_ids, attention_mask=attention_mask)[0]
            padding = self.pad_id
            read = attention_mask if padding is None else attention_mask * (input_ids != padding).to(torch.int64)
            scores: torch.Tensor = self.model.score(_at_last(hidden, read))
            return scores
        if self.end_id is not None:
            hidden = self._decoded(input_ids, attention_mask)
            ends = attention_mask * (input_ids == self.end_id).to(torch.int64)
            at_end: torch.Tensor = self.model.classification_head(_at_last(hidden, ends))
            return at_end
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits

    def _decoded(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """What the decoder makes of the text, which it is given, one token later, after what the encoder says."""
        fields = {"input_ids": input_ids, "attention_mask": attention_mask, "use_cache": False}
        if hasattr(self.model, "transformer"):  # T5 does not move the text by itself
            fields["decoder_input_ids"] = self.model._shift_right(input_ids)  # noqa: SLF001  it has no public one
        decoded: torch.Tensor = self.model.base_model(**fields)[0]
        return decoded


def _at_last(hidden: torch.Tensor, marked: torch.Tensor) -> torch.Tensor:
    """Of `hidden` `[texts, tokens, width]` the last token of each text that is `marked` with 1."""
    last = (torch.arange(marked.shape[1]) * marked).argmax(dim=-1)
    return hidden.gather(1, last.view(-1, 1, 1).expand(-1, 1, hidden.shape[-1])).squeeze(1)


def _texts(vocabulary: int, positions: int, end_id: int | None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Token ids at random and their masks; the second of several texts is padded. Each ends with `end_id`."""
    random = torch.Generator().manual_seed(20)
    for texts, tokens in _SHAPES:
        shape = (texts, min(tokens, positions))
        ids, mask = torch.randint(0, vocabulary, shape, generator=random), torch.ones(shape, dtype=torch.int64)
        mask[1:2, shape[1] // 2 :] = 0
        if end_id is not None:
            ids[torch.arange(texts), mask.sum(dim=1) - 1] = end_id
        yield ids * mask, mask


def _difference(classifier: "Classifier", graph: Path, vocabulary: int, positions: int) -> float:
    """The largest difference of a logit from the modules', as a share of the largest logit."""
    session = onnxruntime.InferenceSession(str(graph), session_options(1), providers=["CPUExecutionProvider"])
    furthest = 0.0
    for ids, mask in _texts(vocabulary, positions, classifier.end_id):
        with torch.no_grad():
            expected = classifier(ids, mask).numpy()
        answer = session.run(["logits"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
        moved = float(np.abs(answer - expected).max() / max(1.0, float(np.abs(expected).max())))
        furthest = max(furthest, moved) if moved == moved else float("nan")  # noqa: PLR0124  not a number
    return furthest


def _in_float(weights: Mapping[str, Any], source: str) -> dict[str, torch.Tensor]:
    floats = {
        name: tensor.to(torch.float32) if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }
    if not all(isinstance(tensor, torch.Tensor) and not tensor.is_quantized for tensor in floats.values()):
        raise ModelSourceError(f"{source} holds more than float tensors; save its state dict in float")
    broken = next((name for name, tensor in floats.items() if not torch.isfinite(tensor).all()), None)
    if broken is not None:
        raise ModelSourceError(f"{broken} holds values that are not finite; the training of this checkpoint diverged")
    return floats


def _check_keys(info: Mapping[str, Any], kind: str, source: str) -> None:
    faults = {
        "missing": sorted(info["missing_keys"]),
        "unexpected": sorted(name for name in info["unexpected_keys"] if not str(name).endswith(_WORKED_OUT)),
        "of the wrong shape": sorted(str(name) for name in info["mismatched_keys"]),
    }
    told = "; ".join(f"{len(names)} {fault}: {_shown(names)}" for fault, names in faults.items() if names)
    if told:
        raise ModelSourceError(f"{source} does not fit a {kind}: {told}")


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED_KEYS} more" if len(names) > _LISTED_KEYS else ""
    return ", ".join(names[:_LISTED_KEYS]) + more


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
