"""What OpenAPI says of a verdict, held to the struct that is sent."""

import json
import re

import msgspec

from api.http import schemas
from api.http.refusals import REFUSALS
from api.main import create_app
from shared.settings import load_settings
from shared.verdict import Verdict


def test_a_verdict_has_the_fields_that_openapi_says_in_their_order() -> None:
    assert ("text", *Verdict.__struct_fields__) == tuple(schemas.PredictionOut.model_fields)


def test_a_verdict_is_sent_in_the_types_that_openapi_says() -> None:
    verdict = Verdict("curse", 0.9, {"curse": 0.9, "clean": 0.1}, ["curse"], 2)
    sent = {"text": "글", **msgspec.to_builtins(verdict)}
    assert schemas.PredictionOut.model_validate(sent, strict=True)


def test_every_schema_that_openapi_refers_to_is_there_the_errors_too() -> None:
    schema = create_app(load_settings(redis_url="redis://127.0.0.1:1/0")).openapi()
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(schema)))

    assert {"ErrorReply", "ErrorOut"} <= named <= set(schema["components"]["schemas"])


def test_every_operation_names_what_the_connection_answers_before_there_is_a_route() -> None:
    schema = create_app(load_settings(redis_url="redis://127.0.0.1:1/0")).openapi()
    operations = [operation for of_path in schema["paths"].values() for operation in of_path.values()]
    named = set(re.findall(r'"#/components/responses/([^"]+)"', json.dumps(schema)))

    assert named <= set(schema["components"]["responses"])
    assert not [operation for operation in operations if not set(map(str, REFUSALS)) <= set(operation["responses"])]


def test_the_errors_of_routes_are_no_models_of_which_each_would_get_a_validator_at_the_start() -> None:
    assert not any("model" in entry for entry in schemas.error_replies(401, 422, 503).values())
