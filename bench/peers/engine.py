"""The engine alone, measured in the same rounds: what is left of it at the end of the wire is what a service costs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.predict import EngineAlone
from shared.settings import load_settings

# Texts are sorted by length and cut into passes in portions of so many.
PORTION = 500


@dataclass(frozen=True)
class EngineRun:
    """Texts a second and processor milliseconds of a text, tokenising included; latencies in seconds."""

    texts_per_s: float
    cpu_ms: float
    latencies: list[float]


class Engine:
    """This project's engine and tokenizer without queue, HTTP and verdict, on as many threads as a worker has."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._engine = EngineAlone(load_settings(model="default"))
        self._texts = texts
        self.run(1, 0.2)

    def run(self, portion: int, seconds: float) -> EngineRun:
        """Run portions of so many texts, one after the other, for at least `seconds`."""
        latencies: list[float] = []
        done, began, used = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - began < seconds:
            at = done % len(self._texts)
            started = time.perf_counter()
            self._engine.run(self._texts[at : at + portion])
            latencies.append(time.perf_counter() - started)
            done += portion
        took, used = time.perf_counter() - began, time.process_time() - used
        return EngineRun(done / took, 1000 * used / done, latencies)
