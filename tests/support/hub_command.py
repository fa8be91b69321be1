"""The command `kobert model`, with a Hub of its own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.hub_server import HubServer

ROOT = Path(__file__).resolve().parents[2]
REPO = "hiddenFront/TextClassifier"
NOWHERE = "http://127.0.0.1:1"


class Kobert:
    """The command `kobert model`, with a cache and a Hub of its own."""

    def __init__(self, folder: Path, hub: HubServer) -> None:
        names = {"HF_TOKEN", "HF_HOME", "HF_HUB_OFFLINE", "MODEL", "CACHE_DIR"}
        self.environment = {name: value for name, value in os.environ.items() if name not in names}
        self.environment |= {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(folder / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "CACHE_DIR": str(folder / "cache"),
            "HUB_TIMEOUT_S": "5",
        }

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.main", "model", *arguments]
        merged = {**self.environment, **environment}
        return subprocess.run(command, cwd=ROOT, env=merged, capture_output=True, text=True, check=False)

    def refusal(self, *arguments: str, **environment: str) -> str:
        """The one sentence that a refused command ends with."""
        ended = self(*arguments, **environment)
        assert ended.returncode == 1, ended
        assert "Traceback" not in ended.stderr
        last = ended.stderr.strip().splitlines()[-1]
        assert last.startswith("kobert: ")
        return last.removeprefix("kobert: ")
