"""Measures the stages of a request for response headers, in milliseconds, named as in Hugging Face's TEI."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from shared.log import milliseconds
from shared.messages import Answer


@dataclass(frozen=True)
class Timing:
    """The stages of one request, in seconds, and how many of its texts no model read, as it had read them before."""

    queue_s: float
    tokenization_s: float
    inference_s: float
    total_s: float
    cached_texts: int = 0

    def headers(self) -> dict[str, str]:
        """The five response headers."""
        return {
            "x-queue-time": _header(self.queue_s),
            "x-tokenization-time": _header(self.tokenization_s),
            "x-inference-time": _header(self.inference_s),
            "x-total-time": _header(self.total_s),
            "x-cached-texts": str(self.cached_texts),
        }


class Stopwatch:
    """Started when the request has been read."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def read(self, answers: Sequence[Answer]) -> Timing:
        """The time of the texts of one request, which were worked on side by side: each part is the longest one's.

        Queue time is everything except tokenisation and inference: dispatcher, Redis, Celery, micro-batcher. Only this
        process's clock is used.
        """
        total_s = time.perf_counter() - self._started
        tokenization_s = max((answer.tokenization_s for answer in answers), default=0.0)
        inference_s = max((answer.inference_s for answer in answers), default=0.0)
        queue_s = max(0.0, total_s - tokenization_s - inference_s)
        cached_texts = sum(answer.is_cached for answer in answers)
        return Timing(queue_s, tokenization_s, inference_s, total_s, cached_texts)


def _header(seconds: float) -> str:
    return f"{milliseconds(seconds):.2f}"
