"""One thread that judges what the model has read, and sends the answers of a whole pass together.

A pass reads texts of several messages. If the thread of each message woke up after it, each would do its small part
with nothing of Python in the processor's caches, and wait for the others' turns of the interpreter.

While more texts wait than the next passes read, the answers of a pass leave with those of the next one: each write
wakes this thread, the store, the API and the clients, which take turns on the model's processors.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from shared.messages import Answer, PredictMessage
from shared.options import VerdictOptions
from worker.delivery import Delivery
from worker.inference.asked import AskedTexts
from worker.inference.classifier import Classifier
from worker.replies import Outgoing, ReplySender

# How often a message past its deadline is looked at, until its last texts are answered elsewhere.
LATE_LOOK_S = 0.05
# Longest time that answers wait for those of the next pass. They do not where passes take longer.
HOLD_S = 0.05


@dataclass(eq=False)
class _OpenMessage:
    """A message, and what has been answered of it. `deadline` is on the monotonic clock."""

    message: PredictMessage
    deadline: float
    delivery: Delivery
    answers: list[Answer] = field(default_factory=list)
    is_answered: threading.Event = field(default_factory=threading.Event)
    failed_by: Exception | None = None

    def add(self, answers: list[Answer]) -> Outgoing:
        """Add answers; returns what to send: them, and with the last ones the message's tag."""
        self.answers += answers
        tag = self.delivery.hand_over() if self.is_complete else ""
        return Outgoing(self.message.reply_to, answers, self.deadline, tag)

    @property
    def is_complete(self) -> bool:
        """Whether each text has an answer."""
        return len(self.answers) == len(self.message.items)


@dataclass(frozen=True)
class _Read:
    """What has ended of a message's texts."""

    of: _OpenMessage
    asked: AskedTexts
    futures: Sequence[Future[Any]]

    @property
    def may_end_message(self) -> bool:
        """Whether nothing of the message may be left after these."""
        return len(self.of.answers) + len(self.futures) >= len(self.of.message.items)


class AnswerDesk:
    """Answers messages with the classifier. Its thread begins at once and ends with the process."""

    def __init__(self, classifier: Classifier, replies: ReplySender) -> None:
        self.replies = replies
        self._classifier = classifier
        self._read: queue.SimpleQueue[_Read] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="answers", daemon=True).start()

    def answer(self, message: PredictMessage, options: Sequence[VerdictOptions], delivery: Delivery) -> list[Answer]:
        """Answer every text of `message`, and return the answers when all are sent or being sent.

        What is unfinished at its deadline ends as such.
        """
        one = _OpenMessage(message, message.deadline_here, delivery)
        with self._classifier.batcher.interactive():
            asked = AskedTexts(lambda futures: self._read.put(_Read(one, asked, futures)))
            if at_once := self._classifier.ask(asked, message.items, options):
                self.replies.send_together([one.add(at_once)])
            if not one.is_complete:
                self._wait(one, asked)
        # It and what it calls hold each other, and all texts and verdicts: only a full collection would free them.
        asked.told = None
        if one.failed_by is not None:
            raise one.failed_by
        return one.answers

    def _wait(self, one: _OpenMessage, asked: AskedTexts) -> None:
        while not one.is_answered.wait(max(LATE_LOOK_S, one.deadline - time.monotonic())):
            if late := self._classifier.expire(asked):
                self.replies.send_together([one.add(late)])
            if one.is_complete:
                return

    def _run(self) -> None:
        while True:
            read = self._drain(self._read.get())
            if self._may_hold(read):
                with contextlib.suppress(queue.Empty):
                    read += self._drain(self._read.get(timeout=HOLD_S))
            self._answer(read)

    def _drain(self, first: _Read) -> list[_Read]:
        """All that passes have read by now."""
        read = [first]
        # This thread alone takes, so what is there stays there.
        while not self._read.empty():
            read.append(self._read.get())
        return read

    def _may_hold(self, read: Sequence[_Read]) -> bool:
        """Whether these answers may wait for the next pass: texts enough are left, and no message ends with them.

        The last answers of a message make room for another one, and a caller with few texts waits for nobody.
        """
        batcher = self._classifier.batcher
        is_next_soon = batcher.stats.last_pass_s < HOLD_S and batcher.has_passes_waiting
        return is_next_soon and not any(one.may_end_message for one in read)

    def _answer(self, read: Sequence[_Read]) -> None:
        outgoing = [group for one in read if (group := self._judge(one))]
        if outgoing:
            try:
                self.replies.send_together(outgoing)
            except Exception as error:  # noqa: BLE001  the thread must outlive it; the message's own logs it
                for one in read:
                    one.of.failed_by = error
        for one in read:
            if one.of.is_complete or one.of.failed_by is not None:
                one.of.is_answered.set()

    def _judge(self, read: _Read) -> Outgoing | None:
        try:
            answers = self._classifier.take(read.asked, read.futures)
        except Exception as error:  # noqa: BLE001  as above
            read.of.failed_by = error
            return None
        return read.of.add(answers) if answers else None
