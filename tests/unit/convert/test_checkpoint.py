"""A `.pt` file is opened without running anything in it, and refused in one sentence where it is something else."""

import pickletools
import random
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from convert.checkpoint import read_tensors
from shared.errors import ModelSourceError
from tests.support.checkpoints import BERTClassifier, bert_classifier, quantised, save
from tests.support.pickles import HidesBehindCopyreg, RunsACommand

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return dict(bert_classifier().state_dict())


@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_is_read_from_the_zip_and_from_the_older_format(
    tmp_path: Path, state: dict[str, Any], zipped: bool
) -> None:
    path = save(state, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)

    tensors = read_tensors(path)

    assert list(tensors) == list(state)
    assert all(torch.equal(tensors[name], state[name]) for name in state)


def test_the_int8_weights_of_a_quantised_state_dict_are_read_as_they_are(tmp_path: Path) -> None:
    saved = quantised(BERTClassifier(bert_classifier())).state_dict()
    key = "classifier._packed_params._packed_params"

    weight, bias = read_tensors(save(saved, tmp_path / "textClassifierModel.pt"))[key]

    assert torch.equal(weight.int_repr(), saved[key][0].int_repr())
    assert weight.q_scale() == saved[key][0].q_scale()
    assert torch.equal(bias, saved[key][1])


def test_a_whole_pickled_model_is_refused_with_the_two_lines_that_make_a_state_dict(tmp_path: Path) -> None:
    path = save(bert_classifier(), tmp_path / "whole.pt")

    with pytest.raises(ModelSourceError) as refusal:
        read_tensors(path)

    assert 'model = torch.load("whole.pt", weights_only=False)' in refusal.value.message
    assert 'torch.save(model.state_dict(), "whole.pt")' in refusal.value.message


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("hostile", [RunsACommand, HidesBehindCopyreg])
def test_a_checkpoint_that_calls_os_system_is_refused_by_name_and_nothing_runs(
    tmp_path: Path, hostile: type[RunsACommand], protocol: int, zipped: bool
) -> None:
    trace = tmp_path / "ran"
    value = {"classifier.weight": torch.zeros(2, 2), "extra.state": hostile(trace)}
    path = save(value, tmp_path / "model.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)

    with pytest.raises(ModelSourceError, match=r"model\.pt was refused: it asks for .*posix\.system.*nothing"):
        read_tensors(path)

    assert not trace.exists()


def test_a_zip_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", pickletools.optimize(b"\x80\x02}."))
        with archive.open("bomb/data/0", "w", force_zip64=True) as member:
            for _ in range(64):
                member.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 17

    with pytest.raises(ModelSourceError, match=r"unpack to 67,108,8\d\d, and PyTorch never compresses"):
        read_tensors(path)


def test_tensors_that_claim_more_than_the_file_holds_are_refused(tmp_path: Path) -> None:
    path = save({"a.b": torch.zeros(1).expand(1 << 40)}, tmp_path / "broadcast.pt")
    with pytest.raises(ModelSourceError, match="claim 4,398,046,511,104 bytes"):
        read_tensors(path)


@pytest.mark.parametrize("kept", [0, 3, 100, 50_000, -1000, -1])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_checkpoint_is_refused_by_name(
    tmp_path: Path, state: dict[str, Any], kept: int, zipped: bool
) -> None:
    path = save(state, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(ModelSourceError, match=r"model\.pt \([\d,]+ bytes\) is cut short or not a PyTorch checkpoint"):
        read_tensors(path)


NOISE = random.Random(1).randbytes(4096)
# Pickles whose next object claims to have 2 ** 60 bytes, in each form that has a long length.
CLAIMS = [bytes((opcode,)) + (1 << 60).to_bytes(8, "little") for opcode in (0x8D, 0x8E, 0x96)]


@pytest.mark.parametrize("content", [b"<html>404</html>", NOISE, bytes(4096), b"PK\x03\x04 and no more", *CLAIMS])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(ModelSourceError, match=r"model\.pt .* is cut short or not a PyTorch checkpoint"):
        read_tensors(path)


def test_a_git_lfs_pointer_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(ModelSourceError, match="git lfs pull"):
        read_tensors(path)


@pytest.mark.parametrize("value", [[1, 2], {"lr": 0.1}, OrderedDict(), {"model": {"no": "tensors"}}])
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(ModelSourceError, match="holds no state dict"):
        read_tensors(save(value, tmp_path / "model.pt"))
