"""Our errors as OpenAI's clients raise from them."""

from http import HTTPStatus

import msgspec

from api.doors.route import DoorRoute
from api.http.echo import quotable
from api.http.errors import body_of, status_of
from shared.errors import KobertError, NotFoundError, TextRejectedError


class OpenAiRoute(DoorRoute):
    """A route of OpenAI's API; keys come as bearer tokens."""

    door = "openai"

    def show_error(self, error: KobertError) -> tuple[int, dict[str, object]]:
        """Ours is OpenAI's shape already; what is wrong with a request is 400 there."""
        status = status_of(error)
        if status in {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}:
            status = HTTPStatus.BAD_REQUEST
        body = body_of(error)
        return status, {
            "error": msgspec.structs.replace(body, message=quotable(body.message), param=_param(body.param))
        }


def unknown_model(name: str, known: list[str]) -> NotFoundError:
    """The error for a model that is not served."""
    shown = quotable(name)
    return ModelMissingError(f"The model '{shown}' does not exist; this service has {', '.join(known)}", param="model")


class ModelMissingError(NotFoundError):
    """Raised when a request names a model that is not served."""

    code = "model_not_found"


def unreadable_part(message: str, param: str) -> TextRejectedError:
    """The error for a part of an input that is no text."""
    return TextRejectedError(message, code="unsupported_input", param=param)


def _param(param: str | None) -> str | None:
    return None if param is None else quotable(param)
