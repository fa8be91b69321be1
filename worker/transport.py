"""Kombu's Redis transport, except that a message of texts is not written among the unacknowledged ones at once.

Kombu writes each message there, and waits for Redis, before anybody sees it. Here it is written a moment later, unless
it is answered by then (`worker.in_hand`), so that no text waits for that.
"""

from typing import Any

from kombu.transport import redis, virtual

from shared import keys


class PromptQoS(redis.QoS):
    """What has been delivered and not acknowledged."""

    def append(self, message: Any, delivery_tag: str) -> None:  # noqa: ANN401  kombu has no types
        """Note a message that was taken from its queue; one of texts is not written to Redis."""
        if message.delivery_info["routing_key"] == keys.INTERACTIVE_QUEUE:
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)


class PromptChannel(redis.Channel):
    """A channel of `PromptTransport`."""

    QoS = PromptQoS


class PromptTransport(redis.Transport):
    """What `worker.consumer` connects with."""

    Channel = PromptChannel
