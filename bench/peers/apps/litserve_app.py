"""LitServe with dynamic batching and one inference worker."""

import sys
from typing import Any

import litserve
from handler import MAX_BATCH, TUNED, WAIT_MS, Handler, texts_of

# Its documentation's example waits for 100 ms, which a lone text would pay for.
DEFAULT_WAIT_MS = 0


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002  as LitServe calls it
        self.model = Handler()

    def decode_request(self, request: dict[str, Any]) -> list[str]:
        return texts_of(request)

    def batch(self, inputs: list[list[str]]) -> list[list[str]]:
        return inputs

    def predict(self, requests: list[list[str]]) -> list[list[dict[str, Any]]]:
        answers = iter(self.model.predict([text for texts in requests for text in texts]))
        return [[next(answers) for _ in texts] for texts in requests]

    def unbatch(self, output: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
        return output

    def encode_response(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return output


if __name__ == "__main__":
    api = Api(max_batch_size=MAX_BATCH, batch_timeout=(WAIT_MS if TUNED else DEFAULT_WAIT_MS) / 1000)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue=TUNED)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
