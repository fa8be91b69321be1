"""Measures the stages of a request for response headers, in milliseconds, named as in Hugging Face's TEI."""

import time
from collections.abc import Sequence

import msgspec

from shared.messages import Answer

HEADERS = ("x-queue-time", "x-tokenization-time", "x-inference-time", "x-total-time", "x-cached-texts")


class Timing(msgspec.Struct, frozen=True):
    """The stages of one request, in seconds, and how many of its texts no model read, as it had read them before."""

    queue_s: float
    tokenization_s: float
    inference_s: float
    total_s: float
    cached_texts: int = 0

    def headers(self) -> dict[str, str]:
        """The five response headers."""
        return dict(zip(HEADERS, self.header_values(), strict=True))

    def header_values(self) -> tuple[str, ...]:
        """Those of `HEADERS`, in their order."""
        return (
            f"{self.queue_s * 1000:.2f}",
            f"{self.tokenization_s * 1000:.2f}",
            f"{self.inference_s * 1000:.2f}",
            f"{self.total_s * 1000:.2f}",
            str(self.cached_texts),
        )


class Stopwatch:
    """Started when the request has been read."""

    __slots__ = ("_started",)

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def read(self, answers: Sequence[Answer]) -> Timing:
        """The time of the texts of one request, which were worked on side by side: each part is the longest one's.

        Queue time is everything except tokenisation and inference: dispatcher, Redis, Celery, micro-batcher. Only this
        process's clock is used.
        """
        total_s = time.perf_counter() - self._started
        if len(answers) == 1:
            answer = answers[0]
            tokenization_s, inference_s, cached_texts = answer.tokenization_s, answer.inference_s, int(answer.is_cached)
        else:
            tokenization_s = max((answer.tokenization_s for answer in answers), default=0.0)
            inference_s = max((answer.inference_s for answer in answers), default=0.0)
            cached_texts = sum(answer.is_cached for answer in answers)
        queue_s = max(0.0, total_s - tokenization_s - inference_s)
        return Timing(queue_s, tokenization_s, inference_s, total_s, cached_texts)
