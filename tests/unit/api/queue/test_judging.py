"""What a request of texts that are none leaves behind."""

import gc
import weakref
from typing import Any

from api.queue.judging import Item, Judging
from shared.errors import TextRejectedError
from shared.settings import Settings

NOBODY: Any = None


async def test_errors_of_a_thousand_items_are_gone_with_their_request_and_wait_for_no_collection() -> None:
    """Each request of a thousand empty texts left a megabyte until a full collection: 80 MiB in a second."""
    judging = Judging(Settings(), NOBODY, NOBODY, NOBODY, NOBODY)
    gc.disable()
    try:
        outcomes, _ = await judging._outcomes([Item("", f"texts[{number}]") for number in range(1_000)], None)
        assert all(isinstance(outcome, TextRejectedError) for outcome in outcomes)
        left = [weakref.ref(outcome) for outcome in outcomes]
        del outcomes
        assert not any(reference() for reference in left)
    finally:
        gc.enable()
