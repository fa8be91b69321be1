"""The model of a source, a checkpoint or an ONNX export, which can be written in float and in int8."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from bundles.architecture import classifier_class, find_obstacle, is_exported, is_own_class
from bundles.model_config import ACTIVATIONS, ModelConfig
from convert.bert import BertWeights
from convert.calibration import Activations, Rows
from convert.checkpoint import read_tensors, refuse_pointer
from convert.feed_forward import factors_of, find_tamings, scales_of
from convert.graph import write_graph
from convert.json_file import read_json
from convert.onnx_import import check_runs, import_float_graph, read_export, write_int8
from convert.quantise import dequantise, quantise
from convert.state_dict import Architecture, to_weights
from shared.errors import ModelSourceError

_FLOAT_FILE, _EXPORT_FILE = "float.onnx", "export.onnx"
_DEFAULT_POSITIONS = 512
_INDEX = ".index.json"
# Buffers that are called as a bias is.
_MASKS = ("attn.bias", "attention.bias")
# Architectures whose first position comes after the padding id.
_OFFSET_POSITIONS = {"roberta": 2, "xlm-roberta": 2, "camembert": 2, "mpnet": 2}


class TextClassifier(Protocol):
    """A model that maps token ids to one score per label."""

    labels: int
    # None where neither the weights nor a config say it.
    vocabulary: int | None
    positions: int
    # Whether it ends in a sigmoid for each label, where nothing else says what its labels are.
    is_multi_label: bool
    # The token at which it reads a text, if it reads at one.
    end_id: int | None

    def write_float(self, folder: Path) -> Path:
        """Write the float graph into `folder`, weights beside it; returns its path."""

    def write_int8(self, path: Path, rows: Rows) -> None:
        """Write the int8 graph, weights beside it; its activations are rounded by scales that fit the texts `rows`."""

    def describe(self) -> str:
        """Its kind and sizes, for a reader."""

    def describe_weights(self) -> str:
        """What was done with its weights, for a reader."""


class BertClassifier:
    """A classifier of BERT's kind by its weights.

    `read` gives them, whenever they are needed: with a graph of the same size mapped beside them, a conversion would
    need twice as much memory.
    """

    def __init__(self, read: Callable[[], BertWeights]) -> None:
        self.read = read
        self._float_graph = Path()
        self._dense_inputs: list[str] = []
        weights = read()
        self._shape, self._is_quantised = weights.shape, weights.is_quantised
        self.labels = weights.shape.labels
        self.vocabulary: int | None = weights.shape.vocabulary
        self.positions = weights.shape.positions
        self.is_multi_label = False
        self.end_id: int | None = None

    def write_float(self, folder: Path) -> Path:
        """Write it with every dense layer in float.

        Its last layer reads every token, so that a scale covers more than what the first tokens of few texts say.
        """
        self._float_graph = folder / _FLOAT_FILE
        weights = dequantise(self.read())
        self._dense_inputs = write_graph(weights, self._float_graph, external_weights=True, every_token=True)
        return self._float_graph

    def write_int8(self, path: Path, rows: Rows) -> None:
        """Write it rounded to int8, or with its own int8 weights."""
        activations = Activations(self._float_graph, self._dense_inputs, rows)
        tamings = find_tamings(self.read(), activations.channels)
        split = scales_of(tamings)
        scales = {**activations.scales(factors_of(tamings), without=split), **split}
        write_graph(quantise(self.read(), tamings), path, external_weights=True, scales=scales)

    def describe(self) -> str:
        """Its sizes."""
        return self._shape.describe()

    def describe_weights(self) -> str:
        """Whether the int8 weights are the source's own."""
        return "the int8 weights of the source, unchanged" if self._is_quantised else "rounded to int8"


class OnnxClassifier:
    """A text classifier exported to ONNX."""

    def __init__(self, path: Path, config: ModelConfig) -> None:
        self._path = path
        self._is_int8 = False
        self._float_graph = path
        export = read_export(path)
        self.labels = export.labels or len(config.id2label or ())
        self.vocabulary = export.vocabulary or config.vocab_size
        self.is_multi_label = export.is_multi_label
        self.end_id: int | None = None
        self.positions = _positions(config)

    def write_float(self, folder: Path) -> Path:
        """Write it unchanged, with its output named `logits`."""
        self._float_graph = folder / _FLOAT_FILE
        self._is_int8 = import_float_graph(self._path, self._float_graph)
        check_runs(self._float_graph, self._path.name)
        return self._float_graph

    def write_int8(self, path: Path, rows: Rows) -> None:
        """Write it rounded to int8, unless it is int8 already."""
        write_int8(self._float_graph, path, rows, is_int8=self._is_int8)

    def describe(self) -> str:
        """What it is."""
        return f"an ONNX export, {self.labels} labels"

    def describe_weights(self) -> str:
        """Whether it was int8 already."""
        return "int8 as exported" if self._is_int8 else "rounded to int8"


class ExportedClassifier:
    """A text classifier of transformers' own modules, which are exported to ONNX."""

    def __init__(self, weights: Path, config_path: Path, config: ModelConfig, source: str) -> None:
        # transformers is an optional part, and its import takes seconds.
        self._exporter = import_module("convert.transformers_export")
        self._classifier = self._exporter.load_classifier(read_weights(weights), config_path, config, source)
        self._config = config
        self._source = source
        self._furthest = 0.0
        self._exported: OnnxClassifier | None = None
        self.labels = int(self._classifier.labels)
        self.vocabulary: int | None = config.vocab_size
        self.positions = _positions(config)
        self.is_multi_label = False
        self.end_id: int | None = self._classifier.end_id

    def write_float(self, folder: Path) -> Path:
        """Write what transformers exports, once it answers as its modules do."""
        export = folder / _EXPORT_FILE
        self._furthest = self._exporter.export_classifier(
            self._classifier, export, vocabulary=self.vocabulary or 2, positions=self.positions, source=self._source
        )
        self._classifier = None  # its memory is needed for what comes next
        self._exported = OnnxClassifier(export, self._config)
        return self._exported.write_float(folder)

    def write_int8(self, path: Path, rows: Rows) -> None:
        """Write it rounded to int8."""
        if self._exported is None:
            raise RuntimeError("write_float comes first")
        self._exported.write_int8(path, rows)

    def describe(self) -> str:
        """What it is, and how near its graph comes to the modules."""
        kind = classifier_class(self._config)
        return f"{kind}, exported by transformers (float within {self._furthest:.1g} of it), {self.labels} labels"

    def describe_weights(self) -> str:
        """That they are rounded."""
        return "rounded to int8"


def open_model(files: Mapping[str, Path], config: ModelConfig, source: str) -> TextClassifier:
    """Read the model of a source, of whose `files`, by role, `weights` or `onnx` is its model.

    Raises:
        ModelSourceError: it is damaged, or its architecture is not supported.
    """
    weights, onnx = files.get("weights"), files.get("onnx")
    if weights is not None and is_exported(config):
        return ExportedClassifier(weights, files["config"], config, source)
    if weights is not None:
        architecture = _architecture(config, source, own_class=is_own_class(weights.name, config))
        return BertClassifier(lambda: to_weights(read_weights(weights), weights.name, architecture))
    if onnx is not None:
        return OnnxClassifier(onnx, config)
    raise ModelSourceError(f"{source} has no model")


def read_weights(path: Path) -> dict[str, Any]:
    """The tensors of a checkpoint in any of PyTorch's formats; `path` may be the index of several files beside it.

    Raises:
        ModelSourceError: it is damaged, a part is missing, or it contains code.
    """
    if path.name.endswith(_INDEX):
        return _read_parts(path)
    tensors = _read_safetensors(path) if path.suffix == ".safetensors" else read_tensors(path)
    for name, value in tensors.items():
        if isinstance(value, torch.Tensor):
            _refuse_numbers(name, value, path)
    return tensors


def _refuse_numbers(name: str, tensor: torch.Tensor, path: Path) -> None:
    """Refuse weights in integers: their scales are elsewhere, or lost, and without them they say something else."""
    is_weight = name.endswith((".weight", ".bias")) and not name.endswith(_MASKS)
    if is_weight and not (tensor.is_floating_point() or tensor.is_quantized):
        kind = str(tensor.dtype).removeprefix("torch.")
        raise ModelSourceError(
            f"{path.name} holds {name} as {kind}, not in float: it was quantised by another tool; save it in float"
        )
    if tensor.is_meta:
        raise ModelSourceError(f"{path.name} holds {name} without its numbers (on the device meta); save it again")


def _read_safetensors(path: Path) -> dict[str, Any]:
    refuse_pointer(path)
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelSourceError(
            f"{path.name} ({path.stat().st_size:,} bytes) is cut short or not a safetensors file; download it again"
        ) from error


def _read_parts(index: Path) -> dict[str, Any]:
    parts = read_json(index).get("weight_map")
    if not isinstance(parts, dict) or not all(isinstance(name, str) for name in parts.values()):
        raise ModelSourceError(f"{index.name} is not the index of a checkpoint: it has no weight_map")
    tensors: dict[str, Any] = {}
    beside = {path.name for path in index.parent.iterdir() if path.is_file() and not path.name.endswith(_INDEX)}
    for name in sorted(set(parts.values())):
        path = index.parent / name
        if name not in beside:
            raise ModelSourceError(
                f"{index.name} lists {name[:200]!r}, which is not beside it; copy or download it too"
            )
        tensors |= read_weights(path)
    missing = sorted(set(parts) - set(tensors))
    if missing:
        raise ModelSourceError(f"{index.name} lists {missing[0]}, which is in none of the parts of the checkpoint")
    return tensors


def _positions(config: ModelConfig) -> int:
    """Tokens that one pass can read."""
    offset = _OFFSET_POSITIONS.get(config.model_type or "", 0)
    return (config.max_position_embeddings or config.n_positions or _DEFAULT_POSITIONS + offset) - offset


def _architecture(config: ModelConfig, source: str, *, own_class: bool) -> Architecture:
    if config == ModelConfig():  # there is none, or it says nothing
        return Architecture()
    obstacle = find_obstacle(config, own_class=own_class)
    if obstacle is not None:
        raise ModelSourceError(f"{source} {obstacle}")
    return Architecture(
        heads=config.heads,
        activation=ACTIVATIONS[config.activation_name],
        norm_epsilon=config.layer_norm_eps,
        padding_id=config.pad_token_id,
        model_type=config.model_type,
    )
