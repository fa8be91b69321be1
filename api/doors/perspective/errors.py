"""Our errors in the form of Google's APIs, with the details that Perspective documents (`errorType`)."""

from http import HTTPStatus

from api.http.echo import quotable
from api.http.errors import status_of
from shared.errors import KobertError, TextRejectedError, UnauthorisedError, UnsupportedOptionError

# google.rpc.Code by HTTP status (https://cloud.google.com/apis/design/errors).
_CODES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TEXT_ERRORS = {
    "empty_text": ("COMMENT_EMPTY", "Comment must be non-empty."),
    "text_too_long": ("COMMENT_TOO_LONG", "Comment text too long."),
}
_ERROR_TYPE = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def show_error(error: KobertError) -> tuple[int, dict[str, object]]:
    """Status and body. What is wrong with a request is 400, as Google has it, a wrong key included."""
    status = _status_of(error)
    code = _CODES.get(status, "UNKNOWN")
    body: dict[str, object] = {"code": status, "message": quotable(_message(error)), "status": code}
    if details := _details(error, status):
        body["details"] = [details]
    return status, {"error": body}


def _status_of(error: KobertError) -> int:
    status = status_of(error)
    return HTTPStatus.BAD_REQUEST if status in {401, 413, 415, 422} else HTTPStatus(status)


def _message(error: KobertError) -> str:
    if isinstance(error, UnauthorisedError):
        return "API key not valid. Please pass a valid API key. Send a key of this service as ?key="
    if isinstance(error, TextRejectedError) and error.code in _TEXT_ERRORS:
        return f"{_TEXT_ERRORS[error.code][1]} ({error.message})"
    return error.message


def _details(error: KobertError, status: int) -> dict[str, object] | None:
    if isinstance(error, UnauthorisedError):
        return {"@type": _ERROR_INFO, "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
    if status != HTTPStatus.BAD_REQUEST:
        return None
    if isinstance(error, UnsupportedOptionError):
        unsupported = {"detectedLanguages": ["ko"], "attribute": error.param}
        return {
            "@type": _ERROR_TYPE,
            "errorType": "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
            "languageNotSupportedByAttributeError": unsupported,
        }
    return {"@type": _ERROR_TYPE, "errorType": _error_type(error)}


def _error_type(error: KobertError) -> str:
    if isinstance(error, TextRejectedError) and error.code in _TEXT_ERRORS:
        return _TEXT_ERRORS[error.code][0]
    is_missing = getattr(error, "param", None) == "requestedAttributes"
    return "NO_REQUESTED_ATTRIBUTES" if is_missing else "INVALID_REQUEST"
