"""The dispatcher against a queue whose speed and faults the test decides."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from api.http.caller import NOBODY, Caller, _current
from api.queue.dispatcher import Dispatcher
from shared.cost import cost_of
from shared.errors import (
    DeadlineExceededError,
    DiskFullError,
    KobertError,
    NoWorkerError,
    OverloadedError,
    StoreFullError,
    StoreUnavailableError,
    UnavailableError,
)
from shared.messages import Answer, PredictMessage
from shared.options import VerdictOptions
from shared.settings import Settings
from shared.verdict import Verdict

# Of a text of one character.
COST = cost_of("a")


class Queue:
    """Takes messages as a publisher does; `gate` holds a publish in flight, `fault` makes it fail.

    `is_open`: a lone text need not wait for the sender's turn.
    """

    def __init__(self) -> None:
        self.messages: list[PredictMessage] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault: Exception | None = None
        self.is_open = False

    async def publish(self, message: PredictMessage) -> None:
        self.messages.append(message)
        await self._end()

    def publish_now(self, message: PredictMessage) -> Coroutine[Any, Any, None]:
        self.messages.append(message)
        return self._end()

    async def _end(self) -> None:
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault

    def texts(self) -> list[list[str]]:
        return [[item.text for item in message.items] for message in self.messages]


class Workers:
    """The fleet as the dispatcher sees it."""

    def __init__(self) -> None:
        self.cost_per_s = 1000.0 * COST
        self.interactive_count = 1
        self.absence: Exception | None = None

    def require_live_worker(self) -> None:
        if self.absence is not None:
            raise self.absence


def answer_to(text_id: int) -> Answer:
    return Answer(id=text_id, verdict=Verdict(f"label of {text_id}", 1.0, {}, []))


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
async def dispatcher(queue: Queue, workers: Workers) -> AsyncIterator[Dispatcher]:
    settings = Settings(predict_timeout_s=0.5, max_message_texts=3, max_inflight_texts=10)
    dispatcher = Dispatcher(settings, "api-1", queue, workers)
    dispatcher.start()
    yield dispatcher
    await dispatcher.close()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def answer_all(dispatcher: Dispatcher, queue: Queue) -> None:
    dispatcher.resolve([answer_to(item.id) for message in queue.messages for item in message.items])


async def test_a_lone_text_leaves_at_once(dispatcher: Dispatcher, queue: Queue) -> None:
    request = asyncio.create_task(dispatcher.ask_workers(["혼자"]))
    await settle()

    assert queue.texts() == [["혼자"]]
    answer_all(dispatcher, queue)
    ((result),) = await request
    assert result == answer_to(queue.messages[0].items[0].id)


async def test_a_lone_text_has_left_when_the_request_was_accepted(dispatcher: Dispatcher, queue: Queue) -> None:
    queue.is_open = True
    await settle()

    first = dispatcher.ask(["a"], None, NOBODY, None)
    assert queue.texts() == [["a"]]
    second = dispatcher.ask(["b"], None, NOBODY, None)
    assert queue.texts() == [["a"]]
    await settle()
    assert queue.texts() == [["a"], ["b"]]

    dispatcher.resolve([answer_to(1), answer_to(2)])
    assert [first.unanswered, second.unanswered] == [0, 0]


async def test_a_lone_text_that_left_at_once_and_was_not_taken_fails_by_name(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    queue.is_open = True
    queue.fault = StoreUnavailableError("gone")
    await settle()

    (failed,) = await dispatcher.ask_workers(["a"])

    assert isinstance(failed, StoreUnavailableError)
    assert dispatcher.inflight_texts == 0


async def test_the_dispatcher_closes_while_a_lone_text_leaves(dispatcher: Dispatcher, queue: Queue) -> None:
    queue.is_open = True
    await settle()
    request = dispatcher.ask(["a"], None, NOBODY, None)
    await dispatcher.close()

    assert request.is_over
    assert isinstance(request.answers[0], StoreUnavailableError)


async def test_texts_that_come_while_a_message_is_published_leave_together_up_to_the_limit(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    queue.gate.clear()
    requests = [asyncio.create_task(dispatcher.ask_workers([text])) for text in "abcde"]
    await settle()
    assert queue.texts() == [["a", "b", "c"]]

    queue.gate.set()
    await settle()
    assert queue.texts() == [["a", "b", "c"], ["d", "e"]]
    answer_all(dispatcher, queue)
    assert len(await asyncio.gather(*requests)) == 5


async def test_results_come_in_the_order_of_the_texts_whatever_the_order_of_the_answers(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    request = asyncio.create_task(dispatcher.ask_workers(["a", "b", "c"]))
    await settle()
    ids = [item.id for item in queue.messages[0].items]
    for text_id in reversed(ids):
        dispatcher.resolve([answer_to(text_id)])

    assert await request == [answer_to(text_id) for text_id in ids]


async def test_a_text_without_an_answer_gets_its_error_and_the_others_their_answers(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    request = asyncio.create_task(dispatcher.ask_workers(["a", "b"]))
    await settle()
    answered, _ = (item.id for item in queue.messages[0].items)
    dispatcher.resolve([answer_to(answered)])

    first, second = await request
    assert first == answer_to(answered)
    assert isinstance(second, DeadlineExceededError)
    assert dispatcher.inflight_texts == 0


async def test_an_answer_that_comes_late_or_twice_does_no_harm(dispatcher: Dispatcher, queue: Queue) -> None:
    request = asyncio.create_task(dispatcher.ask_workers(["a"]))
    await settle()
    answer_all(dispatcher, queue)
    answer_all(dispatcher, queue)
    await request
    answer_all(dispatcher, queue)

    assert dispatcher.inflight_texts == 0


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

    answer_all(dispatcher, queue)
    await request


async def test_texts_that_slow_workers_could_not_answer_in_time_are_refused(
    dispatcher: Dispatcher, queue: Queue, workers: Workers
) -> None:
    workers.cost_per_s = 4.0 * COST  # two texts in the half second that callers wait
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


async def test_a_caller_that_left_is_not_sent(dispatcher: Dispatcher, queue: Queue) -> None:
    queue.gate.clear()
    first = asyncio.create_task(dispatcher.ask_workers(["a"]))
    await settle()
    left = asyncio.create_task(dispatcher.ask_workers(["b"]))
    await settle()
    left.cancel()
    await settle()
    queue.gate.set()
    await settle()

    assert queue.texts() == [["a"]]
    answer_all(dispatcher, queue)
    await first


async def test_a_caller_that_left_before_its_texts_came_is_not_waited_for(dispatcher: Dispatcher, queue: Queue) -> None:
    caller = Caller("gone")
    caller.presence.lose()
    token = _current.set(caller)
    try:
        with_nobody = await asyncio.wait_for(dispatcher.ask_workers(["하나", "둘"]), timeout=0.2)
    finally:
        _current.reset(token)
    await settle()

    assert all(isinstance(one, DeadlineExceededError) for one in with_nobody)
    assert queue.texts() == []
    assert dispatcher.inflight_texts == 0


async def test_texts_of_several_requests_share_a_message_and_keep_their_options(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    strict, own = VerdictOptions("strict"), VerdictOptions(None, (("curse", 0.4),))
    queue.gate.clear()
    first = asyncio.create_task(dispatcher.ask_workers(["first"]))
    await settle()
    requests = [
        asyncio.create_task(dispatcher.ask_workers([text], options))
        for text, options in (("a", strict), ("b", own), ("c", strict))
    ]
    await settle()
    queue.gate.set()
    await settle()

    alone, together = queue.messages
    assert (alone.options, alone.items[0].options_at) == ([], None)
    assert together.options == [strict, own]
    assert [(item.text, item.options_at) for item in together.items] == [("a", 0), ("b", 1), ("c", 0)]
    answer_all(dispatcher, queue)
    await asyncio.gather(first, *requests)
