"""A message of texts between Celery's consumer and the thread that answers it, by Celery's hook `Strategy`.

Celery's own way, with a request, a tracer and acknowledgements by the consumer's thread, costs as much as the model
does for a lone text. This one keeps what matters of it: the pool, and late acknowledgement. Until its last text is
answered, a message is among the unacknowledged ones, in kombu's own form, so that kombu delivers it again when this
worker dies. It gets there a moment after it was taken (`worker.in_hand`); one whose worker dies before that is sent
again by the API, as is any that is lost on its way (docs/decisions/0002-celery-on-redis.md).
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from kombu.transport import virtual
from redis import Redis
from redis.exceptions import RedisError

from shared import keys
from shared.log import get_logger
from shared.tasks import QUEUED_AT_HEADER
from worker.command_writer import Command, CommandWriter
from worker.in_hand import InHand

log = get_logger(__name__)

# JSON of what came as JSON: kombu's own encoder would take nine times as long.
_encode = msgspec.json.Encoder().encode
# As `api.queue.celery_message` writes it.
_decode = msgspec.json.Decoder(tuple[tuple[str], dict[str, Any], dict[str, Any]]).decode


class Delivery:
    """One message that was taken from the queue. Of one thread, but for `give_back`, `note` and `hand_over`."""

    def __init__(self, message: Any, commands: CommandWriter, wake: Callable[[], None]) -> None:  # noqa: ANN401  kombu's
        self._message = message
        self._commands = commands
        self._wake = wake
        self._lock = threading.Lock()
        self._is_noted = self._is_over = False
        # An earlier worker did not finish it.
        self.is_again = bool(message.delivery_info.get("redelivered"))
        queued_at = message.headers.get(QUEUED_AT_HEADER)
        self.queued_s: float | None = None if queued_at is None else max(0.0, time.time() - queued_at)

    def read(self) -> str:
        """The task's one argument.

        Raises:
            msgspec.DecodeError: there is none, or more.
        """
        arguments, _, _ = _decode(self._message.body)
        return arguments[0]

    def note(self) -> None:
        """Put it among the unacknowledged messages, as `kombu.transport.redis.QoS.append` does, unless it is over."""
        with self._lock:
            if self._is_over or self._is_noted:
                return
            info, tag = self._message.delivery_info, self._message.delivery_tag
            entry = _encode([self._message._raw, info["exchange"], info["routing_key"]])  # noqa: SLF001  what kombu keeps
            self._is_noted = True
            noted: list[Command] = [("ZADD", keys.UNACKED_INDEX, time.time(), tag), ("HSET", keys.UNACKED, tag, entry)]
            self._send(noted, "delivery_not_noted")

    def hand_over(self) -> str:
        """The tag that the caller will acknowledge; empty where there is nothing to be acknowledged."""
        with self._lock:
            tag: str = self._message.delivery_tag if self._is_noted and not self._is_over else ""
            self._is_over = True
        return tag

    def end(self) -> None:
        """Make room for another message; acknowledge this one if that has not been done."""
        if tag := self.hand_over():
            self._send(acknowledgements([tag]), "delivery_not_acknowledged")
        qos = self._message.channel.qos
        virtual.QoS.ack(qos, self._message.delivery_tag)
        # Only a consumer without room has stopped asking. That several messages end at once must not hide it.
        if 2 * qos.can_consume_max_estimate() <= qos.prefetch_count:
            self._wake()

    def give_back(self) -> None:
        """Put it back where the next one is taken: no thread will answer it here."""
        queue, raw = keys.queue(keys.INTERACTIVE_QUEUE), _encode(self._message._raw)  # noqa: SLF001
        # Among the unacknowledged ones, kombu would deliver it a second time. They first: another worker may note it.
        tag = self.hand_over()
        self._send([*acknowledgements([tag] if tag else []), ("RPUSH", queue, raw)], "delivery_lost")

    def _send(self, commands: Sequence[Command], event: str) -> None:
        """Send them. While Redis is away the API learns that as well, and sends what is unanswered again."""
        try:
            self._commands.send(commands)
        except RedisError as error:
            log.warning(event, error_type=type(error).__name__)


def acknowledgements(tags: Sequence[str]) -> list[Command]:
    """The commands that remove these messages from the unacknowledged ones, as kombu does."""
    return [("ZREM", keys.UNACKED_INDEX, *tags), ("HDEL", keys.UNACKED, *tags)] if tags else []


class PoolStrategy:
    """Hands messages to the threads of Celery's pool. `redis` is where the queue is."""

    def __init__(self, redis: Redis) -> None:
        self._commands = CommandWriter(redis)

    def __call__(self, task: Any, _app: object, consumer: Any) -> Callable[..., None]:  # noqa: ANN401  Celery's
        """What Celery calls for each message to `task`, whose function gets a `Delivery`."""
        executor = consumer.pool.executor

        in_hand = InHand(consumer.hub.call_later)

        def wake() -> None:
            consumer.hub.call_soon(_do_nothing)

        def take(message: Any, _body: object, _ack: object, _reject: object, _callbacks: object) -> None:  # noqa: ANN401
            delivery = Delivery(message, self._commands, wake)
            try:
                future = executor.submit(_run, task.run, delivery, in_hand)
            except RuntimeError:
                # The pool has ended.
                delivery.give_back()
            else:
                # It may have ended: then it will not be noted.
                in_hand.add(delivery)
                future.add_done_callback(lambda ended: delivery.give_back() if ended.cancelled() else None)

        return take


def _run(answer: Callable[[Delivery], None], delivery: Delivery, in_hand: InHand) -> None:
    try:
        answer(delivery)
    except Exception as error:
        # As Celery does: a message that fails would fail again.
        log.exception("message_failed", error_type=type(error).__name__)
    finally:
        in_hand.remove(delivery)
        delivery.end()


def _do_nothing() -> None:
    pass
