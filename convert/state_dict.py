"""Turns a state dict of a KoBERT tutorial or of transformers into `BertWeights`, without guessing: BERT and relatives.

Every key must be used: missing and unknown keys are errors, because a model without some of its weights answers at
random.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch

from bundles.model_config import Activation
from convert.bert import (
    PROJECTION,
    BertShape,
    BertWeights,
    Layer,
    Linear,
    Norm,
    QuantisedMatrix,
    expected_shapes,
)
from convert.families import FAMILIES, Family, find_family
from shared.errors import ModelSourceError

_WORDS = "bert.embeddings.word_embeddings.weight"
_POSITIONS = "bert.embeddings.position_embeddings.weight"
_TYPES = "bert.embeddings.token_type_embeddings.weight"
_PACKED = "._packed_params._packed_params"
_PACKED_PARTS = (_PACKED, "._packed_params.dtype", ".scale", ".zero_point")
# The weights of the classes in a trainer's loss, which no prediction reads.
_OF_THE_LOSS = re.compile(r"(?:\w+\.)*(?:criterion|loss\w*)\.(?:pos_)?weight")
_HEAD_WIDTH = 64
_LISTED_KEYS = 12
_RENAMED = ((".LayerNorm.gamma", ".LayerNorm.weight"), (".LayerNorm.beta", ".LayerNorm.bias"))

Tensors = dict[str, torch.Tensor | QuantisedMatrix]


@dataclass(frozen=True)
class Architecture:
    """What the tensors do not show; from `config.json`, if the source has one."""

    heads: int | None = None
    activation: Activation = "gelu"
    norm_epsilon: float | None = None
    padding_id: int | None = None
    model_type: str | None = None


def to_weights(state: Mapping[str, Any], source: str, architecture: Architecture | None = None) -> BertWeights:
    """Return the classifier in `state`.

    Raises:
        ModelSourceError: it is not a classifier of a known family; keys are missing, left over or of the wrong shape.
    """
    found = find_family(state)
    if found is None:
        _refuse_other_models(state, source)
    family, prefix = found
    _check_family(family, source, architecture)
    tensors = _by_usual_name(state, prefix)
    unused = [name for name in tensors if name in family.unused or _OF_THE_LOSS.fullmatch(name)]
    named = _OwnNames(family, {name: tensor for name, tensor in tensors.items() if name not in unused})
    return _read(named, source, architecture or Architecture())


@dataclass(frozen=True)
class _OwnNames:
    """The tensors of a checkpoint in its family's names, found by those of BERT."""

    family: Family
    tensors: Tensors

    def __getitem__(self, name: str) -> torch.Tensor | QuantisedMatrix:
        return self.tensors[self.family.own_name(name)]

    def size(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor; `(0,)` if there is none."""
        tensor = self.tensors.get(self.family.own_name(name))
        return (0,) if tensor is None else tuple(tensor.shape)


def _check_family(family: Family, source: str, architecture: Architecture | None) -> None:
    said = architecture.model_type if architecture else None
    if said is not None and said not in family.model_types:
        raise ModelSourceError(
            f"{source} has the tensors of {_article(family)}, and its config.json says {said}: "
            "they do not belong together"
        )


def _read(named: _OwnNames, source: str, architecture: Architecture) -> BertWeights:
    shape = _infer_shape(named, source, architecture)
    rows, types = named.size(_POSITIONS)[0], named.size(_TYPES)[0]
    expected = expected_shapes(shape, rows, max(types, 1) if named.family.has_token_types else 0)
    own = {named.family.own_name(name): size for name, size in expected.items()}
    _check_keys(named.tensors, own, f"{source} does not fit {_article(named.family)} classifier")
    return _assemble(named, shape, rows - shape.positions)


def _by_usual_name(state: Mapping[str, Any], prefix: str) -> Tensors:
    tensors: Tensors = {}
    for key, value in state.items():
        name = key.removeprefix(prefix)
        for old, new in _RENAMED:
            name = name.replace(old, new)
        if name.endswith(_PACKED):
            weight, bias = value
            tensors[name.removesuffix(_PACKED) + ".weight"] = _unpack(weight)
            if bias is not None:
                tensors[name.removesuffix(_PACKED) + ".bias"] = bias
        elif _is_packed_part(name, state, key):
            continue
        elif isinstance(value, torch.Tensor):
            tensors[name] = value
        elif "." in name:
            raise ModelSourceError(f"{name} is not a tensor; save the state dict alone")
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


def _infer_shape(named: _OwnNames, source: str, architecture: Architecture) -> BertShape:
    words, classifier = named.size(_WORDS), named.size("classifier.weight")
    if classifier == (0,):
        _refuse_headless(named, source)
    if len(words) != 2 or len(classifier) != 2:
        raise ModelSourceError(f"{source}: word embeddings or classifier are not matrices")
    offset, rows = named.family.position_offset(architecture.padding_id), named.size(_POSITIONS)[0]
    if 0 < rows <= offset:
        raise ModelSourceError(
            f"{source} has {rows} positions, and pad_token_id {architecture.padding_id} of its config.json leaves none "
            "of them: they do not belong together"
        )
    layers = [int(found[1]) for name in named.tensors if (found := re.search(r"\.layer\.(\d+)\.", name))]
    hidden = classifier[1]
    epsilon = architecture.norm_epsilon
    return BertShape(
        family=named.family.name,
        hidden=hidden,
        embedding=words[1] if named.family.has_projection else hidden,
        feed_forward=named.size("bert.encoder.layer.0.intermediate.dense.weight")[0],
        layers=max(layers, default=-1) + 1,
        heads=_heads(hidden, source, architecture),
        vocabulary=words[0],
        positions=max(rows - offset, 0),
        labels=classifier[0],
        activation=architecture.activation,
        head_activation=named.family.head_activation,
        norm_epsilon=named.family.norm_epsilon if epsilon is None else epsilon,
    )


def _heads(hidden: int, source: str, architecture: Architecture) -> int:
    if architecture.heads is None and hidden % _HEAD_WIDTH:
        raise ModelSourceError(f"{source}: width {hidden} is not a multiple of {_HEAD_WIDTH}; add its config.json")
    heads = architecture.heads or hidden // _HEAD_WIDTH
    if heads < 1 or hidden % heads:
        raise ModelSourceError(f"{source}: width {hidden} cannot be split among the {heads} heads of its config.json")
    return heads


def _refuse_other_models(state: Mapping[str, Any], source: str) -> NoReturn:
    if any(name.endswith("embeddings.word_embeddings.weight") for name in state):
        raise ModelSourceError(f"{source} is an encoder without a classifier: fine-tune it first")
    names = ", ".join(family.name for family in FAMILIES[1:])
    raise ModelSourceError(
        f"{source} is not a BERT classifier, nor one of {names}: "
        f"it has no {FAMILIES[0].words}, and its keys are such as {_first(state, 3)}"
    )


def _refuse_headless(named: _OwnNames, source: str) -> NoReturn:
    prefix = named.family.prefix
    others = [name for name in named.tensors if not name.startswith(f"{prefix}.")]
    found = f"outside {prefix}.* it has {_first(others, 4)}" if others else f"it has nothing outside {prefix}.*"
    head = named.family.own_name("classifier.weight")
    raise ModelSourceError(f"{source} has no {head}: {found}; fine-tune it first, or rename that layer")


def _article(family: Family) -> str:
    return f"{'an' if family.name[0] in 'AE' else 'a'} {family.name}"


def _check_keys(tensors: Tensors, expected: Mapping[str, tuple[int, ...]], fault_begins: str) -> None:
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
        raise ModelSourceError(f"{fault_begins}: {told}")


def _first(names: Any, limit: int) -> str:  # noqa: ANN401  any sized iterable of text
    shown = ", ".join(list(names)[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def _assemble(named: _OwnNames, shape: BertShape, offset: int) -> BertWeights:
    positions = _array(named, _POSITIONS)[offset:]
    if named.family.has_token_types:
        positions = positions + _array(named, _TYPES)[0]
    return BertWeights(
        shape=shape,
        word_embeddings=_array(named, _WORDS),
        position_embeddings=positions,
        embedding_norm=_norm(named, "bert.embeddings.LayerNorm"),
        projection=_linear(named, PROJECTION) if shape.embedding != shape.hidden else None,
        layers=tuple(_layer(named, f"bert.encoder.layer.{index}") for index in range(shape.layers)),
        pooler=_linear(named, "bert.pooler.dense"),
        classifier=_linear(named, "classifier"),
    )


def _layer(named: _OwnNames, prefix: str) -> Layer:
    return Layer(
        query=_linear(named, f"{prefix}.attention.self.query"),
        key=_linear(named, f"{prefix}.attention.self.key"),
        value=_linear(named, f"{prefix}.attention.self.value"),
        attention_output=_linear(named, f"{prefix}.attention.output.dense"),
        attention_norm=_norm(named, f"{prefix}.attention.output.LayerNorm"),
        intermediate=_linear(named, f"{prefix}.intermediate.dense"),
        output=_linear(named, f"{prefix}.output.dense"),
        output_norm=_norm(named, f"{prefix}.output.LayerNorm"),
    )


def _linear(named: _OwnNames, name: str) -> Linear:
    weight = named[f"{name}.weight"]
    matrix = weight if isinstance(weight, QuantisedMatrix) else _array(named, f"{name}.weight")
    return Linear(matrix, _array(named, f"{name}.bias"))


def _norm(named: _OwnNames, name: str) -> Norm:
    return Norm(_array(named, f"{name}.weight"), _array(named, f"{name}.bias"))


def _array(named: _OwnNames, name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The tensor as float32, without a copy if it is float32 already."""
    tensor = named[name]
    if not isinstance(tensor, torch.Tensor):
        _not_a_tensor(name)
    array = (tensor.dequantize() if tensor.is_quantized else tensor.detach().to(torch.float32)).numpy()
    if not np.isfinite(array).all():
        own = named.family.own_name(name)
        raise ModelSourceError(f"{own} holds values that are not finite; the training of this checkpoint diverged")
    return array


def _not_a_tensor(name: str) -> NoReturn:
    raise ModelSourceError(f"{name} is not a plain tensor")
