"""Ray Serve with one replica and its batching decorator."""

import sys
import time
from typing import Any

import ray
from handler import MAX_BATCH, TUNED, WAIT_MS, Handler, texts_of
from ray import serve
from starlette.requests import Request

DEFAULT_WAIT_MS = 10


@serve.deployment(num_replicas=1, max_ongoing_requests=512, ray_actor_options={"num_cpus": 1})
class Predictor:
    def __init__(self) -> None:
        self.model = Handler()

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=(WAIT_MS if TUNED else DEFAULT_WAIT_MS) / 1000)
    async def predict(self, requests: list[list[str]]) -> list[list[dict[str, Any]]]:
        answers = iter(self.model.predict([text for texts in requests for text in texts]))
        return [[next(answers) for _ in texts] for texts in requests]

    async def __call__(self, request: Request) -> list[dict[str, Any]]:
        # The decorator gives each caller its own answer of the many.
        answers: list[dict[str, Any]] = await self.predict(texts_of(await request.json()))
        return answers


if __name__ == "__main__":
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="warning")
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Predictor.bind(), route_prefix="/predict")  # type: ignore[attr-defined]  # by its decorator
    while True:
        time.sleep(1)
