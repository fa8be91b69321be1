"""Turns errors of `shared.errors` into HTTP responses: one table of statuses, one JSON shape."""

import http
from collections.abc import Mapping

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from api.http.request_id import current_request_id
from api.http.request_record import current_record
from shared import errors
from shared.log import get_logger

log = get_logger(__name__)

# The most specific class decides; see `status_of`.
STATUS: Mapping[type[errors.KobertError], int] = {
    errors.KobertError: 500,
    errors.RequestError: 422,
    errors.UnauthorisedError: 401,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.UnsupportedMediaError: 415,
    errors.TooLargeError: 413,
    errors.OverloadedError: 429,
    errors.TextRejectedError: 422,
    errors.UnavailableError: 503,
    errors.DeadlineExceededError: 504,
    errors.PredictionFailedError: 500,
}

# Error classes of the codes that workers send.
BY_CODE: Mapping[str, type[errors.KobertError]] = {
    error.code: error for error in (errors.DeadlineExceededError, errors.PredictionFailedError, errors.UnavailableError)
}


class ErrorBody(msgspec.Struct, frozen=True):
    """The inside of `{"error": …}`; `param` names the field or item at fault."""

    code: str
    message: str
    type: str
    param: str | None
    request_id: str | None = None


def status_of(error: errors.KobertError) -> int:
    """The HTTP status of an error, by its nearest class in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body_of(error: errors.KobertError, *, param: str | None = None) -> ErrorBody:
    """The error as the client sees it; `param` replaces the error's own."""
    own_param = getattr(error, "param", None)
    return ErrorBody(error.code, error.message, type_of(status_of(error)), param or own_param)


def type_of(status: int) -> str:
    """The error type of a status, as OpenAI names it."""
    if status == http.HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    return "invalid_request_error" if status < http.HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"


def from_worker(code: str, message: str, param: str) -> errors.KobertError:
    """The error that a worker reported by code."""
    if code in BY_CODE:
        return BY_CODE[code](message)
    return errors.TextRejectedError(message, code=code, param=param)


def install(app: FastAPI) -> None:
    """Make `app` answer every error in the same JSON shape."""
    app.add_exception_handler(errors.KobertError, _answer_known)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_invalid_parameter)
    app.add_exception_handler(Exception, _answer_unknown)


def respond(body: ErrorBody, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """`{"error": body}` with the id of the current request."""
    current_record().error_code = body.code
    named = msgspec.structs.replace(body, request_id=current_request_id())
    return Response(msgspec.json.encode({"error": named}), status, dict(headers or {}), "application/json")


async def _answer_known(_: Request, error: Exception) -> Response:
    if not isinstance(error, errors.KobertError):
        raise error
    retry_after_s = getattr(error, "retry_after_s", None)
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return respond(body_of(error), status_of(error), headers)


async def _answer_http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    phrase = http.HTTPStatus(error.status_code).phrase
    body = ErrorBody(phrase.lower().replace(" ", "_"), error.detail or phrase, type_of(error.status_code), None)
    return respond(body, error.status_code, error.headers)


async def _answer_invalid_parameter(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    fault = error.errors()[0]
    name = str(fault["loc"][-1])
    return respond(body_of(errors.RequestError(f"{name}: {fault['msg']}", param=name)), 422)


async def _answer_unknown(_: Request, error: Exception) -> Response:
    log.error("unhandled_error", error_type=type(error).__name__, exc_info=error)
    return respond(ErrorBody("internal_error", "the server failed; the log names the cause", "server_error", None), 500)
