"""Logging: one event per line, as JSON, or as aligned text on a terminal. Never contains a user's text."""

import logging
import sys
from typing import TYPE_CHECKING

import structlog

from shared.settings import Settings

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

# Tracebacks show no local variables, because those hold users' texts.
_JSON_TRACEBACK = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure_logging(settings: Settings, process: str) -> None:
    """Send the product's events and those of the libraries to stderr in one format.

    `process` ("api", "worker", "run") is on every line, whichever thread writes it.
    """
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    shared_steps: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_process(process),
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared_steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        cache_logger_on_first_use=True,
    )
    renderer: list[Processor] = (
        [_JSON_TRACEBACK, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared_steps,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    _quieten_libraries(settings)


def _add_process(process: str) -> "Processor":
    """A closure, because a worker's threads would not see a context variable."""

    def add(_logger: object, _method: str, event: "EventDict") -> "EventDict":
        event["process"] = process
        return event

    return add


def _quieten_libraries(settings: Settings) -> None:
    # Celery at INFO logs each task with its arguments, which are users' texts. So WARNING is the lowest level for it.
    for name in ("celery", "kombu", "amqp", "uvicorn", "uvicorn.error", "httpx"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level.upper())))


def milliseconds(seconds: float) -> float:
    """A duration as logs and headers show it, in milliseconds with two decimals."""
    return round(seconds * 1000, 2)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose keyword arguments become the fields of the event."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
