"""Lets the pages of other origins ask, where CORS_ORIGINS names them (CORS, https://fetch.spec.whatwg.org)."""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from api.http.errors import make_body, respond

METHODS = ("GET", "HEAD", "POST", "DELETE")
# Request headers that a page may set, in addition to those that browsers always allow.
REQUEST_HEADERS = ("Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key", "X-Request-ID")
# Reply headers that a page may read, in addition to those that browsers always show.
REPLY_HEADERS = (
    "Content-Disposition", "Idempotent-Replayed", "Location", "Retry-After", "WWW-Authenticate", "X-Cached-Texts",
    "X-Inference-Time", "X-Queue-Time", "X-Request-ID", "X-Results-Partial", "X-Tokenization-Time", "X-Total-Rows",
    "X-Total-Time",
)  # fmt: skip
# Browsers ask again after this.
MAX_AGE_S = 600


class CrossOriginMiddleware(CORSMiddleware):
    """Starlette's, with a refusal in the one shape of an error."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a browser that asks before it sends."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        asked = request_headers.get("origin", "")[:100]
        body = make_body(
            "cross_origin", f"pages of {asked} may not ask this way here (CORS_ORIGINS)", answer.status_code
        )
        return respond(body, answer.status_code, {"Vary": "Origin"})


def install(app: FastAPI, origins: Sequence[str]) -> None:
    """Let the pages of `origins` ask; `*` stands for all, and nothing for none but the service's own."""
    if origins:
        app.add_middleware(
            CrossOriginMiddleware,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=REPLY_HEADERS,
            max_age=MAX_AGE_S,
        )
