"""Policies as tests put them, and what a request under one is answered."""

from typing import Any

import httpx

from tests.support.stack import Stack

LABELS = ["curse", "insult", "hate"]
# The echo engine's scores are from 0.5 to 0.98.
LEVELS = {
    "lenient": dict.fromkeys(LABELS, 0.95),
    "standard": dict.fromkeys(LABELS, 0.85),
    "strict": dict.fromkeys(LABELS, 0.6),
}
TEXTS = [f"{number}번째 댓글" for number in range(40)]
RULES: dict[str, Any] = {
    "strictness": "strict",
    "thresholds": {"curse": 0.9},
    "labels": ["curse", "insult"],
    "deny": ["멍청이", {"term": "섹스", "label": "sexual", "match": "part"}],
    "allow": ["게이머"],
    "mask": {"labels": ["curse"], "char": "#", "keep_first": True},
}


def put(stack: Stack, name: str, headers: dict[str, str] | None = None, **rules: Any) -> httpx.Response:
    return httpx.put(f"{stack.url}/policies/{name}", json=rules, headers=headers)


def predict(url: str, text: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{url}/predict", json={"text": text, **body}, timeout=60)


def error_of(answer: httpx.Response) -> tuple[int, str | None, str]:
    error = answer.json()["error"]
    return answer.status_code, error["param"], error["message"]
