"""Writes answers to the stream of the API process that asked.

While one thread writes, what others have is put together and written next, by the same thread: a pass of the model
answers texts of several messages at the same moment. While the connection is lost or the store takes nothing, a reply
is sent again until nobody waits for it.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from redis.exceptions import RedisError

from shared import keys
from shared.log import get_logger
from shared.messages import Answer, Reply, encode
from shared.store_errors import is_passing
from worker.command_writer import Command, CommandWriter
from worker.delivery import Delivery, acknowledgements

log = get_logger(__name__)

# A stream expires this long after its last reply, which gives its reader time to reconnect.
STREAM_TTL_S = 300
# About the number of texts that one API process has in flight; older entries have been read.
STREAM_MAX_ENTRIES = 4_096
RETRY_DELAY_S = 0.2


class ReplySender(Protocol):
    """Takes what a task has done."""

    def send(self, reply_to: str, answers: list[Answer], deadline: float, ended: Delivery | None = None) -> None:
        """Send `answers` to process `reply_to`, or give up at `deadline`, on the monotonic clock.

        They are the last ones to the message `ended`, which is acknowledged with them.
        """

    def send_together(self, groups: Sequence["Outgoing"]) -> None:
        """As `send`, of the answers to several messages."""


@dataclass(frozen=True)
class Outgoing:
    """Answers that are to be written, and the tag of the message that they end."""

    reply_to: str
    answers: list[Answer]
    deadline: float
    tag: str = ""


class ReplyWriter:
    """Thread-safe."""

    def __init__(self, commands: CommandWriter, worker_id: str) -> None:
        self._commands = commands
        self._worker_id = worker_id
        self._lock = threading.Lock()
        self._waiting: list[Outgoing] = []
        self._is_writing = False

    def send(self, reply_to: str, answers: list[Answer], deadline: float, ended: Delivery | None = None) -> None:
        """Have `answers` appended to the stream of process `reply_to`, at once or by the thread that writes now.

        That gives up, with a log line, at `deadline`, on the monotonic clock.
        """
        self.send_together([Outgoing(reply_to, answers, deadline, "" if ended is None else ended.hand_over())])

    def send_together(self, groups: Sequence[Outgoing]) -> None:
        """As `send`, of the answers to several messages: in one write."""
        with self._lock:
            self._waiting += groups
            if self._is_writing:
                return
            self._is_writing = True
        while batch := self._take():
            self._write(batch)

    def _take(self) -> list[Outgoing]:
        """All that waits; where that is nothing, this thread no longer writes."""
        with self._lock:
            batch, self._waiting = self._waiting, []
            self._is_writing = bool(batch)
        return batch

    def _write(self, batch: Sequence[Outgoing]) -> None:
        while batch:
            try:
                self._append(batch)
            except RedisError as error:
                if not is_passing(error):
                    log.exception("replies_refused", error_type=type(error).__name__)
                    return
                time.sleep(RETRY_DELAY_S)
                batch = list(_still_wanted(batch))
            except Exception as error:
                # The next replies must be written, by this thread or another.
                log.exception("replies_not_written", error_type=type(error).__name__)
                return
            else:
                return

    def _append(self, batch: Sequence[Outgoing]) -> None:
        by_process: dict[str, list[Answer]] = {}
        for outgoing in batch:
            by_process.setdefault(outgoing.reply_to, []).extend(outgoing.answers)
        commands: list[Command] = []
        for process, answers in by_process.items():
            stream, body = keys.replies(process), encode(Reply(worker_id=self._worker_id, answers=answers))
            commands.append(("XADD", stream, "MAXLEN", "~", STREAM_MAX_ENTRIES, "*", "reply", body))
            commands.append(("EXPIRE", stream, STREAM_TTL_S))
        commands += acknowledgements([outgoing.tag for outgoing in batch if outgoing.tag])
        self._commands.send(commands)


def _still_wanted(batch: Iterable[Outgoing]) -> Iterable[Outgoing]:
    now = time.monotonic()
    for outgoing in batch:
        if now < outgoing.deadline:
            yield outgoing
        else:
            log.warning("reply_undeliverable", answers=len(outgoing.answers))
