"""`make run` with a model that is not there: said before anything large is installed."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import run_command
from tests.support.sources import write_transformers_folder
from tests.support.stack import CLEAN_ENVIRONMENT, ROOT

pytestmark = pytest.mark.integration


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """The environment of these tests as one in which `make run` has been before, without what converts."""
    folder = tmp_path / "venv"
    folder.mkdir()
    (folder / "bin").symlink_to(Path(sys.executable).parent)
    (folder / ".run").touch()
    return folder


@pytest.mark.parametrize("model", ["./no-such-model", "sentimnet", "no/such/file.pt", "내 모델/텍스트 분류"])
@pytest.mark.parametrize("in_file", [False, True])
def test_a_misspelt_model_is_said_before_torch_is_installed(
    venv: Path, tmp_path: Path, model: str, in_file: bool
) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("pyproject.toml", "constraints.txt", "requirements", "training", "Makefile", "convert"):
        (clone / name).symlink_to(ROOT / name)
    if in_file:
        (clone / ".env").write_text(f"MODEL={shlex.quote(model)}\n")
    words = [] if in_file else [f"MODEL={model}"]

    command = ["make", "run", f"VENV={venv}", *words]
    ended = subprocess.run(command, cwd=clone, env=CLEAN_ENVIRONMENT, capture_output=True, text=True, check=False)

    assert ended.returncode != 0
    assert f"MODEL={shlex.quote(model)}: there is no such file or folder" in ended.stderr
    assert "Adding what converts" not in ended.stdout
    assert not (venv / ".convert").exists()


def test_a_checkpoint_asks_for_what_converts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundles.sources.conversion.find_spec", lambda _: None)
    folder = write_transformers_folder(tmp_path / "mine")
    ended = run_command("model", "check", folder, DATA_DIR=str(tmp_path / "data"))
    assert ended.returncode == 3
    assert "must be converted once" in ended.stderr.decode()
    assert "'.[convert]'" in ended.stderr.decode()


def test_a_family_that_transformers_exports_asks_for_transformers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bundles.sources.conversion.find_spec", lambda _: None)
    folder = write_transformers_folder(
        tmp_path / "mine", model_type="modernbert", architectures=["ModernBertForSequenceClassification"]
    )
    ended = run_command("model", "check", folder, DATA_DIR=str(tmp_path / "data"))
    assert ended.returncode == 4
    assert "'.[convert-any]'" in ended.stderr.decode()
