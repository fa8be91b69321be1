"""The file `.env`: what it sets, and what it does not."""

import os
from pathlib import Path

import pytest

from cli.env_file import load_env_file
from shared.errors import SettingsError
from shared.settings import load_settings


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test puts into the environment is gone after it."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in ("PORT", "API_KEYS", "MODEL", "HF_TOKEN"):
        os.environ.pop(name, None)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT=9001\nexport API_KEYS='a, b'  # two\nHF_TOKEN=hf_x\n")
    os.environ["PORT"] = "9002"
    load_env_file(file)
    assert (load_settings().port, load_settings().api_keys) == (9002, ("a", "b"))
    assert os.environ["HF_TOKEN"] == "hf_x"


def test_a_file_from_notepad_is_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes("\ufeffPORT=9003\r\nMODEL=./내모델\r\n".encode())
    load_env_file(file)
    assert (load_settings().port, load_settings().model) == (9003, "./내모델")


def test_no_file_is_no_fault(tmp_path: Path) -> None:
    load_env_file(tmp_path / ".env")
    assert load_settings().port == 8000


def test_a_file_in_another_encoding_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes("MODEL=./내모델\n".encode("cp949"))
    with pytest.raises(SettingsError, match="is not UTF-8"):
        load_env_file(file)


def test_the_example_can_be_copied_as_it_is(tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[3] / ".env.example"
    before = load_settings()
    load_env_file(example)
    assert load_settings() == before
