"""The publisher against a connection whose faults the test decides."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from kombu.exceptions import OperationalError

from api.queue.publisher import Publisher
from shared import keys
from shared.celery_app import JOBS_TASK, PREDICT_TASK
from shared.errors import StoreUnavailableError
from shared.messages import PredictMessage, TextItem, decode


class FakeSender:
    """Takes messages as `CelerySender` does. `faults` fail the next ones, `may_send` holds them up."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.faults: list[Exception] = []
        self.may_send = threading.Event()
        self.may_send.set()
        self.connected = threading.Event()

    @property
    def is_connected(self) -> bool:
        return self.connected.is_set()

    def connect(self) -> None:
        self.connected.set()

    def disconnect(self) -> None:
        self.connected.clear()

    def send(self, task: str, queue: str, argument: str) -> None:
        self.may_send.wait(10)
        if self.faults:
            self.disconnect()
            raise self.faults.pop(0)
        self.connect()
        self.sent.append((task, queue, argument))


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender()


@pytest.fixture
async def publisher(sender: FakeSender) -> AsyncIterator[Publisher]:
    publisher = Publisher(sender)
    yield publisher
    sender.may_send.set()
    publisher.close()


def message_of(text: str) -> PredictMessage:
    return PredictMessage(reply_to="api-1", deadline=1.0, items=[TextItem(1, text)])


async def test_texts_and_announcements_go_to_their_own_queues(publisher: Publisher, sender: FakeSender) -> None:
    await publisher.publish(message_of("댓글"))
    await publisher.announce_job("job_1")

    (task, queue, payload), announcement = sender.sent
    assert (task, queue) == (PREDICT_TASK, keys.INTERACTIVE_QUEUE)
    assert decode(payload, PredictMessage) == message_of("댓글")
    assert announcement == (JOBS_TASK, keys.BULK_QUEUE, "job_1")


async def test_messages_leave_in_the_order_in_which_they_were_handed_over(
    publisher: Publisher, sender: FakeSender
) -> None:
    sender.may_send.clear()
    waiting = [asyncio.create_task(publisher.announce_job(f"job_{number}")) for number in range(5)]
    await asyncio.sleep(0)
    sender.may_send.set()
    await asyncio.gather(*waiting)

    assert [argument for _, _, argument in sender.sent] == [f"job_{number}" for number in range(5)]


@pytest.mark.parametrize("fault", [OperationalError("gone"), ConnectionResetError("gone"), TimeoutError("slow")])
async def test_a_stale_connection_costs_no_message(publisher: Publisher, sender: FakeSender, fault: Exception) -> None:
    sender.faults = [fault]
    await publisher.announce_job("job_1")
    assert len(sender.sent) == 1


async def test_a_store_that_is_away_is_named_and_the_next_message_leaves(
    publisher: Publisher, sender: FakeSender
) -> None:
    sender.faults = [OperationalError("gone"), OperationalError("still gone")]
    with pytest.raises(StoreUnavailableError):
        await publisher.announce_job("job_1")
    await publisher.announce_job("job_2")

    assert [argument for _, _, argument in sender.sent] == ["job_2"]


async def test_a_bug_is_not_called_a_lost_store_and_is_not_tried_twice(
    publisher: Publisher, sender: FakeSender
) -> None:
    sender.faults = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        await publisher.announce_job("job_1")
    assert sender.sent == []


async def test_a_send_that_hangs_ends_as_a_lost_store_and_one_still_waiting_is_left_out(sender: FakeSender) -> None:
    publisher = Publisher(sender, timeout_s=0.05)
    sender.may_send.clear()
    results = await asyncio.gather(
        publisher.announce_job("hangs"), publisher.announce_job("waits"), return_exceptions=True
    )
    sender.may_send.set()
    publisher.close()

    assert [type(result) for result in results] == [StoreUnavailableError, StoreUnavailableError]
    assert [argument for _, _, argument in sender.sent] == ["hangs"]


async def test_the_connection_is_said_to_be_missing_until_it_is_made(publisher: Publisher, sender: FakeSender) -> None:
    with pytest.raises(StoreUnavailableError, match="not connected yet"):
        publisher.require_connection()

    assert await asyncio.to_thread(sender.connected.wait, 10)
    publisher.require_connection()


async def test_closing_sends_what_was_handed_over_and_gives_the_connection_back(sender: FakeSender) -> None:
    publisher = Publisher(sender)
    sender.may_send.clear()
    sent = asyncio.create_task(publisher.announce_job("job_1"))
    await asyncio.sleep(0)
    threading.Timer(0.05, sender.may_send.set).start()
    await asyncio.to_thread(publisher.close)
    await sent

    assert [argument for _, _, argument in sender.sent] == ["job_1"]
    assert not sender.is_connected
