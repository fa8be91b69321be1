"""`POST /predict`: one text or several, answered while the caller waits."""

from typing import Any

from fastapi import APIRouter, Request, Response

from api.context import Context, ContextDep
from api.http import errors, schemas
from api.http.body import read_json_object, refuse_unknown_fields
from api.http.request_id import current_request_id
from api.http.request_record import current_record
from api.http.texts import check_text
from api.http.timing import Stopwatch, Timing
from api.queue.dispatcher import Result
from shared.errors import KobertError, MalformedRequestError, TextRejectedError, TooLargeError
from shared.messages import Prediction
from shared.options import VerdictOptions, parse_verdict_options

router = APIRouter(tags=["predict"])

FIELDS = ("text", "texts", "strictness", "thresholds")

_REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"anyOf": [schemas.OneText.model_json_schema(), schemas.ManyTexts.model_json_schema()]},
            "examples": {
                "text": {"summary": "한 문장", "value": {"text": schemas.EXAMPLE_TEXT}},
                "texts": {"summary": "여러 문장", "value": {"texts": [schemas.EXAMPLE_TEXT, "배송이 너무 늦어요."]}},
                "strict": {"summary": "엄격하게", "value": {"text": schemas.EXAMPLE_TEXT, "strictness": "strict"}},
            },
        }
    },
}


@router.post(
    "/predict",
    summary="Classify one text or several",
    response_model=schemas.PredictionOut | schemas.ManyPredictions,
    responses=schemas.error_replies(413, 415, 422, 429, 500, 503, 504),
    openapi_extra={"requestBody": _REQUEST_BODY},
)
async def predict(request: Request, context: ContextDep) -> Response:
    """Send `{"text": "…"}` for one answer, or `{"texts": ["…", …]}` for answers in the same order.

    Among several, an item that cannot be classified has an `error` in its place; only when none can is the whole
    request refused.

    `strictness` (`lenient`, `standard`, `strict`) and `thresholds` (`{"curse": 0.4}`) say for this request which scores
    count. `GET /info` has the levels and labels that the model knows.
    """
    body = await read_json_object(request, context.settings.max_body_bytes)
    refuse_unknown_fields(body, FIELDS)
    values, names = _items(body, context.settings.max_texts_per_request)
    options = _options(body, context)
    stopwatch = Stopwatch()
    outcomes = await _classify(values, names, options, context)
    if all(isinstance(outcome, KobertError) for outcome in outcomes):
        raise outcomes[0]  # type: ignore[misc]  # the line above says that it is an error
    predictions = [outcome for outcome in outcomes if isinstance(outcome, Prediction)]
    timing = stopwatch.read(predictions)
    _note(outcomes, timing)
    shown = [_show(value, name, outcome) for value, name, outcome in zip(values, names, outcomes, strict=True)]
    content = schemas.ManyPredictions.model_construct(results=shown) if "texts" in body else shown[0]
    return Response(content.model_dump_json(), media_type="application/json", headers=timing.headers())


def _items(body: dict[str, object], max_texts: int) -> tuple[list[Any], list[str]]:
    """The texts as sent, unchecked, and what to call each in an error."""
    if ("text" in body) == ("texts" in body):
        raise MalformedRequestError('send either "text", a string, or "texts", an array of strings', param="text")
    if "text" in body:
        return [body["text"]], ["text"]
    texts = body["texts"]
    if not isinstance(texts, list) or not texts:
        raise MalformedRequestError('"texts" must be an array of at least one string', param="texts")
    if len(texts) > max_texts:
        raise TooLargeError(
            f"{len(texts):,} texts in one request; at most {max_texts:,} are taken (MAX_TEXTS_PER_REQUEST). "
            "Send them in parts",
            param="texts",
        )
    return texts, [f"texts[{index}]" for index in range(len(texts))]


def _options(body: dict[str, object], context: Context) -> VerdictOptions | None:
    options = parse_verdict_options(body.get("strictness"), body.get("thresholds"))
    if options is not None:
        context.fleet.check_options(options)
    return options


async def _classify(
    values: list[Any], names: list[str], options: VerdictOptions | None, context: Context
) -> list[Prediction | KobertError]:
    """An outcome for each item: those that are no texts are refused here, the others go to the workers."""
    outcomes = [_check(value, name, context.settings.max_text_chars) for value, name in zip(values, names, strict=True)]
    accepted = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, str)]
    if accepted:
        results = await context.dispatcher.classify([values[index] for index in accepted], options)
        for index, result in zip(accepted, results, strict=True):
            outcomes[index] = _named(result, names[index])
    return outcomes  # type: ignore[return-value]  # no plain text is left


def _check(value: object, name: str, max_text_chars: int) -> str | Prediction | KobertError:
    try:
        return check_text(value, name, max_text_chars)
    except TextRejectedError as error:
        return error


def _named(result: Result | KobertError, name: str) -> Prediction | KobertError:
    if isinstance(result, Prediction | KobertError):
        return result
    return errors.from_worker(result.code, result.message, name)


def _note(outcomes: list[Prediction | KobertError], timing: Timing) -> None:
    record = current_record()
    record.timing = timing
    record.classifications = [outcome.classification for outcome in outcomes if isinstance(outcome, Prediction)]
    record.text_errors = [outcome.code for outcome in outcomes if isinstance(outcome, KobertError)]


def _show(value: Any, name: str, outcome: Prediction | KobertError) -> schemas.PredictionOut | schemas.FailedOut:  # noqa: ANN401  an item as it was sent
    if isinstance(outcome, Prediction):
        return schemas.PredictionOut.model_construct(
            text=value,
            classification=outcome.classification,
            confidence=outcome.confidence,
            scores=outcome.scores,
            labels=outcome.labels,
            windows=outcome.windows,
        )
    body = errors.body_of(outcome, param=name)
    error = schemas.ErrorOut.model_construct(
        code=body.code, message=body.message, type=body.type, param=body.param, request_id=current_request_id()
    )
    echo = None if outcome.code == "invalid_unicode" else value
    return schemas.FailedOut.model_construct(text=echo, error=error)
