"""Fixtures of the container tests, which run where CONTAINER_ENGINE names an engine: `make containers-test`."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.containers.engine import Engine, Project
from tests.support.echo import write_echo_bundle
from tests.support.stack import free_port


@pytest.fixture(scope="session")
def engine() -> Engine:
    command = os.environ.get("CONTAINER_ENGINE")
    if not command:
        pytest.skip("CONTAINER_ENGINE is not set; `make containers-test` sets it")
    assert shutil.which(command), f"CONTAINER_ENGINE={command} is not there"
    return Engine(command if "/" not in command else str(Path(command).resolve()))


@pytest.fixture(scope="session")
def images(engine: Engine) -> Engine:
    """The engine, with all images of docker-compose.yml built from their Dockerfiles as they stand."""
    engine.build("kobert-redis", "deploy/redis/Dockerfile", "deploy/redis")
    engine.build("kobert-proxy", "deploy/proxy/Dockerfile", "deploy/proxy")
    engine.build("kobert-api", "Dockerfile.api")
    engine.build("kobert-worker", "Dockerfile.worker", target="worker")
    return engine


@pytest.fixture(scope="session")
def converting_images(images: Engine) -> Engine:
    """Besides, the image with torch that makes a checkpoint ready."""
    images.build("kobert-worker-convert", "Dockerfile.worker", target="worker-convert")
    return images


@contextmanager
def running(project: Project) -> Iterator[Project]:
    """The project, up; also rid of what a run that was cut off left behind."""
    project.down()
    try:
        project.up()
        yield project
    finally:
        project.down()


@pytest.fixture(scope="module")
def project(images: Engine) -> Iterator[Project]:
    """The product as it ships, with one worker."""
    with running(Project(images, "kobert-test", free_port())) as project:
        yield project


@pytest.fixture(scope="module")
def echo_project(images: Engine) -> Iterator[Project]:
    """The product with engines that sleep."""
    folder = Path(tempfile.mkdtemp(prefix="kt-"))
    folder.chmod(0o755)  # the container's user is not ours
    bundle = write_echo_bundle(folder / "echo")
    # Chunks of a second's work, so that a job can be hit in the middle of several.
    variables = {"ECHO_BUNDLE": str(bundle), "JOB_CHUNK_ROWS": "10", "JOB_POLL_S": "0.5"}
    project = Project(images, "kobert-echo", free_port(), "tests/containers/echo.yml", **variables)
    try:
        with running(project):
            yield project
    finally:
        shutil.rmtree(folder)
