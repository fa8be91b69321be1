"""Every operation of the service, once, as steps."""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kobert_client.errors import ApiError
from kobert_client.replies import Failure, Job, Prediction, read_job, read_prediction
from kobert_client.steps import Send, Steps, ask

# Seconds that the service holds a request for the end of a job.
LONG_POLL_S = 10


class Operations:
    """The operations; a client binds them to its way of performing steps."""

    max_retries: int

    def _ask(self, method: str, path: str, **fields: Any) -> Steps[Any]:  # noqa: ANN401  of Send
        return (yield from ask(Send(method, path, **fields), self.max_retries))

    def predict(self, /, text: str, **options: Any) -> Steps[Prediction]:  # noqa: ANN401  of the service
        """The verdict on one text.

        Raises:
            ApiError: the text cannot be judged, or the request is refused.
        """
        body = yield from self._ask("POST", "/predict", json={"text": text, **options})
        found = read_prediction(body)
        assert isinstance(found, Prediction)  # noqa: S101  a refused text is an ApiError
        return found

    def predict_many(
        self,
        /,
        texts: Iterable[str],
        *,
        batch_size: int = 500,
        **options: Any,  # noqa: ANN401  of the service
    ) -> Steps[list[Prediction | Failure]]:
        """A verdict or a failure for each text, in their order; at most `batch_size` travel in one request."""
        waiting = list(texts)
        found: list[Prediction | Failure] = []
        for first in range(0, len(waiting), batch_size):
            batch = waiting[first : first + batch_size]
            try:
                body = yield from self._ask("POST", "/predict", json={"texts": batch, **options})
                found += map(read_prediction, body["results"])
            except ApiError as error:
                # The service refuses a request as a whole when it can judge none of its texts.
                if not (error.param or "").startswith("texts["):
                    raise
                found += [Failure(text, error.code, error.message) for text in batch]
        return found

    def submit_texts(self, /, texts: Iterable[str], **options: Any) -> Steps[Job]:  # noqa: ANN401  of the service
        """Start a bulk job for texts."""
        body = {"texts": list(texts), **options}
        return read_job((yield from self._ask("POST", "/jobs", json=body, headers=_once())))

    def submit_file(self, /, path: str | Path, **options: Any) -> Steps[Job]:  # noqa: ANN401  of the service
        """Start a bulk job for a file: csv, tsv, jsonl, txt, xlsx or parquet, also gzipped."""
        file = Path(path)
        shown = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in options.items()}
        headers = {"Content-Type": "application/octet-stream", **_once()}
        params = {"file_name": file.name, **shown}
        return read_job((yield from self._ask("POST", "/jobs", params=params, file=file, headers=headers)))

    def job(self, job_id: str) -> Steps[Job]:
        """How a job stands."""
        return read_job((yield from self._ask("GET", f"/jobs/{quote(job_id)}")))

    def jobs(self, *, limit: int = 20, after: str | None = None) -> Steps[list[Job]]:
        """Your jobs, newest first; `after` is the last id of the page before."""
        params = {"limit": limit, **({} if after is None else {"after": after})}
        body = yield from self._ask("GET", "/jobs", params=params)
        return [read_job(each) for each in body["data"]]

    def wait(self, job_id: str, on_progress: Callable[[Job], object] | None = None) -> Steps[Job]:
        """Wait for the end of a job; `on_progress` is called with each new state. May be called again after a break."""
        last: Job | None = None
        while last is None or not last.has_ended:
            # The first look is at once, so that progress is shown from the start.
            params = {} if last is None else {"wait": LONG_POLL_S}
            job = read_job((yield from self._ask("GET", f"/jobs/{quote(job_id)}", params=params)))
            if on_progress is not None and job != last:
                on_progress(job)
            last = job
        return last

    def results(self, job_id: str, *, after: int = 0, limit: int = 10_000) -> Steps[list[dict[str, Any]]]:
        """Up to `limit` rows of a job's results, those after row `after`; empty behind the last one."""
        params = {"format": "jsonl", "cursor": after, "limit": limit}
        text = yield from self._ask("GET", f"/jobs/{quote(job_id)}/results", params=params)
        return [json.loads(line) for line in text.splitlines()]

    def cancel(self, job_id: str) -> Steps[Job]:
        """Stop a job; what is done is kept."""
        return read_job((yield from self._ask("POST", f"/jobs/{quote(job_id)}/cancel")))

    def delete_job(self, job_id: str) -> Steps[None]:
        """Delete a job with its input and results."""
        yield from self._ask("DELETE", f"/jobs/{quote(job_id)}")

    def put_policy(self, name: str, rules: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        """Set the rules of a board."""
        return (yield from self._ask("PUT", f"/policies/{quote(name, safe='')}", json=dict(rules)))

    def policy(self, name: str) -> Steps[dict[str, Any]]:
        """The rules of a board."""
        return (yield from self._ask("GET", f"/policies/{quote(name, safe='')}"))

    def policies(self) -> Steps[list[dict[str, Any]]]:
        """All policies."""
        return (yield from self._ask("GET", "/policies"))["data"]

    def delete_policy(self, name: str) -> Steps[None]:
        """Delete the rules of a board."""
        yield from self._ask("DELETE", f"/policies/{quote(name, safe='')}")

    def correct(
        self, text: str, classification: str, *, policy: str | None = None, note: str = ""
    ) -> Steps[dict[str, Any]]:
        """Put an answer right: from now on `text` is `classification`."""
        body = {"text": text, "classification": classification, "policy": policy, "note": note}
        return (yield from self._ask("POST", "/corrections", json=body))

    def corrections(self, *, limit: int = 20, after: str | None = None) -> Steps[list[dict[str, Any]]]:
        """Corrections, the last changed first."""
        params = {"limit": limit, **({} if after is None else {"after": after})}
        return (yield from self._ask("GET", "/corrections", params=params))["data"]

    def withdraw(self, correction_id: str) -> Steps[None]:
        """Let the model answer a corrected text again."""
        yield from self._ask("DELETE", f"/corrections/{quote(correction_id)}")

    def info(self) -> Steps[dict[str, Any]]:
        """Model, labels, workers, limits."""
        return (yield from self._ask("GET", "/info"))


def _once() -> dict[str, str]:
    """A header that lets a request be repeated without making a second job."""
    return {"Idempotency-Key": uuid.uuid4().hex}
