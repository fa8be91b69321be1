"""Corrections as a client sends them."""

from typing import Any

import httpx


def correct(client: httpx.Client, text: str, classification: str = "hate", **fields: Any) -> dict[str, Any]:
    response = client.post("/corrections", json={"text": text, "classification": classification, **fields})
    assert response.status_code in {200, 201}, response.text
    made: dict[str, Any] = response.json()
    return made
