"""Keys and scopes, asked over HTTP of an application that has nothing else."""

from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI

from api.access.attempts import FailedAttempts
from api.access.keyring import Keyring
from api.access.principal import EVERYBODY, Principal
from api.http import errors
from api.http.auth import require_scope
from api.http.request_record import current_record, start_record


class _TwoKeys(Keyring):
    """One key with every scope, and one with `jobs` alone."""

    def find(self, secret: str) -> Principal | None:
        return Principal("key_1", "o", frozenset(("jobs",))) if secret == "narrow" else super().find(secret)


def app_with(keyring: Keyring) -> FastAPI:
    app = FastAPI()
    app.state.keyring = keyring
    app.state.failed_attempts = FailedAttempts(2)
    errors.install(app)

    @app.get("/predict")
    async def predict(principal: Annotated[Principal, Depends(require_scope("predict"))]) -> str:
        recorded = current_record().principal
        return principal.owner if recorded in (principal, None) else "someone else's record"

    return app


def known(*plain_keys: str) -> Keyring:
    """A keyring that has read a store without keys."""
    keyring = _TwoKeys(plain_keys)
    keyring.load(())
    return keyring


async def ask_all(keyring: Keyring, *keys: str | None) -> list[httpx.Response]:
    start_record()
    transport = httpx.ASGITransport(app_with(keyring))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        headers = [{} if key is None else {"Authorization": f"Bearer {key}"} for key in keys]
        return [await client.get("/predict", headers=each) for each in headers]


async def ask(keyring: Keyring, key: str | None) -> httpx.Response:
    return (await ask_all(keyring, key))[0]


async def test_without_keys_everybody_may_ask_and_is_one_owner() -> None:
    assert (await ask(known(), "anything")).json() == EVERYBODY.owner


async def test_a_plain_key_has_every_scope_and_the_owner_it_always_had() -> None:
    answer = await ask(known("alpha"), "alpha")

    assert (answer.status_code, answer.json()) == (200, "8ed3f6ad685b959ead7022518e1af76c")


@pytest.mark.parametrize("key", [None, "", "alph", "alpha2", "API_KEYS:1"])
async def test_any_other_key_is_401_and_says_how_to_send_one(key: str | None) -> None:
    answer = await ask(known("alpha"), key)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_without_the_scope_is_403_and_says_which_it_lacks() -> None:
    answer = await ask(known("alpha"), "narrow")

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_scope")
    assert "'predict' (it has jobs)" in answer.json()["error"]["message"]


async def test_nobody_is_let_in_before_the_keys_of_the_store_are_known() -> None:
    unread = Keyring(("alpha",))
    answers = await ask_all(unread, "alpha", "beta", None)
    without_plain_keys = await ask(Keyring(), None)

    assert [answer.status_code for answer in answers] == [200, 503, 503]
    assert (without_plain_keys.status_code, without_plain_keys.headers["retry-after"]) == (503, "2")


async def test_a_required_key_is_asked_for_even_while_there_is_none() -> None:
    keyring = Keyring(is_required=True)
    keyring.load(())

    assert (await ask(keyring, None)).status_code == 401


async def test_whoever_guesses_waits_and_is_not_told_that_a_guess_was_right() -> None:
    answers = await ask_all(known("alpha"), "a", "b", "alpha", "c", "narrow", None)

    assert [answer.status_code for answer in answers] == [401, 401, 429, 429, 403, 401]
    assert answers[2].json()["error"]["code"] == "too_many_wrong_keys"
    assert int(answers[2].headers["retry-after"]) == 30
