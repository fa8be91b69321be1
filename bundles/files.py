"""Picks the files of a model by their names, so that nothing else of a repository is downloaded."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatch
from glob import escape
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, Literal

from bundles.adapter import ADAPTER_CONFIG
from bundles.format import CONFIG_FILE, MANIFEST_FILE, MODEL_FILE, TOKENIZER_FILE
from shared.commands import kobert_command
from shared.errors import ModelSourceError

SourceKind = Literal["bundle", "checkpoint", "onnx", "adapter"]

# All of them, in order of preference.
_WEIGHTS = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
    "textClassifierModel.pt",
)  # fmt: skip
_INDEX = ".index.json"
_SHARD = re.compile(r".+-\d{5}-of-\d{5}\.(?:safetensors|bin)")
_ANY_WEIGHTS = ("*.pt", "*.pth", "*.bin", "*.safetensors", "*.ckpt")
# Float exports come first: they are rounded here, and measured against the float one.
_ONNX = tuple(
    f"{folder}{name}.onnx"
    for name in ("model", "model_O[123]", "model_O4", "model_fp16", "model_quantized", "model_qint8*", "model_int8")
    for folder in ("onnx/", "")
)
_SENTENCEPIECE = (
    *("spiece.model", "spm.model", "*.spiece", "tokenizer.model", "sentencepiece.bpe.model", "tokenizer_*.model"),
)
_VOCABULARY = ("vocab.pkl", "kobertvocab_*.json")
_CATEGORIES = (
    *("category.pkl", "categories.pkl", "label*.pkl", "category.json", "categories.json", "labels.json"),
    *("label_map*.json", "label2id.json", "id2label.json", "labels.txt", "label.txt", "classes.txt"),
)
# What a user may call the model by a file of it.
INDEX_NAMES = tuple(name for name in _WEIGHTS if name.endswith(_INDEX))
WEIGHT_SUFFIXES = frozenset({".pt", ".pth", ".bin", ".safetensors", ".ckpt", ".onnx"})
# Files that a trainer leaves beside the model.
_TRAINER_STATE = ("optimizer.*", "scheduler.*", "rng_state*", "scaler.*", "training_args.*")
_ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")
# What cannot be read, and the end of the sentence that says so.
_FOREIGN = {
    "adapter_*": "one half of a LoRA adapter: adapter_config.json and adapter_model.safetensors are both needed",
    "modules.json": "a model of sentence-transformers, which makes vectors of texts and has no classifier",
    "tf_model.h5": "TensorFlow's weights only: load it once with from_tf=True and save_pretrained",
    "*.h5": "a model of TensorFlow or Keras, which is not read",
    "*.keras": "a model of Keras, which is not read",
    "*.pb": "a model of TensorFlow, which is not read",
    "*.tflite": "a model of TensorFlow Lite, which is not read",
    "*.msgpack": "Flax's weights only: load it once with from_flax=True and save_pretrained",
    "*.gguf": "a model of llama.cpp (GGUF), which is not read",
    "*.mlmodel": "a model of Core ML, which is not read",
    "openvino_model.xml": "an OpenVINO model, which is not read: export it to ONNX instead",
    "*.joblib": "a pickle, which would run code to load; save a state dict or an ONNX export instead",
    "*.pkl": "a pickle, which would run code to load; save a state dict or an ONNX export instead",
    "*.zip": "an archive: unpack it first",
    "*.tar*": "an archive: unpack it first",
    "*.tgz": "an archive: unpack it first",
}


# Roles of the parts of a checkpoint, followed by their number.
SHARD_ROLE = "shard"
# Roles of the files that a tokenizer is built from.
TOKENIZER_ROLES = (
    *("tokenizer", "tokenizer_config", "added_tokens", "sentencepiece", "word_pieces", "byte_pairs", "merges"),
    "vocabulary",
)


@dataclass(frozen=True)
class SourceFiles:
    """Names of the files of a model, relative to their folder; None for a file that is missing."""

    # One file, or the index of several, which are the shards.
    weights: str | None = None
    shards: tuple[str, ...] = ()
    onnx: str | None = None
    onnx_data: str | None = None
    # A LoRA adapter of peft, whose base has the weights.
    adapter: str | None = None
    adapter_config: str | None = None
    # What SetFit makes of a classifier of scikit-learn. It is never read.
    pickled_head: str | None = None
    config: str | None = None
    manifest: str | None = None
    tokenizer: str | None = None
    tokenizer_config: str | None = None
    added_tokens: str | None = None
    sentencepiece: str | None = None
    word_pieces: str | None = None
    # A byte-level BPE.
    byte_pairs: str | None = None
    merges: str | None = None
    vocabulary: str | None = None
    categories: str | None = None

    @property
    def kind(self) -> SourceKind:
        """A bundle, a checkpoint of PyTorch, an ONNX export, or an adapter without its base."""
        if self.manifest and self.onnx == str(PurePosixPath(self.manifest).with_name(MODEL_FILE)):
            return "bundle"
        if self.weights:
            return "checkpoint"
        return "adapter" if self.adapter else "onnx"

    @property
    def has_tokenizer(self) -> bool:
        """Whether the files are enough to build a tokenizer."""
        return have_tokenizer(self.by_role())

    def by_role(self) -> dict[str, str]:
        """Every file that a conversion reads, by the name of its field here."""
        unread = {"shards", "pickled_head"}
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in unread}
        shards = {f"{SHARD_ROLE}{index:05}": name for index, name in enumerate(self.shards)}
        return {role: name for role, name in values.items() if name} | shards


def choose_files(names: Iterable[str], where: str) -> SourceFiles:
    """Pick the files of a model from `names`; `where` names the place in errors.

    Raises:
        ModelSourceError: there is no model among them, or more than one.
    """
    present = sorted(names)
    onnx = _first(present, _ONNX) or _only_onnx(present, where)
    weights = _first(present, _WEIGHTS) or _only_weights(present, where)
    is_adapter = not weights and not onnx
    files = replace(
        choose_side_files(present),
        weights=weights,
        shards=_shards(present, weights, where),
        onnx=onnx,
        onnx_data=_first(present, _data_names(onnx)) if onnx else None,
        manifest=_first(present, (MANIFEST_FILE,)),
        adapter=_first(present, _ADAPTERS) if is_adapter else None,
        adapter_config=_first(present, (ADAPTER_CONFIG,)) if is_adapter else None,
        pickled_head=_first(present, ("model_head.pkl",)),
    )
    if not files.weights and not files.onnx and not (files.adapter and files.adapter_config):
        raise ModelSourceError(_nothing_found(present, where))
    return files


def choose_side_files(names: Iterable[str]) -> SourceFiles:
    """The files of a model but the model itself: its config, its tokenizer and its labels."""
    present = sorted(names)
    return SourceFiles(
        config=_first(present, (CONFIG_FILE,)),
        tokenizer=_first(present, (TOKENIZER_FILE, f"onnx/{TOKENIZER_FILE}")),
        tokenizer_config=_first(present, ("tokenizer_config.json",)),
        added_tokens=_first(present, ("added_tokens.json",)),
        sentencepiece=_first(present, _SENTENCEPIECE),
        word_pieces=_first(present, ("vocab.txt",)),
        byte_pairs=_first(present, ("vocab.json",)),
        merges=_first(present, ("merges.txt",)),
        vocabulary=_first(present, _VOCABULARY),
        categories=_first(present, _CATEGORIES),
    )


def renamed(files: SourceFiles, start: str) -> SourceFiles:
    """The same files, each name with `start` before it."""
    values = {field.name: getattr(files, field.name) for field in fields(files) if field.name != "shards"}
    named: dict[str, Any] = {role: name and f"{start}{name}" for role, name in values.items()}
    return SourceFiles(**named, shards=tuple(f"{start}{name}" for name in files.shards))


def have_tokenizer(roles: Collection[str]) -> bool:
    """Whether files of these roles are enough to build a tokenizer."""
    return not {"tokenizer", "sentencepiece", "word_pieces"}.isdisjoint(roles) or {"byte_pairs", "merges"} <= {*roles}


def refuse_pickled_head(files: SourceFiles, where: str) -> None:
    """Refuse a SetFit model, whose encoder alone would be read.

    Raises:
        ModelSourceError: says how to make a model of it.
    """
    if files.pickled_head:
        raise ModelSourceError(
            f"{where} holds a SetFit model, whose classifier ({files.pickled_head}) is a pickle that would run code to "
            f"load: train one on its encoder instead, {kobert_command('model', 'train', 'TABLE', '--base', where)}"
        )


def find_sentencepiece(names: Iterable[str]) -> str | None:
    """The SentencePiece model among `names`, if there is one."""
    return _first(sorted(names), _SENTENCEPIECE)


def names_in(folder: Path, inside: str | None = None) -> list[str]:
    """Names of the files in a folder and in its `onnx/`, as `choose_files` takes them; or of all, to look `inside`.

    A link to nothing is one of them: to read a model as if it had no config would be wrong, and not to say why too.
    """
    files = [*folder.glob("*"), *(folder / "onnx").glob("*")] if inside is None else [*folder.rglob("*")]
    found = [file for file in files if file.is_file() or (file.is_symlink() and not file.exists())]
    return [file.relative_to(folder).as_posix() for file in found]


def names_beside(model: str, names: Iterable[str]) -> list[str]:
    """The file `model` and those of `names`, all in its folder, that belong to it: no other weights, but its parts."""
    kept = (name for name in names if PurePosixPath(name).suffix not in WEIGHT_SUFFIXES)
    parts = (name for name in names if _SHARD.fullmatch(name)) if model.endswith(_INDEX) else ()
    return [model, *(name for name in (*kept, *parts) if name != model and not name.endswith(_INDEX))]


def _first(present: list[str], patterns: Iterable[str]) -> str | None:
    return next((name for pattern in patterns for name in present if fnmatch(name, pattern)), None)


def _only_weights(present: list[str], where: str) -> str | None:
    found = [name for name in present if "/" not in name and any(fnmatch(name, pattern) for pattern in _ANY_WEIGHTS)]
    others = (*_TRAINER_STATE, *_ADAPTERS)
    found = [name for name in found if not any(fnmatch(name, pattern) for pattern in others)]
    if any(_SHARD.fullmatch(name) for name in found):
        raise ModelSourceError(_part_without_index(found, where))
    if len(found) > 1:
        raise ModelSourceError(
            f"{where} holds several checkpoints ({', '.join(found)}): keep one, or name it in full, MODEL=…/{found[0]}"
        )
    return found[0] if found else None


def _data_names(onnx: str) -> tuple[str, ...]:
    """Names that exporters give the file of an export's weights."""
    name = escape(onnx)
    return f"{name}_data", f"{name}.data", f"{name.removesuffix('.onnx')}.data", f"{name.removesuffix('.onnx')}.weights"


def _only_onnx(present: list[str], where: str) -> str | None:
    """An export of another name, if there is one alone."""
    found = [name for name in present if name.endswith(".onnx")]
    if len(found) > 1:
        raise ModelSourceError(
            f"{where} holds several ONNX files ({', '.join(found[:4])}): name one in full, MODEL=…/{found[0]}"
        )
    return found[0] if found else None


def _shards(present: list[str], weights: str | None, where: str) -> tuple[str, ...]:
    """The parts of a checkpoint whose index is `weights`."""
    if weights is None or not weights.endswith(_INDEX):
        return ()
    stem, suffix = PurePath(weights.removesuffix(_INDEX)).stem, PurePath(weights.removesuffix(_INDEX)).suffix
    parts = tuple(name for name in present if _SHARD.fullmatch(name) and fnmatch(name, f"{stem}-*{suffix}"))
    if not parts:
        raise ModelSourceError(f"{where} holds {weights}, and none of the parts that it lists; copy them too")
    return parts


def _part_without_index(found: list[str], where: str) -> str:
    part = next(name for name in found if _SHARD.fullmatch(name))
    return (
        f"{where} holds {part}, one part of a checkpoint: set MODEL to the folder with all of its parts and their "
        f"{'model.safetensors' if part.endswith('safetensors') else 'pytorch_model.bin'}{_INDEX}"
    )


def _nothing_found(present: list[str], where: str) -> str:
    foreign = next((told for pattern, told in _FOREIGN.items() if _first(present, (pattern,))), None)
    if foreign is not None:
        return f"{where} holds {foreign}"
    held = f"it holds {', '.join(present[:6])}" if present else "it is empty"
    return (
        f"{where} has no model: {held}; expected a bundle (manifest.json), model.safetensors, pytorch_model.bin, "
        "one .pt file or onnx/model.onnx"
    )
