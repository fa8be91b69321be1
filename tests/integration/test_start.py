"""How the processes refuse to start: one sentence, and the exit code that says not to try again."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import EXIT_CONFIG
from tests.support.stack import CLEAN_ENVIRONMENT, ROOT

pytestmark = pytest.mark.integration


def start(module: str, **settings: object) -> subprocess.CompletedProcess[str]:
    environment = {**CLEAN_ENVIRONMENT, **{name.upper(): str(value) for name, value in settings.items()}}
    return subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("module", ["api.main", "worker.main"])
@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "REDIS_URL is not set"),
        ({"redis_url": "localhost:6379"}, "is not a Redis address"),
        ({"redis_url": "redis://localhost", "log_level": "loud"}, "LOG_LEVEL"),
    ],
)
def test_a_setting_that_cannot_work_is_one_sentence(module: str, settings: dict, complaint: str) -> None:
    ended = start(module, **settings)

    assert ended.returncode == EXIT_CONFIG
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_worker_whose_model_is_missing_or_broken_says_so(tmp_path: Path, echo_bundle: Path) -> None:
    missing = start("worker.main", redis_url="redis://localhost", model=tmp_path / "nothing")
    no_graph = start("worker.main", redis_url="redis://localhost", model=echo_bundle)
    unknown_label = start("worker.main", redis_url="redis://localhost", thresholds="nonsense=0.5")

    for ended, complaint in ((missing, "nothing"), (no_graph, "cannot load"), (unknown_label, "nonsense")):
        assert ended.returncode == EXIT_CONFIG
        assert complaint in ended.stderr
        assert "Traceback" not in ended.stderr
