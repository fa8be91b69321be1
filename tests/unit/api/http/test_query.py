import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from api.http.query import MAX_PARAMETERS, QueryMiddleware


async def count(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(request.query_params)))


CLIENT = TestClient(QueryMiddleware(Starlette(routes=[Route("/", count)])))


def test_parameters_within_the_bound_are_taken() -> None:
    query = "&".join(f"p{number}=1" for number in range(MAX_PARAMETERS))
    assert CLIENT.get(f"/?{query}").text == str(MAX_PARAMETERS)


@pytest.mark.parametrize("one", ["a", "a=1", ""])
def test_an_address_of_thousands_of_parameters_is_refused_before_they_are_read(one: str) -> None:
    answer = CLIENT.get("/?" + "&".join([one] * 5_000))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")
