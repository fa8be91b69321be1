"""Turns a state dict of a KoBERT tutorial or of transformers into `BertWeights`, without guessing.

Every key must be used: missing and unknown keys are errors, because a model without some of its weights answers at
random.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch

from convert.bert import (
    Activation,
    BertShape,
    BertWeights,
    Layer,
    Linear,
    Norm,
    QuantisedMatrix,
    expected_shapes,
)
from shared.errors import ModelSourceError

_WORDS = "bert.embeddings.word_embeddings.weight"
_PACKED = "._packed_params._packed_params"
_PACKED_PARTS = (_PACKED, "._packed_params.dtype", ".scale", ".zero_point")
_BUFFERS = ("bert.embeddings.position_ids", "bert.embeddings.token_type_ids")
_WRAPPER_PREFIX = re.compile(r"^(?:module\.|model\.|_orig_mod\.)+")
_HEAD_WIDTH = 64
_LISTED_KEYS = 12
_RENAMED = ((".LayerNorm.gamma", ".LayerNorm.weight"), (".LayerNorm.beta", ".LayerNorm.bias"))

Tensors = dict[str, torch.Tensor | QuantisedMatrix]


@dataclass(frozen=True)
class Architecture:
    """Sizes that the tensors do not show; from `config.json`, if the source has one."""

    heads: int | None = None
    activation: Activation = "gelu"
    norm_epsilon: float = 1e-12


def to_weights(state: Mapping[str, Any], source: str, architecture: Architecture | None = None) -> BertWeights:
    """Return the classifier in `state`.

    Raises:
        ModelSourceError: it is not a BERT classifier; keys are missing, left over or of the wrong shape.
    """
    tensors = _by_usual_name(state)
    shape, token_types = _infer_shape(tensors, source, architecture or Architecture())
    _check_keys(tensors, expected_shapes(shape, token_types), source)
    return _assemble(tensors, shape)


def _by_usual_name(state: Mapping[str, Any]) -> Tensors:
    tensors: Tensors = {}
    for key, value in state.items():
        name = _WRAPPER_PREFIX.sub("", key)
        for old, new in _RENAMED:
            name = name.replace(old, new)
        if name.endswith(_PACKED):
            weight, bias = value
            tensors[name.removesuffix(_PACKED) + ".weight"] = _unpack(weight)
            if bias is not None:
                tensors[name.removesuffix(_PACKED) + ".bias"] = bias
        elif name not in _BUFFERS and not _is_packed_part(name, state, key):
            tensors[name] = value
    return tensors


def _is_packed_part(name: str, state: Mapping[str, Any], key: str) -> bool:
    part = next((part for part in _PACKED_PARTS if name.endswith(part)), None)
    return part is not None and key.removesuffix(part) + _PACKED in state


def _unpack(weight: torch.Tensor) -> QuantisedMatrix:
    values = weight.int_repr().numpy()
    if weight.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        scale, zero_point = np.array([weight.q_scale()]), np.array([weight.q_zero_point()])
    else:
        scale, zero_point = weight.q_per_channel_scales().numpy(), weight.q_per_channel_zero_points().numpy()
    return QuantisedMatrix(values, scale.astype(np.float32), zero_point.astype(np.int8))


def _infer_shape(tensors: Tensors, source: str, architecture: Architecture) -> tuple[BertShape, int]:
    _refuse_other_architectures(tensors, source)
    size = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    layers = [int(found.group(1)) for name in size if (found := re.match(r"bert\.encoder\.layer\.(\d+)\.", name))]
    words, classifier = size[_WORDS], size["classifier.weight"]
    if len(words) != 2 or len(classifier) != 2:
        raise ModelSourceError(f"{source}: word embeddings or classifier are not matrices")
    hidden = words[1]
    if architecture.heads is None and hidden % _HEAD_WIDTH:
        raise ModelSourceError(f"{source}: width {hidden} is not a multiple of {_HEAD_WIDTH}; add its config.json")
    heads = architecture.heads or hidden // _HEAD_WIDTH
    if hidden % heads:
        raise ModelSourceError(f"{source}: width {hidden} cannot be split among the {heads} heads of its config.json")
    shape = BertShape(
        hidden=hidden,
        feed_forward=size.get("bert.encoder.layer.0.intermediate.dense.weight", (0,))[0],
        layers=max(layers, default=-1) + 1,
        heads=heads,
        vocabulary=words[0],
        positions=size.get("bert.embeddings.position_embeddings.weight", (0,))[0],
        labels=classifier[0],
        activation=architecture.activation,
        norm_epsilon=architecture.norm_epsilon,
    )
    return shape, size.get("bert.embeddings.token_type_embeddings.weight", (0,))[0]


def _refuse_other_architectures(tensors: Tensors, source: str) -> None:
    if _WORDS not in tensors:
        raise ModelSourceError(
            f"{source} is not a BERT classifier: it has no {_WORDS}, and its keys are such as {_first(tensors, 3)}"
        )
    if "classifier.weight" not in tensors:
        others = [name for name in tensors if not name.startswith("bert.")]
        found = f"outside bert.* it has {_first(others, 4)}" if others else "it has nothing outside bert.*"
        raise ModelSourceError(f"{source} has no classifier.weight: {found}; fine-tune it first, or rename that layer")


def _check_keys(tensors: Tensors, expected: Mapping[str, tuple[int, ...]], source: str) -> None:
    missing = sorted(set(expected) - set(tensors))
    unexpected = sorted(set(tensors) - set(expected))
    misshapen = [
        f"{name} {tuple(tensors[name].shape)} instead of {shape}"
        for name, shape in expected.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    faults = [("missing", missing), ("unexpected", unexpected), ("of the wrong shape", misshapen)]
    told = "; ".join(f"{len(names)} {fault}: {_first(names, _LISTED_KEYS)}" for fault, names in faults if names)
    if told:
        raise ModelSourceError(f"{source} does not fit a BERT classifier: {told}")


def _first(names: Any, limit: int) -> str:  # noqa: ANN401  any sized iterable of text
    shown = ", ".join(list(names)[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def _assemble(tensors: Tensors, shape: BertShape) -> BertWeights:
    positions = _array(tensors, "bert.embeddings.position_embeddings.weight")
    token_types = _array(tensors, "bert.embeddings.token_type_embeddings.weight")
    return BertWeights(
        shape=shape,
        word_embeddings=_array(tensors, _WORDS),
        position_embeddings=positions + token_types[0],
        embedding_norm=_norm(tensors, "bert.embeddings.LayerNorm"),
        layers=tuple(_layer(tensors, f"bert.encoder.layer.{index}") for index in range(shape.layers)),
        pooler=_linear(tensors, "bert.pooler.dense"),
        classifier=_linear(tensors, "classifier"),
    )


def _layer(tensors: Tensors, prefix: str) -> Layer:
    return Layer(
        query=_linear(tensors, f"{prefix}.attention.self.query"),
        key=_linear(tensors, f"{prefix}.attention.self.key"),
        value=_linear(tensors, f"{prefix}.attention.self.value"),
        attention_output=_linear(tensors, f"{prefix}.attention.output.dense"),
        attention_norm=_norm(tensors, f"{prefix}.attention.output.LayerNorm"),
        intermediate=_linear(tensors, f"{prefix}.intermediate.dense"),
        output=_linear(tensors, f"{prefix}.output.dense"),
        output_norm=_norm(tensors, f"{prefix}.output.LayerNorm"),
    )


def _linear(tensors: Tensors, name: str) -> Linear:
    weight = tensors[f"{name}.weight"]
    matrix = weight if isinstance(weight, QuantisedMatrix) else _array(tensors, f"{name}.weight")
    return Linear(matrix, _array(tensors, f"{name}.bias"))


def _norm(tensors: Tensors, name: str) -> Norm:
    return Norm(_array(tensors, f"{name}.weight"), _array(tensors, f"{name}.bias"))


def _array(tensors: Tensors, name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The tensor as float32, without a copy if it is float32 already."""
    tensor = tensors[name]
    if not isinstance(tensor, torch.Tensor):
        _not_a_tensor(name)
    array = tensor.detach().to(torch.float32).numpy()
    if not np.isfinite(array).all():
        raise ModelSourceError(f"{name} holds values that are not finite; the training of this checkpoint diverged")
    return array


def _not_a_tensor(name: str) -> NoReturn:
    raise ModelSourceError(f"{name} is not a plain tensor")
