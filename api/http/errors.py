"""Turns errors of `shared.errors` into HTTP responses: one table of statuses, one JSON shape."""

import http
from collections.abc import Mapping

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api.http.echo import quotable
from api.http.request_id import current_request_id
from api.http.request_record import current_record
from shared import errors
from shared.log import get_logger
from shared.verdict import Failure

log = get_logger(__name__)

# The most specific class decides; see `status_of`.
STATUS: Mapping[type[errors.KobertError], int] = {
    errors.KobertError: 500,
    errors.RequestError: 422,
    errors.UnauthorisedError: 401,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.PreconditionFailedError: 412,
    errors.UnsupportedMediaError: 415,
    errors.TooSlowError: 408,
    errors.TooLargeError: 413,
    errors.LengthRequiredError: 411,
    errors.OverloadedError: 429,
    errors.TextRejectedError: 422,
    errors.UnavailableError: 503,
    errors.DeadlineExceededError: 504,
    errors.PredictionFailedError: 500,
}

# How to send a key (RFC 6750).
CHALLENGE = 'Bearer realm="kobert"'

# What a worker names by code, as the class that the table knows.
BY_CODE: Mapping[str, type[errors.KobertError]] = {
    error.code: error for error in (errors.DeadlineExceededError, errors.PredictionFailedError, errors.UnavailableError)
}


class ErrorBody(msgspec.Struct, frozen=True):
    """The inside of `{"error": …}`; `param` names the field or item at fault."""

    code: str
    message: str
    type: str
    param: str | None
    request_id: str | None


def status_of(error: errors.KobertError) -> int:
    """The HTTP status of an error, by its nearest class in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body_of(error: errors.KobertError, *, param: str | None = None, request_id: str | None = None) -> ErrorBody:
    """The error as the client sees it; `param` replaces the error's own, `request_id` that of the current request."""
    own_param = getattr(error, "param", None)
    return make_body(error.code, error.message, status_of(error), param or own_param, request_id)


def make_body(
    code: str, message: str, status: int, param: str | None = None, request_id: str | None = None
) -> ErrorBody:
    """The body of an error of the request with this id, by default the current one."""
    return ErrorBody(code, message, type_of(status), param, request_id or current_request_id())


def encode_body(body: ErrorBody) -> bytes:
    """`{"error": body}`."""
    # A message may quote what was sent: as long as it was, or with half a surrogate pair.
    named = msgspec.structs.replace(
        body,
        message=quotable(body.message),
        param=None if body.param is None else quotable(body.param),
    )
    return msgspec.json.encode({"error": named})


def type_of(status: int) -> str:
    """The error type of a status, as OpenAI names it."""
    if status == http.HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    return "invalid_request_error" if status < http.HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"


def from_worker(failure: Failure, param: str) -> errors.KobertError:
    """The error that a worker reported by code."""
    if failure.code in BY_CODE:
        return BY_CODE[failure.code](failure.message)
    return errors.TextRejectedError(failure.message, code=failure.code, param=param)


def install(app: FastAPI) -> None:
    """Make `app` answer every error in the same JSON shape."""
    app.add_exception_handler(errors.KobertError, _answer_known)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_invalid_parameter)
    app.add_exception_handler(Exception, _answer_unknown)


def respond(body: ErrorBody, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The answer with this error; also noted in the request's record."""
    current_record().error_code = body.code
    return Response(encode_body(body), status, dict(headers or {}), "application/json")


def headers_of(error: errors.KobertError) -> dict[str, str]:
    """The headers that go with an error's kind."""
    headers: dict[str, str] = {}
    if (retry_after_s := getattr(error, "retry_after_s", None)) is not None:
        headers["Retry-After"] = str(retry_after_s)
    if isinstance(error, errors.UnauthorisedError):
        headers["WWW-Authenticate"] = CHALLENGE
    return headers


def respond_to(error: errors.KobertError) -> Response:
    """The answer to an error of ours."""
    return respond(body_of(error), status_of(error), headers_of(error))


async def _answer_known(_: Request, error: Exception) -> Response:
    if not isinstance(error, errors.KobertError):
        raise error
    return respond_to(error)


async def _answer_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    phrase = http.HTTPStatus(error.status_code).phrase
    body = make_body(phrase.lower().replace(" ", "_"), error.detail or phrase, error.status_code)
    headers = dict(error.headers or {})
    if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_for(request))
    return respond(body, error.status_code, headers)


def _methods_for(request: Request) -> list[str]:
    """What the path can be asked with, by all its routes: the framework names the methods of one alone.

    `/jobs/preview` fits the pattern `/jobs/{job_id}` too, but has only the methods that it is described with.
    """

    def is_taken(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    described = request.app.openapi()["paths"].get(
        request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    )
    methods = sorted(filter(is_taken, map(str, http.HTTPMethod)))
    return [m for m in methods if described is None or m == http.HTTPMethod.HEAD or m.lower() in described]


async def _answer_invalid_parameter(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    fault = error.errors()[0]
    name = str(fault["loc"][-1])
    said = "there is no such parameter" if fault["type"] == "extra_forbidden" else fault["msg"]
    return respond(body_of(errors.RequestError(f"{quotable(name)}: {said}", param=quotable(name))), 422)


async def _answer_unknown(_: Request, error: Exception) -> Response:
    log.error("unhandled_error", error_type=type(error).__name__, exc_info=error)
    return respond(make_body("internal_error", "the server failed; the log names the cause", 500), 500)
