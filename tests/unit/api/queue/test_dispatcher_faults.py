"""The dispatcher where a text cannot be sent, read or taken: refused by name, or sent again."""

import asyncio
import time

import pytest

from api.queue.dispatcher import Dispatcher
from shared.errors import (
    DiskFullError,
    KobertError,
    NoWorkerError,
    OverloadedError,
    StoreFullError,
    StoreUnavailableError,
    UnavailableError,
)
from shared.messages import Answer
from shared.settings import Settings
from shared.steady_time import steady_clock
from tests.support.dispatching import COST, TIMEOUT_S, Queue, Workers, answer_all, answer_to, settle


async def test_a_lone_text_that_left_at_once_and_was_not_taken_fails_by_name(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    queue.is_open = True
    queue.fault = StoreUnavailableError("gone")
    await settle()

    (failed,) = await dispatcher.ask_workers(["a"])

    assert isinstance(failed, StoreUnavailableError)
    assert dispatcher.inflight_texts == 0


async def test_a_text_that_waits_when_the_clock_is_set_forward_is_sent_with_a_deadline_that_is_still_to_come(
    dispatcher: Dispatcher, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.gate.clear()
    requests = []
    for text in ("a", "b"):
        requests.append(asyncio.create_task(dispatcher.ask_workers([text])))
        await settle()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    queue.gate.set()
    await settle()
    answer_all(dispatcher, queue)

    assert all(isinstance(answer, Answer) for answers in await asyncio.gather(*requests) for answer in answers)
    last = queue.messages[-1]
    assert last.clock == steady_clock()
    assert time.monotonic() < last.steady_deadline <= time.monotonic() + TIMEOUT_S
    assert now + 3600 < last.deadline


async def test_a_store_that_takes_no_message_fails_its_texts_and_not_the_next_ones(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    queue.fault = StoreUnavailableError("away")
    (failed,) = await dispatcher.ask_workers(["a"])
    assert isinstance(failed, StoreUnavailableError)

    queue.fault = None
    request = asyncio.create_task(dispatcher.ask_workers(["b"]))
    await settle()
    answer_all(dispatcher, queue)
    assert isinstance((await request)[0], Answer)


@pytest.mark.parametrize("fault", [StoreUnavailableError("away"), DiskFullError("full"), StoreFullError("full")])
async def test_a_store_that_takes_no_message_is_named(
    dispatcher: Dispatcher, queue: Queue, fault: UnavailableError
) -> None:
    queue.fault = fault
    (failed,) = await dispatcher.ask_workers(["a"])
    assert failed is fault


@pytest.mark.parametrize("fault", [DiskFullError("full"), StoreFullError("full")])
async def test_a_text_that_was_taken_waits_for_room_when_it_is_sent_again(
    dispatcher: Dispatcher, queue: Queue, monkeypatch: pytest.MonkeyPatch, fault: UnavailableError
) -> None:
    monkeypatch.setattr("api.queue.dispatcher._NO_ROOM_PAUSE_S", 0.02)
    request = asyncio.create_task(dispatcher.ask_workers(["a"]))
    await settle()
    queue.fault = fault
    dispatcher.resend_suspects()
    await settle()
    assert not request.done()

    queue.fault = None
    await asyncio.sleep(0.1)
    answer_all(dispatcher, queue)

    assert isinstance((await request)[0], Answer)
    assert dispatcher.inflight_texts == 0


async def test_a_bug_while_publishing_fails_its_texts_and_not_the_next_ones(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    queue.fault = TypeError("a bug")
    (failed,) = await dispatcher.ask_workers(["a"])
    assert isinstance(failed, KobertError)
    assert failed.code == "internal_error"

    queue.fault = None
    request = asyncio.create_task(dispatcher.ask_workers(["b"]))
    await settle()
    answer_all(dispatcher, queue)
    assert isinstance((await request)[0], Answer)


async def test_with_no_worker_nothing_is_queued(dispatcher: Dispatcher, queue: Queue, workers: Workers) -> None:
    workers.absence = NoWorkerError("none")
    with pytest.raises(NoWorkerError):
        await dispatcher.ask_workers(["a"])
    assert queue.messages == []


async def test_texts_beyond_what_can_be_in_flight_are_refused(dispatcher: Dispatcher, queue: Queue) -> None:
    request = asyncio.create_task(dispatcher.ask_workers(list("abcdefgh")))
    await settle()
    with pytest.raises(OverloadedError):
        await dispatcher.ask_workers(["i", "j", "k"])

    # The later texts leave when the earlier ones are answered.
    while not request.done():
        answer_all(dispatcher, queue)
        await settle()
    assert all(isinstance(answer, Answer) for answer in await request)


async def test_texts_that_slow_workers_could_not_answer_in_time_are_refused(
    dispatcher: Dispatcher, queue: Queue, workers: Workers
) -> None:
    workers.cost_per_s = 2 * COST / TIMEOUT_S  # two texts in the time that callers wait
    request = asyncio.create_task(dispatcher.ask_workers(["a", "b"]))
    await settle()
    with pytest.raises(OverloadedError):
        await dispatcher.ask_workers(["c"])

    answer_all(dispatcher, queue)
    await request


@pytest.mark.parametrize(("speed", "wait_s"), [(1000.0, 1), (2.0, 2), (1.0, 4), (0.1, 30), (0.0, 30)])
async def test_a_refusal_says_after_how_long_there_will_be_room(
    queue: Queue, workers: Workers, speed: float, wait_s: int
) -> None:
    dispatcher = Dispatcher(Settings(max_inflight_texts=10), "api-1", queue, workers)
    dispatcher.start()
    request = asyncio.create_task(dispatcher.ask_workers(["a"] * 10))
    await settle()
    workers.cost_per_s = speed * COST

    with pytest.raises(OverloadedError) as caught:
        await dispatcher.ask_workers(["b"] * 2)

    assert caught.value.retry_after_s == wait_s
    answer_all(dispatcher, queue)
    await request
    await dispatcher.close()


async def test_after_a_worker_died_unanswered_texts_are_sent_again(dispatcher: Dispatcher, queue: Queue) -> None:
    request = asyncio.create_task(dispatcher.ask_workers(["a", "b"]))
    await settle()
    dispatcher.resolve([answer_to(queue.messages[0].items[0].id)])
    dispatcher.resend_pending()
    await settle()

    assert queue.texts() == [["a", "b"], ["b"]]
    answer_all(dispatcher, queue)
    await request


async def test_texts_that_a_dead_worker_may_have_had_are_marked(dispatcher: Dispatcher, queue: Queue) -> None:
    request = asyncio.create_task(dispatcher.ask_workers(["a"]))
    await settle()
    dispatcher.resend_pending()
    await settle()
    dispatcher.resend_suspects()
    await settle()

    # A store that was away is nobody's death.
    assert [item.is_suspect for message in queue.messages for item in message.items] == [False, False, True]
    answer_all(dispatcher, queue)
    await request
