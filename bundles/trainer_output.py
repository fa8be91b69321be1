"""Finds the model in the output folder of transformers' Trainer: its checkpoints are folders `checkpoint-<step>`."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_STATE_FILE = "trainer_state.json"
_ARGUMENTS = "training_args.bin"
_MODELS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.onnx", "onnx/*.onnx")


@dataclass(frozen=True)
class NewestCheckpoint:
    """The last of a training's checkpoints, and what to tell about the others."""

    folder: Path
    notice: str


def find_newest_checkpoint(folder: Path) -> NewestCheckpoint | None:
    """The newest checkpoint of `folder`; None if the folder holds a model itself, or no checkpoints."""
    if any(path.name != _ARGUMENTS for pattern in _MODELS for path in folder.glob(pattern)):
        return None
    found = {int(match[1]): path for path in folder.iterdir() if (match := _CHECKPOINT.fullmatch(path.name))}
    if not found:
        return None
    newest = found[max(found)]
    best = _best_checkpoint(newest)
    others = f"the newest of {len(found)} checkpoints" if len(found) > 1 else "the only checkpoint"
    notice = f"{newest.name} is read, {others} in {folder}"
    if best is not None and best != newest.name and (folder / best).is_dir():
        notice += f"; the training found {best} better: MODEL={folder / best}"
    return NewestCheckpoint(newest, notice)


def _best_checkpoint(newest: Path) -> str | None:
    """The name of the checkpoint that the training called its best, if it measured that."""
    try:
        state = json.loads((newest / _STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    best = state.get("best_model_checkpoint") if isinstance(state, dict) else None
    return Path(best).name if isinstance(best, str) else None
