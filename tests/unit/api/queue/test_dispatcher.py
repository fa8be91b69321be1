"""The dispatcher against a queue whose speed and faults the test decides."""

import asyncio

from api.http.caller import NOBODY, Caller, _current
from api.queue.dispatcher import Dispatcher
from shared.errors import (
    DeadlineExceededError,
    StoreUnavailableError,
)
from shared.options import VerdictOptions
from shared.settings import Settings
from tests.support.dispatching import TIMEOUT_S, Queue, Workers, answer_all, answer_to, settle


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
    queue: Queue, workers: Workers
) -> None:
    dispatcher = Dispatcher(Settings(predict_timeout_s=1), "api-1", queue, workers)
    dispatcher.start()
    request = asyncio.create_task(dispatcher.ask_workers(["a", "b"]))
    await settle()
    answered, _ = (item.id for item in queue.messages[0].items)
    dispatcher.resolve([answer_to(answered)])

    first, second = await request
    assert first == answer_to(answered)
    assert isinstance(second, DeadlineExceededError)
    assert dispatcher.inflight_texts == 0
    await dispatcher.close()


async def test_an_answer_that_comes_late_or_twice_does_no_harm(dispatcher: Dispatcher, queue: Queue) -> None:
    request = asyncio.create_task(dispatcher.ask_workers(["a"]))
    await settle()
    answer_all(dispatcher, queue)
    answer_all(dispatcher, queue)
    await request
    answer_all(dispatcher, queue)

    assert dispatcher.inflight_texts == 0


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
        with_nobody = await asyncio.wait_for(dispatcher.ask_workers(["하나", "둘"]), timeout=TIMEOUT_S / 2)
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
