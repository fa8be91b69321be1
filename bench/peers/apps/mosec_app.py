"""mosec with dynamic batching and one worker process."""

from typing import Any

from handler import MAX_BATCH, TUNED, WAIT_MS, Handler, texts_of
from mosec import Server, Worker

README_WAIT_MS = 10


class Predictor(Worker):
    def __init__(self) -> None:
        super().__init__()
        self.model = Handler()

    def forward(self, data: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        requests = [texts_of(body) for body in data]
        answers = iter(self.model.predict([text for texts in requests for text in texts]))
        return [[next(answers) for _ in texts] for texts in requests]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Predictor, num=1, max_batch_size=MAX_BATCH, max_wait_time=WAIT_MS if TUNED else README_WAIT_MS)
    server.run()
