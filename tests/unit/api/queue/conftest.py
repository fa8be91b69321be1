"""A dispatcher on a queue whose speed and faults the test decides."""

from collections.abc import AsyncIterator

import pytest

from api.queue.dispatcher import Dispatcher
from shared.settings import Settings
from tests.support.dispatching import TIMEOUT_S, Queue, Workers


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
async def dispatcher(queue: Queue, workers: Workers) -> AsyncIterator[Dispatcher]:
    settings = Settings(predict_timeout_s=TIMEOUT_S, max_message_texts=3, max_inflight_texts=10)
    dispatcher = Dispatcher(settings, "api-1", queue, workers)
    dispatcher.start()
    yield dispatcher
    await dispatcher.close()
