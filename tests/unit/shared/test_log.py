import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.log import configure_logging, get_logger
from shared.settings import Settings


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_local_variable(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format=log_format), "test")
    secret_text = "로그에 남으면 안 되는 문장"

    try:
        assert secret_text
        raise ValueError("boom")
    except ValueError:
        get_logger("test").exception("it_broke")

    written = capsys.readouterr().err
    assert "boom" in written
    assert secret_text not in written


def test_an_event_is_one_line_of_json_with_its_process(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"), "worker")

    get_logger("test").info("worker_ready", labels=["욕설"])

    (line,) = capsys.readouterr().err.splitlines()
    assert "욕설" in line
    event = json.loads(line)
    assert (event["event"], event["process"], event["level"], event["labels"]) == (
        "worker_ready",
        "worker",
        "info",
        ["욕설"],
    )


def test_the_queue_library_stays_silent_about_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json", log_level="debug"), "worker")

    logging.getLogger("celery.worker.strategy").info("Task received")

    assert capsys.readouterr().err == ""
