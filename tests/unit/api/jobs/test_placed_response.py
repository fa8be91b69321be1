"""Many clients at once for the last places: no more get one than there are."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI

from api.access.keyring import Keyring
from api.http import errors
from api.jobs.placed_response import PlacedResponse
from api.jobs.places import PlaceKind, Places

CALLERS, COUNT = 40, 3


class Downloads:
    """A route that looks for room, waits for other things, and then sends pieces until `gate` opens."""

    def __init__(self, *, is_due: bool = False) -> None:
        self.places = Places(PlaceKind(COUNT, "results are being sent", "MAX_DOWNLOADS"), Keyring())
        self.gate = asyncio.Event()
        self.most = 0
        self.app = FastAPI()
        errors.install(self.app)

        @self.app.get("/results")
        async def results() -> PlacedResponse:
            self.places.require_room("owner")
            await asyncio.sleep(0.01)
            answer = PlacedResponse(self.places, "owner", self.pieces(), "text/plain", {"X-Rows": "1"})
            answer.is_due = is_due
            return answer

    async def pieces(self) -> AsyncIterator[bytes]:
        self.most = max(self.most, self.places.taken)
        yield b"a"
        await self.gate.wait()
        yield b"b"

    async def ask_all(self) -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://localhost") as client:
            asked = [asyncio.create_task(client.get("/results")) for _ in range(CALLERS)]
            await asyncio.sleep(0.2)
            self.gate.set()
            return await asyncio.gather(*asked)


async def test_of_many_who_come_at_once_as_many_as_there_are_places_are_sent_their_results() -> None:
    downloads = Downloads()

    answers = await downloads.ask_all()

    assert downloads.most == COUNT
    assert sorted(answer.status_code for answer in answers) == [200] * COUNT + [429] * (CALLERS - COUNT)
    assert {answer.text for answer in answers if answer.status_code == 200} == {"ab"}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "overloaded"
    assert "retry-after" in refused.headers
    assert "x-rows" not in refused.headers
    assert downloads.places.taken == 0


async def test_an_answer_that_is_due_is_sent_without_a_place_too() -> None:
    downloads = Downloads(is_due=True)

    answers = await downloads.ask_all()

    assert {answer.status_code for answer in answers} == {200}
    assert downloads.places.taken == 0


async def test_a_response_that_never_starts_holds_no_place() -> None:
    downloads = Downloads()
    PlacedResponse(downloads.places, "owner", downloads.pieces())

    assert downloads.places.taken == 0
