"""What tests of doors share: keys, texts, and our own answers to hold the doors to."""

import csv
from typing import Any

import httpx

from tests.support.stack import ROOT, Stack

KEY, OTHER_KEY = "first-key", "second-key"
HEADERS = {"Authorization": f"Bearer {KEY}"}

CLEAN, BAD, THREAT = "배송이 빨라서 좋아요", "야 이 병신아 꺼져", "너 죽여버린다"


def plain_verdicts(service: Stack, texts: list[str]) -> list[dict[str, Any]]:
    """What `/predict` says of the texts."""
    answer = httpx.post(f"{service.url}/predict", json={"texts": texts}, headers=HEADERS, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def sample_texts(count: int) -> list[str]:
    """Texts of every kind in `tests/data`, spread evenly: abusive, harmless, disguised, long, threatening."""
    files = {"abusive": 2, "harmless": 1, "innocent": 1, "obfuscated": 1, "threats": 0, "long": 1}
    texts = [text for name, column in files.items() for text in _column(name, column)]
    return [texts[index * len(texts) // count] for index in range(count)]


def _column(name: str, column: int) -> list[str]:
    with (ROOT / "tests" / "data" / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        return [row[column] for row in list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]]
