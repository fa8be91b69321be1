"""Logging: one event per line, as JSON, or as aligned text on a terminal. Never contains a user's text."""

import json
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import structlog

from shared.settings import Settings

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

# Tracebacks show no local variables, because those hold users' texts.
_JSON_TRACEBACK = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)

_encode = msgspec.json.Encoder(enc_hook=repr).encode


def configure_logging(settings: Settings, process: str) -> None:
    """Send the product's events and those of the libraries to stderr in one format.

    `process` ("api", "worker", "run") is on every line, whichever thread writes it.
    """
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    steps: list[Processor] = [_complete(process)]
    _write_own_events(steps, settings, as_json=as_json)
    _write_libraries_events(steps, settings, as_json=as_json)


def _write_own_events(steps: "list[Processor]", settings: Settings, *, as_json: bool) -> None:
    """Straight to stderr: through the standard library an event would cost four times as much."""
    stream = sys.stderr.buffer
    lines = LineWriter(getattr(stream, "raw", stream))
    structlog.configure(
        processors=[*steps, *([_JSON_TRACEBACK, _render_json] if as_json else [_console(), _encode_text])],
        logger_factory=lambda *_names: lines,
        wrapper_class=_logger_class(logging.getLevelNamesMapping()[settings.log_level.upper()], steps, as_json=as_json),
        cache_logger_on_first_use=True,
    )


def _logger_class(level: int, steps: "list[Processor]", *, as_json: bool) -> type[Any]:
    """structlog's logger, with a short way for the line that every request writes."""
    kind: type[Any] = structlog.make_filtering_bound_logger(level)
    if level > logging.INFO or not as_json:
        return kind
    (complete,) = steps
    by_structlog = kind.info

    def info(self: Any, event: str, *args: object, **fields: Any) -> None:  # noqa: ANN401  as structlog has it
        if args or self._context or "exc_info" in fields or "stack_info" in fields:
            by_structlog(self, event, *args, **fields)
        else:
            fields["event"] = event
            self._logger.msg(_as_json(complete(self._logger, "info", fields)))  # type: ignore[arg-type]  # one step

    return type("JsonLogger", (kind,), {"info": info})


def _write_libraries_events(steps: "list[Processor]", settings: Settings, *, as_json: bool) -> None:
    """What libraries tell the standard library's loggers, in the same format."""
    handler = logging.StreamHandler(sys.stderr)
    renderer = [_JSON_TRACEBACK, structlog.processors.JSONRenderer(_as_json_text)] if as_json else [_console()]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*steps, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    _quieten_libraries(settings)


class LineWriter:
    """The end of the chain for structlog: one write to the system for each event, in any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def msg(self, line: bytes) -> None:
        """Write one event. A full disk, or a reader that is gone, must not stop the work that it tells of."""
        try:  # noqa: SIM105  `contextlib.suppress` would cost as much as a third of the write
            self._stream.write(line + b"\n")
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = exception = msg


def _console() -> "Processor":
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _render_json(_logger: "WrappedLogger", _method: str, event: "EventDict") -> bytes:
    return _as_json(event)


def _as_json_text(event: "EventDict", **_: object) -> str:
    return _as_json(event).decode()


def _as_json(event: "EventDict") -> bytes:
    try:
        return _encode(event)
    except UnicodeEncodeError:
        # Half of a surrogate pair, which UTF-8 cannot hold.
        return json.dumps(event, default=repr).encode()


def _encode_text(_logger: "WrappedLogger", _method: str, line: "EventDict") -> bytes:
    return str(line).encode("utf-8", "backslashreplace")


def _complete(process: str) -> "Processor":
    """Adds what is on every line: context variables, process, level and time.

    One step, because each of structlog's costs a request as much as writing its line. The process is kept in a closure,
    because a worker's threads would not see a context variable.
    """
    stamp = _Stamp()

    def complete(logger: "WrappedLogger", method: str, event: "EventDict") -> "EventDict":
        event = structlog.contextvars.merge_contextvars(logger, method, event)
        event["process"] = process
        event = structlog.stdlib.add_log_level(logger, method, event)
        event["timestamp"] = stamp.now()
        return event

    return complete


class _Stamp:
    """The time as ISO 8601 in UTC, with microseconds. Thread-safe."""

    def __init__(self) -> None:
        self._second = (0, "")

    def now(self) -> str:
        """The time now."""
        seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
        known, text = self._second
        if seconds != known:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
            self._second = (seconds, text)
        return f"{text}.{microseconds:06d}Z"


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
