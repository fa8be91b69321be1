"""The API's own connection to the queue: made before the first text needs it, and said to be missing until then."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.queue.celery_sender import CelerySender
from api.queue.publisher import Publisher
from shared.celery_app import make_celery
from shared.errors import StoreUnavailableError
from shared.settings import load_settings
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        stack = Stack(Path(folder), "default")
        yield stack
        stack.stop()


def connected(publisher: Publisher) -> bool:
    try:
        publisher.require_connection()
    except StoreUnavailableError:
        return False
    return True


def test_it_says_that_it_is_not_connected_until_the_store_is_there(stack: Stack) -> None:
    publisher = Publisher(CelerySender(make_celery(load_settings(redis_url=stack.redis_url), socket_timeout_s=1.0)))
    publisher.connect_soon()
    with pytest.raises(StoreUnavailableError, match="not connected yet"):
        publisher.require_connection()

    stack.start_store()

    wait_until(lambda: connected(publisher), "a connection", 20)
    publisher.close()
