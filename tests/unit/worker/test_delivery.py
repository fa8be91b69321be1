import json
from types import SimpleNamespace

from fakeredis import FakeRedis

from shared import keys
from worker.command_writer import CommandWriter
from worker.delivery import Delivery


def test_a_message_that_is_given_back_is_in_the_queue_alone() -> None:
    redis = FakeRedis()
    message = SimpleNamespace(
        headers={},
        delivery_tag="tag",
        delivery_info={"exchange": "", "routing_key": keys.INTERACTIVE_QUEUE},
        _raw={"body": "W10="},
    )
    delivery = Delivery(message, CommandWriter(redis), wake=lambda: None)
    delivery.note()
    assert redis.hlen(keys.UNACKED) == 1

    delivery.give_back()
    delivery.note()

    (queued,) = redis.lrange(keys.queue(keys.INTERACTIVE_QUEUE), 0, -1)
    assert json.loads(queued) == {"body": "W10="}
    assert (redis.hlen(keys.UNACKED), redis.zcard(keys.UNACKED_INDEX)) == (0, 0)
