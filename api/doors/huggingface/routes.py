"""Text classification in Hugging Face's words: `POST /models/{name}`, `POST /`, and `/predict` with `inputs`."""

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api.context import Context, ContextDep
from api.doors.bodies import convert
from api.doors.huggingface.errors import DOOR, HuggingFaceRoute, show_error
from api.doors.huggingface.messages import ClassificationRequest, Parameters, read_inputs
from api.doors.huggingface.schemas import REQUEST_BODY, LabelOut, RefusalOut
from api.doors.options import read_options
from api.doors.route import refuse
from api.http.auth import require_scope
from api.http.body import read_json_object
from api.http.request_record import current_record
from api.queue.judging import Item, Judged
from shared.errors import KobertError, MalformedRequestError, NotFoundError, UnsupportedOptionError
from shared.messages import ModelInfo
from shared.verdict import Verdict

router = APIRouter(route_class=HuggingFaceRoute, dependencies=[Depends(require_scope("predict"))])

# What turned the model's output into its scores.
_FUNCTIONS = {"multi_label_classification": "sigmoid", "single_label_classification": "softmax"}


@router.post(
    "/",
    tags=["predict"],
    summary="Classify as Hugging Face's APIs do",
    response_model=list[list[LabelOut]],
    responses={status: {"model": RefusalOut} for status in (400, 401, 403, 408, 413, 415, 422, 429, 500, 503, 504)},
    openapi_extra={"requestBody": REQUEST_BODY},
)
async def classify(request: Request, context: ContextDep) -> Response:
    """For `InferenceClient("http://HOST:8000")`."""
    return await answer(await read_json_object(request, context.settings.max_body_bytes), context)


@router.post("/models/{name:path}", include_in_schema=False)
async def classify_by_model(name: str, request: Request, context: ContextDep) -> Response:
    """For `InferenceClient("http://HOST:8000/models/NAME")`; NAME may have an owner and a slash before it."""
    served = {worker.model.name for worker in context.fleet.workers}
    if served and name.rpartition("/")[2] not in served:
        raise NotFoundError(f"no model of this name is served; there is {', '.join(sorted(served))}", param="name")
    return await answer(await read_json_object(request, context.settings.max_body_bytes), context)


async def answer(body: dict[str, object], context: Context) -> Response:
    """For each text a list of its labels with their scores; one text has such a list of lists, too."""
    shown, headers = await _classify(body, context)
    return Response(msgspec.json.encode(shown), media_type="application/json", headers=headers)


async def answer_predict(body: dict[str, object], context: Context) -> Response:
    """As Text Embeddings Inference answers its own `/predict`: one text has one list."""
    current_record().door = DOOR
    try:
        shown, headers = await _classify(body, context)
    except KobertError as error:
        return refuse(*show_error(error), error)
    content = shown[0] if isinstance(body["inputs"], str) else shown
    return Response(msgspec.json.encode(content), media_type="application/json", headers=headers)


async def _classify(body: dict[str, object], context: Context) -> tuple[list[list[dict[str, object]]], dict[str, str]]:
    asked = convert(body, ClassificationRequest)
    parameters = asked.parameters or Parameters()
    model = context.judging.model
    _check(asked, parameters, model)
    options = read_options(context.judging, parameters.strictness, parameters.thresholds, parameters.policy)
    items = read_inputs(asked.inputs, context.settings.max_texts_per_request)
    judged = await context.judging.judge(items, options)
    return [_show(outcome, parameters.top_k) for outcome in judged.outcomes], _headers(items, judged)


def _check(asked: ClassificationRequest, parameters: Parameters, model: ModelInfo) -> None:
    if parameters.top_k is not None and parameters.top_k < 1:
        raise MalformedRequestError("parameters.top_k must be 1 or more", param="parameters.top_k")
    applied = _FUNCTIONS.get(model.problem_type, "softmax")
    if asked.raw_scores or parameters.function_to_apply not in {None, applied}:
        raise UnsupportedOptionError(
            f"this model's scores are those of function_to_apply={applied!r}; raw scores are not served",
            param="raw_scores" if asked.raw_scores else "parameters.function_to_apply",
        )


def _show(outcome: Verdict | KobertError, top_k: int | None) -> list[dict[str, object]]:
    """The classification first, then the other labels, highest score first.

    Raises:
        KobertError: there is no verdict; the reply has no place for an error among results.
    """
    if isinstance(outcome, KobertError):
        raise outcome
    first = outcome.classification
    ranked = [first, *(label for label in outcome.scores if label != first)]
    return [{"label": label, "score": outcome.scores.get(label, outcome.confidence)} for label in ranked[:top_k]]


def _headers(items: list[Item], judged: Judged) -> dict[str, str]:
    characters = sum(len(item.value) for item in items if isinstance(item.value, str))
    return {"x-compute-type": "cpu", "x-compute-characters": str(characters), **judged.headers()}
