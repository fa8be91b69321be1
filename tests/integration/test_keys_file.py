"""KEYS_FILE while the service runs: an edit takes effect soon, a wrong one locks nobody out and lets nobody in."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.access.records import digest_of
from shared.errors import EXIT_CONFIG
from tests.support.stack import CLEAN_ENVIRONMENT, Stack, running_stack, wait_until

pytestmark = pytest.mark.integration

SOON_S = 30  # the file is looked at once a second


def tables(**secrets: str) -> str:
    return "".join(f'[{name}]\nsha256 = "{digest_of(secret)}"\n' for name, secret in secrets.items())


@pytest.fixture
def keys_file(short_tmp: Path) -> Path:
    path = short_tmp / "keys.toml"
    path.write_text(tables(board1="secret-1"))
    return path


@pytest.fixture
def stack(short_tmp: Path, echo_bundle: Path, keys_file: Path) -> Iterator[Stack]:
    with running_stack(short_tmp, echo_bundle, keys_file=keys_file, max_wrong_keys_per_minute=6_000) as running:
        yield running


def status(stack: Stack, secret: str | None) -> int:
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return httpx.get(f"{stack.url}/jobs", headers=headers, timeout=30).status_code


def test_each_edit_of_the_file_takes_effect_without_a_restart(stack: Stack, keys_file: Path) -> None:
    assert (status(stack, "secret-1"), status(stack, "secret-2"), status(stack, None)) == (200, 401, 401)

    # As mounted secrets are replaced: another file under the same name.
    fresh = keys_file.with_suffix(".new")
    fresh.write_text(tables(board2="secret-2"))
    fresh.replace(keys_file)
    wait_until(lambda: (status(stack, "secret-1"), status(stack, "secret-2")) == (401, 200), "the new keys", SOON_S)

    keys_file.write_text("[board2")
    wait_until(lambda: "keys_file_unreadable" in stack.logs(), "the note of the wrong file", SOON_S)
    assert (status(stack, "secret-2"), status(stack, None)) == (200, 401)

    keys_file.write_text("")
    wait_until(lambda: status(stack, "secret-2") == 401, "the end of the last key", SOON_S)
    assert status(stack, None) == 401
    assert stack.logs().count("keys_file_unreadable") == 1
    assert digest_of("secret-2") not in stack.logs()


@pytest.mark.parametrize("text", [None, '[board1]\nsha256 = "secret-1"\n'])
def test_a_file_that_cannot_be_read_ends_the_start(short_tmp: Path, text: str | None) -> None:
    path = short_tmp / "keys.toml"
    if text is not None:
        path.write_text(text)
    environment = {**CLEAN_ENVIRONMENT, "REDIS_URL": "redis://127.0.0.1:1", "KEYS_FILE": str(path)}
    done = subprocess.run(
        [sys.executable, "-m", "api.main"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == EXIT_CONFIG
    assert f"KEYS_FILE={path}" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
