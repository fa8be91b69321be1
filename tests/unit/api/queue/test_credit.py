"""How texts leave: by credit, and in turns. A dispatcher against a queue that the test answers by hand."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from api.http.caller import Caller, Presence, note_caller
from api.queue import lanes
from api.queue.credit import Credit
from api.queue.dispatcher import Dispatcher
from api.queue.pending import PendingRequest, PendingText
from shared.messages import Answer, PredictMessage
from shared.settings import Settings
from shared.verdict import Verdict
from tests.support.dispatching import Queue, Workers, settle

# A pass of 32 tokens costs 64, a text of one character 9: two messages, or 86 such texts, may be with a worker.
FULL = 86
SETTINGS = Settings(max_batch_tokens=32, max_message_texts=96)


@pytest.fixture
async def dispatcher(queue: Queue, workers: Workers) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(SETTINGS, "api-1", queue, workers)
    dispatcher.start()
    yield dispatcher
    await dispatcher.close()


async def ask(dispatcher: Dispatcher, texts: Sequence[str], caller: str = "") -> "asyncio.Task[list]":
    """A request of `caller`, accepted."""

    async def request() -> list:
        note_caller({"type": "http"}, caller)
        return await dispatcher.ask_workers(texts)

    task = asyncio.create_task(request())
    await settle()
    return task


def answer(dispatcher: Dispatcher, *messages: PredictMessage) -> None:
    answer_ids(dispatcher, [item.id for message in messages for item in message.items])


def answer_ids(dispatcher: Dispatcher, ids: Sequence[int]) -> None:
    dispatcher.resolve([Answer(id=text_id, verdict=Verdict("clean", 1.0, {}, [])) for text_id in ids])


async def test_texts_leave_one_by_one_until_the_workers_have_enough_and_then_together(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    for text in "abcdefgh":
        await ask(dispatcher, [text])
    assert queue.texts() == [["a"], ["b"]]

    answer(dispatcher, queue.messages[0])
    await settle()

    assert queue.texts()[2:] == [["c", "d", "e", "f", "g", "h"]]


async def test_the_last_texts_of_a_message_hold_up_nobody(dispatcher: Dispatcher, queue: Queue) -> None:
    await ask(dispatcher, ["a"] * 10)
    await ask(dispatcher, ["b"])
    await ask(dispatcher, ["c"])
    ids = [item.id for item in queue.messages[0].items]
    answer_ids(dispatcher, ids[:6])
    await settle()
    assert queue.texts()[1:] == [["b"]]

    answer_ids(dispatcher, ids[6:7])
    await settle()

    assert queue.texts()[1:] == [["b"], ["c"]]


async def test_credit_counts_the_work_and_not_the_messages(dispatcher: Dispatcher, queue: Queue) -> None:
    await ask(dispatcher, ["a"] * 3 * FULL)
    assert sum(map(len, queue.texts())) == FULL

    answer(dispatcher, queue.messages[0])
    await settle()

    answered = len(queue.messages[0].items)
    assert sum(map(len, queue.texts())) == FULL + answered


async def test_two_workers_get_twice_as_much(dispatcher: Dispatcher, queue: Queue, workers: Workers) -> None:
    workers.interactive_count = 2
    await ask(dispatcher, ["a"] * 3 * FULL)

    assert sum(map(len, queue.texts())) == 171


async def test_a_dead_workers_credit_comes_back_with_its_texts(dispatcher: Dispatcher, queue: Queue) -> None:
    await ask(dispatcher, ["a"] * FULL)
    await ask(dispatcher, ["b"])
    assert queue.texts() == [["a"] * FULL]

    dispatcher.resend_pending()
    await settle()

    assert queue.texts() == [["a"] * FULL, ["a"] * FULL]
    answer(dispatcher, queue.messages[1])
    await settle()
    assert queue.texts()[2:] == [["b"]]


async def test_a_message_of_which_nothing_is_heard_holds_up_nobody_for_long(
    dispatcher: Dispatcher, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "STUCK_S", 0.0)
    await ask(dispatcher, ["a"] * FULL)
    await ask(dispatcher, ["b"])
    assert queue.texts() == [["a"] * FULL]

    dispatcher.check_progress()
    await settle()

    assert queue.texts()[1:] == [["b"]]


async def test_a_caller_who_had_nothing_waiting_does_not_wait_for_anothers_messages(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    await ask(dispatcher, ["hog"] * 500, "hog")
    away = len(queue.messages)
    await ask(dispatcher, ["one"], "other")
    await ask(dispatcher, ["hog too"], "hog")

    assert queue.texts()[away:] == [["one"]]


async def test_such_texts_are_two_messages_at_a_time_and_then_leave_together(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    await ask(dispatcher, ["hog"] * 500, "hog")
    away = len(queue.messages)
    for number in range(5):
        await ask(dispatcher, ["one"], f"caller {number}")
    assert queue.texts()[away:] == [["one"], ["one"]]

    answer(dispatcher, queue.messages[away])
    await settle()
    assert queue.texts()[away + 2 :] == [["one"] * 3]


async def test_of_such_a_caller_no_more_than_a_turn_leaves_so(dispatcher: Dispatcher, queue: Queue) -> None:
    await ask(dispatcher, ["hog"] * 500, "hog")
    away = len(queue.messages)
    await ask(dispatcher, ["other"] * 500, "other")

    # A quarter of a pass is 16, and a text of five characters costs 13.
    assert queue.texts()[away:] == [["other"]]


async def test_where_no_caller_has_more_waiting_than_others_texts_are_collected(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    for caller in ("first", "second"):
        await ask(dispatcher, ["a"] * (FULL // 2), caller)
    assert sum(map(len, queue.texts())) == FULL
    away = len(queue.messages)
    for number in range(5):
        await ask(dispatcher, ["one"], f"caller {number}")
    assert len(queue.messages) == away

    answer(dispatcher, queue.messages[0])
    await settle()
    assert queue.texts()[away:] == [["one"] * 5]


async def test_a_caller_does_not_wait_for_one_who_has_the_workers_alone_and_nothing_waiting(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    """A flood comes in waves: between two of them none of its texts wait."""
    await ask(dispatcher, ["a"] * FULL, "hog")
    await ask(dispatcher, ["b"], "hog")
    assert queue.texts() == [["a"] * FULL]

    await ask(dispatcher, ["one"], "other")
    assert queue.texts()[1:] == [["one"]]


def test_texts_that_nothing_is_heard_of_are_no_longer_counted_as_somebodys() -> None:
    credit = Credit(limit=100.0, least_per_message=0.0, most_per_text=100.0)
    request = PendingRequest(["a"] * 4, None, Caller("hog", Presence()), deadline=0.0)
    texts = [PendingText(request, place, place) for place in range(4)]
    credit.charge(texts, now=0.0)
    credit.settle(texts[0], now=0.0)
    assert credit.is_mostly_of_one
    assert not credit.has_less_than_others("hog")

    credit.forget_stuck(since=1.0)
    credit.settle(texts[1], now=1.0)

    assert not credit.is_mostly_of_one
    assert credit.has_less_than_others("hog")


async def test_one_callers_thousand_texts_delay_anothers_one_text_by_no_more_than_a_turn(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    await ask(dispatcher, ["hog"] * 500, "hog")
    await ask(dispatcher, ["one"], "other")
    answer(dispatcher, queue.messages[0])
    await settle()

    # What was left of a turn, and another one, are two texts at most.
    assert "one" in queue.texts()[1][:3]


async def test_one_requests_thousand_texts_delay_another_request_of_the_same_caller_no_more(
    dispatcher: Dispatcher, queue: Queue
) -> None:
    await ask(dispatcher, ["hog"] * 500, "site")
    await ask(dispatcher, ["one"], "site")
    answer(dispatcher, queue.messages[0])
    await settle()

    assert "one" in queue.texts()[1][:2]


async def test_short_texts_do_not_wait_for_long_ones(dispatcher: Dispatcher, queue: Queue) -> None:
    await ask(dispatcher, ["long" * 100] * 50, "hog")
    long_ones = len(queue.messages)
    await ask(dispatcher, ["one"], "hog")

    assert 0 < long_ones <= 2
    assert queue.texts()[long_ones:] == [["one"]]


async def test_texts_whose_caller_has_hung_up_are_not_sent(dispatcher: Dispatcher, queue: Queue) -> None:
    await ask(dispatcher, ["a"] * FULL, "gone")
    presence = Presence()

    async def request() -> None:
        note_caller({"type": "http", "kobert.presence": presence}, "gone")
        await dispatcher.ask_workers(["b"] * 20)

    gone = asyncio.create_task(request())
    await settle()
    presence.lose()
    await gone
    answer(dispatcher, queue.messages[0])
    await settle()

    assert queue.texts() == [["a"] * FULL]
    assert dispatcher.inflight_texts == 0


async def test_texts_that_left_before_their_caller_hung_up_still_count(dispatcher: Dispatcher, queue: Queue) -> None:
    """Else somebody could have any number of texts computed by hanging up."""
    presence = Presence()

    async def request() -> None:
        note_caller({"type": "http", "kobert.presence": presence}, "gone")
        await dispatcher.ask_workers(["a"] * FULL)

    gone = asyncio.create_task(request())
    await settle()
    presence.lose()
    await gone
    dispatcher.check_progress()
    await ask(dispatcher, ["b"], "gone")
    assert queue.texts() == [["a"] * FULL]

    answer(dispatcher, queue.messages[0])
    await settle()
    assert queue.texts()[1:] == [["b"]]


async def test_several_workers_divide_one_request_among_themselves(
    dispatcher: Dispatcher, queue: Queue, workers: Workers
) -> None:
    workers.interactive_count = 2
    await ask(dispatcher, ["a"] * 64)
    answer(dispatcher, *queue.messages)
    workers.interactive_count = 30
    await ask(dispatcher, ["b"] * 64)

    assert [len(texts) for texts in queue.texts()] == [48, 16, 32, 32]


async def test_a_large_request_is_divided_evenly_between_two_workers_and_finely_among_more(
    dispatcher: Dispatcher, queue: Queue, workers: Workers
) -> None:
    workers.interactive_count = 2
    await ask(dispatcher, ["a"] * 170)
    answer(dispatcher, *queue.messages)
    workers.interactive_count = 4
    await ask(dispatcher, ["b"] * 330)

    assert [len(texts) for texts in queue.texts()] == [85, 85, *[32] * 8]  # and what waits for the next answer
