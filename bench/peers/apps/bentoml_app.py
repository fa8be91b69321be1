"""BentoML with adaptive batching. A request is a list by nature."""

from typing import Any

import bentoml
from handler import MAX_BATCH, TUNED, Handler

# The latency that BentoML aims at; it sheds what it cannot answer within. Plain: its defaults.
LATENCY_MS = 2_000 if TUNED else 60_000
BATCH = MAX_BATCH if TUNED else 100


@bentoml.service(workers=1, traffic={"timeout": 60})
class Predictor:
    def __init__(self) -> None:
        self.model = Handler()

    @bentoml.api(route="/predict", batchable=True, max_batch_size=BATCH, max_latency_ms=LATENCY_MS)
    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        return self.model.predict(texts)
