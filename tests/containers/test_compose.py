"""docker-compose.yml as a user runs it: real images, real containers, through the published port."""

import json
import time

import httpx
import pytest

from tests.containers.engine import Engine, Project, report
from tests.support.stack import wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

MB = 1_000_000
BASE_IMAGE = "docker.io/library/python:3.11-slim-bookworm"
SERVICES = ("redis", "api", "proxy", "worker")
TEXT = "이 영화 정말 재미있었어요!"
STOP_S = 10


def ready_workers(project: Project) -> int:
    try:
        answer = httpx.get(f"{project.url}/ready", timeout=5)
    except httpx.TransportError:
        return 0
    return int(answer.json()["workers"]) if answer.status_code == 200 else 0


def wait_ready(project: Project, workers: int = 1) -> None:
    wait_until(lambda: ready_workers(project) == workers, f"readiness with {workers} workers")


def predict(project: Project, text: str = TEXT) -> httpx.Response:
    return httpx.post(f"{project.url}/predict", json={"text": text}, timeout=60)


@pytest.mark.parametrize(("image", "limit_mb"), [("kobert-api", 120), ("kobert-worker", 250)])
def test_an_image_is_small_beyond_its_base(images: Engine, image: str, limit_mb: int) -> None:
    beyond_mb = (images.image_bytes(image) - images.image_bytes(BASE_IMAGE)) / MB
    report(f"{image}: {beyond_mb:.0f} MB beyond {BASE_IMAGE}")
    assert beyond_mb <= limit_mb


@pytest.mark.parametrize("module", ["torch", "transformers"])
def test_the_worker_image_has_no_torch(images: Engine, module: str) -> None:
    assert not images.succeeds("run", "--rm", "kobert-worker", "python", "-c", f"import {module}")


def test_the_api_image_has_no_machine_learning(images: Engine) -> None:
    for module in ("numpy", "onnxruntime", "tokenizers", "worker", "training"):
        assert not images.succeeds("run", "--rm", "kobert-api", "python", "-c", f"import {module}")


def test_a_text_is_classified_through_the_published_port(project: Project) -> None:
    wait_ready(project)
    answer = predict(project)

    assert (answer.status_code, answer.json()["classification"]) == (200, "clean")


@pytest.mark.parametrize("service", SERVICES)
def test_the_main_process_is_not_root_and_its_root_is_read_only(project: Project, service: str) -> None:
    (container,) = project.containers(service)

    status = project.engine.run("exec", container, "cat", "/proc/1/status")
    uid_line = next(line for line in status.splitlines() if line.startswith("Uid:"))
    capabilities = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    assert set(uid_line.split()[1:]) == {"1000"}
    assert int(capabilities.split()[1], 16) == 0
    assert not project.engine.succeeds("exec", container, "touch", "/home/kobert/written")
    assert not project.engine.succeeds("exec", "--user", "0", container, "touch", "/written")


def test_the_worker_can_write_to_its_cache(project: Project) -> None:
    (container,) = project.containers("worker")
    command = "mkdir -p $HF_HOME && touch $HF_HOME/written $DATA_DIR/written && rm $HF_HOME/written $DATA_DIR/written"
    assert project.engine.succeeds("exec", container, "sh", "-c", command)


def is_healthy(project: Project, container: str) -> bool:
    """Runs the container's own health check, now."""
    kind, *command = project.engine.inspect(container)["Config"]["Healthcheck"]["Test"]
    assert kind == "CMD"
    return project.engine.succeeds("exec", container, *command)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_healthy_by_its_own_check(project: Project, service: str) -> None:
    wait_ready(project)
    assert is_healthy(project, project.containers(service)[0])


def test_a_worker_that_hangs_is_unhealthy_while_its_process_lives(project: Project) -> None:
    (worker,) = project.containers("worker")
    # Every thread but the health check's own process, which is not the container's first.
    project.engine.run("kill", "--signal", "STOP", worker)
    try:
        wait_until(lambda: not is_healthy(project, worker), "the worker's being unhealthy", timeout_s=30)
    finally:
        project.engine.run("kill", "--signal", "CONT", worker)
    wait_until(lambda: is_healthy(project, worker), "the worker's being healthy again", timeout_s=30)


def test_redis_has_no_published_port_and_wants_its_password(project: Project) -> None:
    (redis,) = project.containers("redis")

    assert not any((project.engine.inspect(redis)["NetworkSettings"]["Ports"] or {}).values())
    assert "NOAUTH" in project.engine.run("exec", redis, "redis-cli", "ping")
    assert "secret0of0the0test" not in project.engine.run("exec", redis, "sh", "-c", "cat /proc/[0-9]*/cmdline")


def test_every_service_survives_a_restart_of_redis(project: Project) -> None:
    before = {service: project.engine.inspect(project.containers(service)[0])["State"]["Pid"] for service in SERVICES}

    project.engine.run("restart", project.containers("redis")[0])
    wait_ready(project)

    assert predict(project).status_code == 200
    for service in ("api", "proxy", "worker"):
        assert project.engine.inspect(project.containers(service)[0])["State"]["Pid"] == before[service]


def test_two_front_ends_share_the_requests_behind_one_port(project: Project) -> None:
    project.up("--scale", "api=2")
    wait_until(lambda: len(project.containers("api")) == 2, "the second front end")

    def both_have_answered() -> bool:
        answer = predict(project)
        assert answer.status_code == 200, answer.text
        return all('"route": "/predict"' in project.logs(api) for api in project.containers("api"))

    wait_until(both_have_answered, "an answer from each front end")


def test_logs_are_json_lines_with_the_request_id_in_both_processes_and_no_text(project: Project) -> None:
    secret = "기록에 남으면 안 되는 문장"
    headers = {"X-Request-ID": "order-66"}
    answer = httpx.post(f"{project.url}/predict", json={"text": secret}, headers=headers)
    assert answer.status_code == 200, answer.text

    def lines(service: str) -> list[dict]:
        text = "".join(project.logs(container) for container in project.containers(service))
        assert secret not in text
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    assert any(line.get("request_id") == "order-66" for line in lines("api"))
    wait_until(
        lambda: any("order-66" in line.get("request_ids", ()) for line in lines("worker")), "the worker's line", 10
    )


def test_every_service_stops_in_time_with_exit_code_0(project: Project) -> None:
    took: dict[str, float] = {}
    for service in ("proxy", "api", "worker", "redis"):
        for container in project.containers(service):
            started = time.monotonic()
            project.engine.run("stop", container)
            took[f"{service} {container[:6]}"] = round(time.monotonic() - started, 1)
            assert project.engine.inspect(container)["State"]["ExitCode"] == 0, service
            # The engine kills after the stop period, and what was killed has another exit code.
            assert took[f"{service} {container[:6]}"] < STOP_S
    report(str(took))
