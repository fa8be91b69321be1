"""What OpenAPI says of a verdict, held to the struct that is sent."""

import msgspec

from api.http import schemas
from shared.verdict import Verdict


def test_a_verdict_has_the_fields_that_openapi_says_in_their_order() -> None:
    assert ("text", *Verdict.__struct_fields__) == tuple(schemas.PredictionOut.model_fields)


def test_a_verdict_is_sent_in_the_types_that_openapi_says() -> None:
    verdict = Verdict("curse", 0.9, {"curse": 0.9, "clean": 0.1}, ["curse"], 2)
    sent = {"text": "글", **msgspec.to_builtins(verdict)}
    assert schemas.PredictionOut.model_validate(sent, strict=True)
