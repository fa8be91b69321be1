import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.http import errors as api_errors
from api.http import schemas
from api.http.request_id import RequestIdMiddleware
from shared import errors


def client_that_meets(error: Exception) -> TestClient:
    app = FastAPI()
    app.add_middleware(RequestIdMiddleware)
    api_errors.install(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.TextRejectedError("m", code="empty_text", param="text"), 422, "invalid_request_error"),
        (errors.MalformedRequestError("m"), 422, "invalid_request_error"),
        (errors.UnsupportedMediaError("m"), 415, "invalid_request_error"),
        (errors.TooLargeError("m"), 413, "invalid_request_error"),
        (errors.OverloadedError("m"), 429, "rate_limit_error"),
        (errors.StoreUnavailableError("m"), 503, "server_error"),
        (errors.NoWorkerError("m"), 503, "server_error"),
        (errors.DeadlineExceededError("m"), 504, "server_error"),
        (errors.PredictionFailedError("m"), 500, "server_error"),
    ],
)
def test_each_error_has_its_status_and_the_one_shape(error: errors.KobertError, status: int, kind: str) -> None:
    answer = client_that_meets(error).get("/")

    assert answer.status_code == status
    body = answer.json()["error"]
    assert (body["code"], body["message"], body["type"]) == (error.code, "m", kind)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert ("retry-after" in answer.headers) == (status in {429, 503})


def test_an_error_nobody_foresaw_tells_the_caller_nothing_of_its_cause() -> None:
    answer = client_that_meets(ValueError("a secret")).get("/")

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert "secret" not in answer.text


def test_every_error_of_the_tree_has_a_status() -> None:
    def family(kind: type[errors.KobertError]) -> set[type[errors.KobertError]]:
        return {kind}.union(*(family(child) for child in kind.__subclasses__()))

    for kind in family(errors.KobertError):
        assert any(ancestor in api_errors.STATUS for ancestor in kind.__mro__)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    def names(kind: type[errors.KobertError]) -> set[str]:
        return {kind.__name__}.union(*(names(child) for child in kind.__subclasses__()))

    assert errors.__doc__ is not None
    drawn = {word for word in errors.__doc__.split() if word.endswith("Error")}
    assert drawn == {name for name in names(errors.KobertError) if hasattr(errors, name)}


def test_the_body_of_an_error_is_what_openapi_says() -> None:
    assert api_errors.ErrorBody.__struct_fields__ == tuple(schemas.ErrorOut.model_fields)
