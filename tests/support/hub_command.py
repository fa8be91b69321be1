"""The command `kobert model`, with a Hub of its own."""

import subprocess
from pathlib import Path

from tests.support.command import run_command
from tests.support.hub_server import HubServer

REPO = "hiddenFront/TextClassifier"
NOWHERE = "http://127.0.0.1:1"


class Kobert:
    """The command `kobert model`, with a cache and a Hub of its own.

    It runs in this process. What asks the Hub and what converts are processes of their own, as they always are.
    """

    def __init__(self, folder: Path, hub: HubServer) -> None:
        self.environment: dict[str, str | None] = dict.fromkeys(("HF_TOKEN", "HF_HUB_OFFLINE", "MODEL"))
        self.environment |= {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(folder / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "CACHE_DIR": str(folder / "cache"),
            "HUB_TIMEOUT_S": "5",
        }

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        ended = run_command("model", *arguments, piped=b"", **{**self.environment, **environment})
        return subprocess.CompletedProcess(ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def refusal(self, *arguments: str, **environment: str) -> str:
        """The one sentence that a refused command ends with."""
        ended = self(*arguments, **environment)
        assert ended.returncode == 1, ended
        last = ended.stderr.strip().splitlines()[-1]
        assert last.startswith("kobert: ")
        return last.removeprefix("kobert: ")
