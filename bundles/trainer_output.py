"""Finds the model in the output folder of transformers' Trainer: its checkpoints are folders `checkpoint-<step>`."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_STATE_FILE = "trainer_state.json"
_STATES = ("training_args.", "optimizer.", "scheduler.", "rng_state", "scaler.")
_MODELS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.onnx", "onnx/*.onnx")


@dataclass(frozen=True)
class NewestCheckpoint:
    """The last of a training's checkpoints, and what to tell about the others."""

    folder: Path
    notice: str


def find_newest_checkpoint(folder: Path) -> NewestCheckpoint | None:
    """The newest checkpoint of `folder`; None if the folder holds a model itself, or no checkpoints."""
    if _has_model(folder):
        return None
    all_of_them = {int(match[1]): path for path in folder.iterdir() if (match := _CHECKPOINT.fullmatch(path.name))}
    if not all_of_them:
        return None
    # A training that was cut off leaves one with the state of its optimiser alone.
    found = {step: path for step, path in all_of_them.items() if _has_model(path)} or all_of_them
    newest = found[max(found)]
    best = _best_checkpoint(newest)
    others = f"the newest of {len(found)} checkpoints" if len(found) > 1 else "the only checkpoint"
    if len(all_of_them) > len(found):
        others += " with a model"
    notice = f"{newest.name} is read, {others} in {folder}"
    if best is not None and best != newest.name and (folder / best).is_dir():
        notice += f"; the training found {best} better: MODEL={folder / best}"
    return NewestCheckpoint(newest, notice)


def _has_model(folder: Path) -> bool:
    files = (path.name for pattern in _MODELS for path in folder.glob(pattern))
    return any(not name.startswith(_STATES) for name in files)


def _best_checkpoint(newest: Path) -> str | None:
    """The name of the checkpoint that the training called its best, if it measured that."""
    try:
        state = json.loads((newest / _STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    best = state.get("best_model_checkpoint") if isinstance(state, dict) else None
    return Path(best).name if isinstance(best, str) else None
