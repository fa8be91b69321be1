import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.log import LineWriter, configure_logging, get_logger
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


def test_a_value_that_json_lacks_is_written_as_python_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"), "api")

    get_logger("test").info("odd", kind=ValueError, half="\ud800")

    event = json.loads(capsys.readouterr().err)
    assert (event["kind"], event["half"]) == (repr(ValueError), "\ud800")


def test_the_libraries_events_have_the_same_format(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"), "api")

    logging.getLogger("some.library").warning("it said %s", "so", extra={"port": 1})

    event = json.loads(capsys.readouterr().err)
    assert (event["event"], event["level"], event["process"], event["port"]) == ("it said so", "warning", "api", 1)


def test_a_disk_that_is_full_stops_nothing() -> None:
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123  unbuffered, as stderr's own file
        LineWriter(full).msg(b"lost")
