"""Keys and scopes, asked over HTTP of an application that has nothing else."""

from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI

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
    errors.install(app)

    @app.get("/predict")
    async def predict(principal: Annotated[Principal, Depends(require_scope("predict"))]) -> str:
        recorded = current_record().principal
        return principal.owner if recorded in (principal, None) else "someone else's record"

    return app


async def ask(keyring: Keyring, key: str | None) -> httpx.Response:
    start_record()
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app_with(keyring)), base_url="http://test") as client:
        return await client.get("/predict", headers=headers)


async def test_without_keys_everybody_may_ask_and_is_one_owner() -> None:
    assert (await ask(Keyring(), "anything")).json() == EVERYBODY.owner


async def test_a_plain_key_has_every_scope_and_the_owner_it_always_had() -> None:
    answer = await ask(Keyring(("alpha",)), "alpha")

    assert (answer.status_code, answer.json()) == (200, "8ed3f6ad685b959ead7022518e1af76c")


@pytest.mark.parametrize("key", [None, "", "alph", "alpha2", "API_KEYS:1"])
async def test_any_other_key_is_401_and_says_how_to_send_one(key: str | None) -> None:
    answer = await ask(Keyring(("alpha",)), key)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_without_the_scope_is_403_and_says_which_it_lacks() -> None:
    answer = await ask(_TwoKeys(("alpha",)), "narrow")

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_scope")
    assert "'predict' (it has jobs)" in answer.json()["error"]["message"]
