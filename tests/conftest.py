"""Fixtures that more than one folder of tests uses."""

import functools
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG, create_ssl_context
from httpx._transports import default as transports
from hypothesis import settings

from tests.support.echo import write_echo_bundle

# Real servers answer when they answer, so no example has a deadline.
settings.register_profile("fast", max_examples=100, deadline=None)
settings.register_profile("nightly", max_examples=20_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

# A request of a test that says nothing else. It would be 5 s, in which a busy machine may answer nothing.
REQUEST_TIMEOUT_S = 60.0
DEFAULT_TIMEOUT_CONFIG.connect = DEFAULT_TIMEOUT_CONFIG.read = REQUEST_TIMEOUT_S
DEFAULT_TIMEOUT_CONFIG.write = DEFAULT_TIMEOUT_CONFIG.pool = REQUEST_TIMEOUT_S
# Read once in a process. Each `httpx.get` would read the certificates of all authorities: 30 ms, whenever a test looks
# whether a service is ready.
transports.create_ssl_context = functools.cache(create_ssl_context)  # type: ignore[attr-defined]


# A shell that starts tests in the background has them ignore Ctrl-C, and what they start would ignore it too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    """Look for no garbage while tests are collected: imports make objects that stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later search for garbage: it would take up to a second each time."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A temporary folder with a short path: a Unix socket's may have 107 bytes at most."""
    folder = Path(tempfile.mkdtemp(prefix="kt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def echo_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for `tests.support.echo.EchoEngine`."""
    return write_echo_bundle(tmp_path_factory.mktemp("bundles") / "echo")
