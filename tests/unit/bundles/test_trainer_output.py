"""In the output folder of a training the newest checkpoint is the model, unless the folder holds one itself."""

import json
from pathlib import Path

from bundles.trainer_output import find_newest_checkpoint


def write_checkpoints(folder: Path, *steps: int, best: int | None = None) -> Path:
    for step in steps:
        checkpoint = folder / f"checkpoint-{step}"
        checkpoint.mkdir(parents=True)
        (checkpoint / "model.safetensors").touch()
        state = {"best_model_checkpoint": f"./out/checkpoint-{best}" if best else None}
        (checkpoint / "trainer_state.json").write_text(json.dumps(state))
    (folder / "training_args.bin").touch()
    return folder


def test_the_newest_by_its_step_is_read_and_named(tmp_path: Path) -> None:
    found = find_newest_checkpoint(write_checkpoints(tmp_path, 500, 1000, 90))
    assert found is not None
    assert found.folder.name == "checkpoint-1000"
    assert found.notice == f"checkpoint-1000 is read, the newest of 3 checkpoints in {tmp_path}"


def test_another_that_the_training_called_its_best_is_named_too(tmp_path: Path) -> None:
    found = find_newest_checkpoint(write_checkpoints(tmp_path, 500, 1000, best=500))
    assert found is not None
    assert found.notice.endswith(f"; the training found checkpoint-500 better: MODEL={tmp_path}/checkpoint-500")


def test_a_model_in_the_folder_itself_comes_first(tmp_path: Path) -> None:
    write_checkpoints(tmp_path, 500)
    (tmp_path / "model.safetensors").touch()
    assert find_newest_checkpoint(tmp_path) is None


def test_a_folder_without_checkpoints_has_none(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-last").mkdir()
    assert find_newest_checkpoint(tmp_path) is None


def test_a_checkpoint_that_was_cut_off_before_its_weights_does_not_count(tmp_path: Path) -> None:
    write_checkpoints(tmp_path, 500, 1000)
    newest = tmp_path / "checkpoint-1000"
    (newest / "model.safetensors").rename(newest / "optimizer.pt")
    found = find_newest_checkpoint(tmp_path)
    assert found is not None
    assert found.notice == f"checkpoint-500 is read, the only checkpoint with a model in {tmp_path}"
