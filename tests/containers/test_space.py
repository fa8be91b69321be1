"""The image of a Hugging Face Space: everything in one container, as a Space runs it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.containers.engine import Engine, report
from tests.support.jobs import finish, result_lines, submit_texts
from tests.support.stack import free_port, wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

NAME = "kobert-space-test"
LIMIT_MIB = 512
TEXTS = 2_000
JOB_ROWS = 10_000
JOB_END_S = 300
PEAKS = "for file in /proc/[0-9]*/status; do grep -E '^(Name|VmHWM):' $file; done"


@dataclass(frozen=True)
class Space:
    """A running container of the image, and the address of its port."""

    engine: Engine
    url: str


@pytest.fixture(scope="module")
def space(engine: Engine) -> Iterator[Space]:
    engine.build("kobert-space", "deploy/spaces/Dockerfile")
    port = free_port()
    engine.run("rm", "-f", NAME, check=False)
    # Read-only but for the data directory; Podman, unlike Docker, would make /tmp and others writable all the same.
    also = [] if engine.is_docker else ["--read-only-tmpfs=false"]
    command = ["run", "-d", "--name", NAME, "--read-only", "--cap-drop", "ALL", "-v", f"{NAME}:/data"]
    engine.run(*command, *also, "-p", f"127.0.0.1:{port}:7860", "kobert-space")
    try:
        yield Space(engine, f"http://127.0.0.1:{port}")
    finally:
        engine.run("rm", "-f", NAME, check=False)
        engine.run("volume", "rm", "-f", NAME, check=False)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def texts(count: int) -> list[str]:
    return [
        f"{number}번째 댓글인데 오늘 방송 정말 재미있게 잘 봤습니다, 다음에도 꼭 볼게요!" for number in range(count)
    ]


def test_a_space_answers_texts_and_a_job_within_512_mib_of_peak_memory_in_all_its_processes(space: Space) -> None:
    engine, url = space.engine, space.url
    wait_until(lambda: is_ready(url), "the readiness of the Space", timeout_s=120)
    for start in range(0, TEXTS, 500):
        answer = httpx.post(f"{url}/predict", json={"texts": texts(TEXTS)[start : start + 500]}, timeout=120)
        assert answer.status_code == 200
        assert all("classification" in result for result in answer.json()["results"])
    job = finish(space, submit_texts(space, texts(JOB_ROWS)), JOB_END_S)
    assert job["request_counts"] == {"total": JOB_ROWS, "completed": JOB_ROWS, "failed": 0}
    assert [line["text"] for line in result_lines(space, job)] == texts(JOB_ROWS)

    peaks_kib = [int(peak) for peak in re.findall(r"VmHWM:\s+(\d+) kB", engine.run("exec", NAME, "sh", "-c", PEAKS))]
    names = re.findall(r"Name:\s+(\S+)", engine.run("exec", NAME, "sh", "-c", PEAKS))
    report(f"{names}: {[kib // 1024 for kib in peaks_kib]} MiB at their peaks, {sum(peaks_kib) / 1024:.0f} in all")
    assert len(peaks_kib) >= 4
    assert sum(peaks_kib) / 1024 <= LIMIT_MIB


def test_a_space_runs_as_user_1000_and_writes_to_its_data_alone(space: Space) -> None:
    engine = space.engine
    statuses = engine.run("exec", NAME, "sh", "-c", "cat /proc/[0-9]*/status")

    assert {uid for line in re.findall(r"^Uid:\s+(.+)$", statuses, re.MULTILINE) for uid in line.split()} == {"1000"}
    assert not engine.succeeds("exec", "--user", "0", NAME, "touch", "/written")
    assert engine.succeeds("exec", NAME, "touch", "/data/written")
    assert engine.run("exec", NAME, "ls", "/data/store")


def test_a_space_is_healthy_by_its_own_check_and_stops_with_exit_code_0(space: Space) -> None:
    engine, url = space.engine, space.url
    wait_until(lambda: is_ready(url), "the readiness of the Space", timeout_s=120)
    kind, *command = engine.inspect(NAME)["Config"]["Healthcheck"]["Test"]

    assert kind == "CMD"
    assert engine.succeeds("exec", NAME, *command)
    engine.run("stop", NAME)
    assert engine.inspect(NAME)["State"]["ExitCode"] == 0
