"""From `make run MODEL=owner/name` to the first answer, for a repository that must be downloaded and converted.

    python -m bench.own_model [--write] [--smoke]

A Hub on this machine holds a repository with KcELECTRA-base's shape (12 layers of 768, 54,343 word pieces, random
weights, float32). The service is started in a new data folder and an empty download cache, in an environment that has
what it needs, and a second time with what the first start left. Prints seconds until the first answer, and the largest
memory of each process. `--write` puts them into docs/own-model.md and its Korean page; `--smoke` takes a tiny model.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.pages import replace_section
from tests.full_size.matrix_page import machine
from tests.full_size.models import FULL, MODELS, TINY, Scale
from tests.full_size.sources import Written, folder_of_transformers
from tests.full_size.vocabularies import Vocabularies, read_comments
from tests.support.hub_server import HubServer, running_hub
from tests.support.peak_memory import PeakMemory
from tests.support.stack import CLEAN_ENVIRONMENT, ROOT, free_port

REPO = "owner/kcelectra-comments"
TIMEOUT_S = 900
PAUSE_S = 0.05
TEXT = "배송이 빠르고 포장도 꼼꼼해서 마음에 듭니다"
_PROCESSES = {"download": "bundles.hub.fetch", "conversion": "-m convert", "API": "api.main", "worker": "worker.main"}


@dataclass(frozen=True)
class Start:
    """One start of the service."""

    first_answer_s: float
    # MiB by the names of `_PROCESSES`; 0 for one that did not run.
    peaks_mib: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kt-") as folder, running_hub() as hub:
        size_mb = publish(hub, Path(folder), TINY if options.smoke else FULL)
        environment = warm_environment(Path(folder), hub.url)
        starts = [start_once(Path(folder), environment, REPO) for _ in range(2)]
    sys.stdout.write(f"{REPO}: {size_mb:,.0f} MB\n")
    for name, start in zip(("first start", "second start"), starts, strict=True):
        peaks = ", ".join(f"{process} {peak:,.0f} MiB" for process, peak in start.peaks_mib.items() if peak)
        sys.stdout.write(f"{name}: first answer after {start.first_answer_s:.1f} s; at most {peaks}\n")
    if options.write:
        for language, page in (("en", "own-model.md"), ("ko", "own-model.ko.md")):
            replace_section(page, section(starts, size_mb, language))


def publish(hub: HubServer, folder: Path, scale: Scale) -> float:
    """Put the repository on the Hub; returns its size in MB."""
    kind = MODELS["KcELECTRA"]
    comments = read_comments(None, scale.tokens)
    vocabulary = Vocabularies(folder / "vocabularies", comments, None).make(
        kind.vocabulary, min(kind.size, scale.vocabulary)
    )
    source = folder / "source"
    folder_of_transformers()(Written(kind.make(scale, vocabulary), vocabulary, source, folder))
    files = {path.name: path.read_bytes() for path in source.iterdir()}
    hub.add(REPO, files)
    return sum(map(len, files.values())) / 1e6


def warm_environment(folder: Path, hub_url: str) -> dict[str, str]:
    """Variables for `make`, and an environment in which it has been before, with what converts."""
    venv = folder / "venv"
    venv.mkdir()
    (venv / "bin").symlink_to(Path(sys.executable).parent)
    for stamp in (".run", ".convert"):
        (venv / stamp).touch()
    return {
        **CLEAN_ENVIRONMENT,
        "VENV": str(venv),
        "DATA_DIR": str(folder / "data"),
        "HF_ENDPOINT": hub_url,
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_DISABLE_XET": "1",
    }


def start_once(folder: Path, environment: dict[str, str], model: str) -> Start:
    """Start the service with `model` by one command, and stop it after its first answer."""
    port = free_port()
    with (folder / "log").open("ab") as log:
        started = time.perf_counter()
        command = ["make", "--environment-overrides", "run", f"MODEL={model}"]
        process = subprocess.Popen(  # noqa: S603  this project's own command
            command, cwd=ROOT, env={**environment, "PORT": str(port)}, stdout=log, stderr=log
        )
    try:
        with PeakMemory(os.getpid()) as memory:
            answered = _first_answer(f"http://127.0.0.1:{port}", process, folder / "log")
    finally:
        process.terminate()
        process.wait()
    return Start(answered - started, {name: memory.peak_mib(part) for name, part in _PROCESSES.items()})


def _first_answer(url: str, process: subprocess.Popen[bytes], log: Path) -> float:
    deadline = time.perf_counter() + TIMEOUT_S
    with httpx.Client(base_url=url, timeout=30) as client:
        while time.perf_counter() < deadline and process.poll() is None:
            try:
                if client.post("/predict", json={"text": TEXT}).status_code == 200:
                    return time.perf_counter()
            except httpx.TransportError:
                pass
            time.sleep(PAUSE_S)
    raise TimeoutError(f"no answer within {TIMEOUT_S} s:\n{log.read_text(errors='replace')[-2000:]}")


_HEADING = {"en": "### From one command to the first answer", "ko": "### 명령 하나에서 첫 응답까지"}


def section(starts: list[Start], size_mb: float, language: str) -> str:
    """The section of a page, in English (`en`) or Korean (`ko`)."""
    if language == "ko":
        said = (
            f"`make run MODEL=owner/name`으로, 같은 머신의 Hub에 있는\n"
            f"KcELECTRA-base 크기의 리포지토리({size_mb:,.0f} MB)를 받아서 쟀습니다\n"
            f"(`python -m bench.own_model --write`, {machine(language)}, 다른 작업과 함께 실행)."
        )
        head = "| | 첫 응답까지 | 최대 메모리: 다운로드 | 변환 | API | 워커 |"
        names = ("첫 시작", "두 번째 시작")
        unit = "초"
    else:
        said = (
            f"`make run MODEL=owner/name` with a repository of KcELECTRA-base's size ({size_mb:,.0f} MB) on a Hub\n"
            f"on the same machine (`python -m bench.own_model --write`, {machine()}, with other work beside it):"
        )
        head = "| | first answer after | peak memory: download | conversion | API | worker |"
        names = ("first start", "second start")
        unit = "s"
    lines = [_line(name, start, unit) for name, start in zip(names, starts, strict=True)]
    table = "\n".join([head, "|---|---|---|---|---|---|", *lines])
    return f"{_HEADING[language]}\n\n{said}\n\n{table}\n"


def _line(name: str, start: Start, unit: str) -> str:
    peaks = " | ".join(f"{peak:,.0f} MiB" if peak else "" for peak in start.peaks_mib.values())
    return f"| {name} | {start.first_answer_s:.0f} {unit} | {peaks} |"


if __name__ == "__main__":
    main()
