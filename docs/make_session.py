"""Records the terminal session of the READMEs: runs the commands against a real service and writes what they print.

    .venv/bin/python docs/make_session.py          # writes into README.md and README.ko.md
    .venv/bin/python docs/make_session.py --print  # prints it instead

Run it again when the model, the command line or a reply changes. It needs what `make run` sets up, and ten seconds.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READMES = (ROOT / "README.md", ROOT / "README.ko.md")
MARKERS = ("<!-- session: written by docs/make_session.py -->", "<!-- /session -->")
START_COMMAND = ".venv/bin/kobert run"
README_PORT = 8000
READY = "Ready: "
START_TIMEOUT_S = 120
COMMAND_TIMEOUT_S = 60
COMMENTS = "id,comment\n1,오늘 방송 재밌었어요\n2,닥쳐 이 멍청아\n3,시발점에서 다시 출발합시다\n"
COMMANDS = (
    "curl -s http://localhost:8000/predict -H 'Content-Type: application/json' -d '{\"text\": \"닥쳐 이 멍청아\"}'",
    "cat comments.csv",
    ".venv/bin/kobert jobs submit comments.csv -o verdicts.csv",
    "cut -d, -f1-4 verdicts.csv",
)


def main() -> None:
    """Record the session and put it where the READMEs have their markers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--print", action="store_true", dest="is_printed", help="print it instead of writing")
    options = parser.parse_args()
    session = record()
    if options.is_printed:
        sys.stdout.write(session + "\n")
        return
    for path in READMES:
        path.write_text(put_between_markers(path.read_text(encoding="utf-8"), session), encoding="utf-8")


def record() -> str:
    """Start a service of its own, run `COMMANDS`, and return both as one console block."""
    with tempfile.TemporaryDirectory(prefix="ks-") as name:
        folder = Path(name)
        (folder / "comments.csv").write_text(COMMENTS, encoding="utf-8")
        (folder / ".venv").symlink_to(sys.prefix)
        port = _free_port()
        environment = _environment(folder, port)
        log = folder / "service.log"
        with log.open("wb") as output:
            service = subprocess.Popen(
                START_COMMAND.split(), cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            started = _wait_until_ready(service, log)
            replies = [(command, _run(command, folder, environment, port)) for command in COMMANDS]
        finally:
            service.send_signal(signal.SIGINT)
            service.wait(COMMAND_TIMEOUT_S)
    return render([(START_COMMAND, started), *replies], port, folder)


def render(exchanges: list[tuple[str, str]], port: int, folder: Path) -> str:
    """The block; ports and folders of this run become those that a reader has."""
    lines = [line for command, output in exchanges for line in (f"$ {command}", *output.strip().splitlines(), "")]
    text = "\n".join(lines).strip().replace(f":{port}", f":{README_PORT}")
    return f"```console\n{text.replace(f'{folder}/', '')}\n```"


def put_between_markers(readme: str, session: str) -> str:
    """The README with `session` in place of what stood between the markers.

    Raises:
        ValueError: a marker is missing.
    """
    first, last = MARKERS
    if first not in readme or last not in readme:
        raise ValueError(f"the README lacks the lines {first} and {last}")
    pattern = re.compile(f"{re.escape(first)}.*?{re.escape(last)}", re.DOTALL)
    return pattern.sub(lambda _: f"{first}\n{session}\n{last}", readme, count=1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(folder: Path, port: int) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "PATH": os.environ.get("PATH", os.defpath),
        "PORT": str(port),
        "DATA_DIR": str(folder / ".kobert"),
        "KOBERT_URL": f"http://127.0.0.1:{port}",
        "LOG_LEVEL": "error",  # log lines are for operators; docs/operations.md explains them
    }


def _wait_until_ready(service: "subprocess.Popen[bytes]", log: Path) -> str:
    """What the service printed up to the line that says where it answers."""
    for _ in range(START_TIMEOUT_S * 10):
        shown = log.read_text(encoding="utf-8")
        if READY in shown:
            before, _, after = shown.partition(READY)
            return before + READY + after.partition("\n")[0].removesuffix(" Try:")
        if service.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"the service did not start:\n{log.read_text(encoding='utf-8')}")


def _run(command: str, folder: Path, environment: dict[str, str], port: int) -> str:
    here = command.replace(f"localhost:{README_PORT}", f"127.0.0.1:{port}")
    done = subprocess.run(
        ["bash", "-c", here],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=COMMAND_TIMEOUT_S,
        check=True,
    )
    return done.stdout.decode("utf-8-sig")


if __name__ == "__main__":
    main()
