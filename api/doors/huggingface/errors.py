"""Our errors as Hugging Face's clients read them."""

from http import HTTPStatus

from api.doors.route import DoorRoute
from api.http.echo import quotable
from api.http.errors import status_of
from shared.errors import KobertError

# Text Embeddings Inference's names, by HTTP status.
_TYPES = {
    HTTPStatus.TOO_MANY_REQUESTS: "overloaded",
    HTTPStatus.SERVICE_UNAVAILABLE: "unhealthy",
    HTTPStatus.GATEWAY_TIMEOUT: "backend",
    HTTPStatus.INTERNAL_SERVER_ERROR: "backend",
}


DOOR = "huggingface"


class HuggingFaceRoute(DoorRoute):
    """A route of Hugging Face's APIs; keys come as bearer tokens."""

    door = DOOR

    def show_error(self, error: KobertError) -> tuple[int, dict[str, object]]:
        """As the function of this name."""
        return show_error(error)


def show_error(error: KobertError) -> tuple[int, dict[str, object]]:
    """The status, and the message as a string with Text Embeddings Inference's type of it."""
    status = HTTPStatus(status_of(error))
    return status, {"error": quotable(error.message), "error_type": _TYPES.get(status, "validation")}
