"""Picks the files of a model by their names, so that nothing else of a repository is downloaded."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from bundles.format import CONFIG_FILE, MANIFEST_FILE, MODEL_FILE, TOKENIZER_FILE
from shared.errors import ModelSourceError

SourceKind = Literal["bundle", "checkpoint", "onnx"]

# All of them, in order of preference.
_WEIGHTS = ("model.safetensors", "pytorch_model.bin", "textClassifierModel.pt")
_ANY_WEIGHTS = ("*.pt", "*.pth", "*.bin", "*.safetensors")
_ONNX = ("onnx/model.onnx", "model.onnx", "onnx/model_quantized.onnx", "model_quantized.onnx")
_SENTENCEPIECE = ("spiece.model", "*.spiece", "tokenizer.model", "sentencepiece.bpe.model", "tokenizer_*.model")
_VOCABULARY = ("vocab.pkl", "kobertvocab_*.json")
_CATEGORIES = (
    *("category.pkl", "categories.pkl", "label*.pkl", "category.json", "categories.json", "labels.json"),
    *("label_map*.json", "label2id.json", "id2label.json", "labels.txt", "label.txt", "classes.txt"),
)
WEIGHT_SUFFIXES = frozenset({".pt", ".pth", ".bin", ".safetensors"})
# Files that a trainer leaves beside the model.
_TRAINER_STATE = ("optimizer.*", "scheduler.*", "rng_state*", "scaler.*", "training_args.*")


@dataclass(frozen=True)
class SourceFiles:
    """Names of the files of a model, relative to their folder; None for a file that is missing."""

    weights: str | None = None
    onnx: str | None = None
    onnx_data: str | None = None
    config: str | None = None
    manifest: str | None = None
    tokenizer: str | None = None
    tokenizer_config: str | None = None
    added_tokens: str | None = None
    sentencepiece: str | None = None
    word_pieces: str | None = None
    vocabulary: str | None = None
    categories: str | None = None

    @property
    def kind(self) -> SourceKind:
        """A bundle, a checkpoint of PyTorch, or an ONNX export."""
        if self.manifest and self.onnx == MODEL_FILE:
            return "bundle"
        return "checkpoint" if self.weights else "onnx"

    @property
    def has_tokenizer(self) -> bool:
        """Whether the files are enough to build a tokenizer."""
        return bool(self.tokenizer or self.sentencepiece or self.word_pieces)

    def by_role(self) -> dict[str, str]:
        """Every file that a conversion reads, by the name of its field here."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {role: name for role, name in values.items() if name}


def choose_files(names: Iterable[str], where: str) -> SourceFiles:
    """Pick the files of a model from `names`; `where` names the place in errors.

    Raises:
        ModelSourceError: there is no model among them, or more than one.
    """
    present = sorted(names)
    onnx = _first(present, _ONNX)
    files = SourceFiles(
        weights=_first(present, _WEIGHTS) or _only_weights(present, where),
        onnx=onnx,
        onnx_data=_first(present, (f"{onnx}_data", f"{onnx}.data")) if onnx else None,
        config=_first(present, (CONFIG_FILE,)),
        manifest=_first(present, (MANIFEST_FILE,)),
        tokenizer=_first(present, (TOKENIZER_FILE, f"onnx/{TOKENIZER_FILE}")),
        tokenizer_config=_first(present, ("tokenizer_config.json",)),
        added_tokens=_first(present, ("added_tokens.json",)),
        sentencepiece=_first(present, _SENTENCEPIECE),
        word_pieces=_first(present, ("vocab.txt",)),
        vocabulary=_first(present, _VOCABULARY),
        categories=_first(present, _CATEGORIES),
    )
    if not files.weights and not files.onnx:
        raise ModelSourceError(_nothing_found(present, where))
    return files


def find_sentencepiece(names: Iterable[str]) -> str | None:
    """The SentencePiece model among `names`, if there is one."""
    return _first(sorted(names), _SENTENCEPIECE)


def names_in(folder: Path) -> list[str]:
    """Names of the files in a folder and in its `onnx/`, as `choose_files` takes them."""
    files = [*folder.glob("*"), *(folder / "onnx").glob("*")]
    return [file.relative_to(folder).as_posix() for file in files if file.is_file()]


def _first(present: list[str], patterns: Iterable[str]) -> str | None:
    return next((name for pattern in patterns for name in present if fnmatch(name, pattern)), None)


def _only_weights(present: list[str], where: str) -> str | None:
    found = [name for name in present if "/" not in name and any(fnmatch(name, pattern) for pattern in _ANY_WEIGHTS)]
    found = [name for name in found if not any(fnmatch(name, pattern) for pattern in _TRAINER_STATE)]
    if len(found) > 1:
        raise ModelSourceError(
            f"{where} holds several checkpoints ({', '.join(found)}): keep one, or name it in full, MODEL=…/{found[0]}"
        )
    return found[0] if found else None


def _nothing_found(present: list[str], where: str) -> str:
    if any(fnmatch(name, "*.index.json") for name in present):
        return f"{where} holds a checkpoint in several parts, which is not supported: save it again as one file"
    held = f"it holds {', '.join(present[:6])}" if present else "it is empty"
    return (
        f"{where} has no model: {held}; expected a bundle (manifest.json), model.safetensors, pytorch_model.bin, "
        "one .pt file or onnx/model.onnx"
    )
