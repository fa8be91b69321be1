"""Reads a JSON body up to a size limit, and explains what is wrong with a malformed one."""

import json
from collections.abc import Mapping, Sequence

from fastapi import Request

from shared.errors import MalformedRequestError, TooLargeError, UnsupportedMediaError

MAX_NAME_CHARS = 60
JSON_HINT = "send JSON with -H 'Content-Type: application/json'"


async def read_json_object(request: Request, max_body_bytes: int) -> dict[str, object]:
    """The body as a JSON object.

    Raises:
        UnsupportedMediaError: the content type is not JSON.
        TooLargeError: more than `max_body_bytes`, known from the header or found while reading.
        MalformedRequestError: not UTF-8, not JSON, or not an object.
    """
    _check_content_type(request)
    raw = await _read_limited(request, max_body_bytes)
    try:
        body = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"the body is not UTF-8 (byte {error.start}); encode it as UTF-8") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise MalformedRequestError(f"the body is not JSON: {_where(error)}") from error
    if not isinstance(body, dict):
        raise MalformedRequestError('the body must be a JSON object such as {"text": "…"}')
    return body


def refuse_unknown_fields(body: Mapping[str, object], known: Sequence[str]) -> None:
    """Check that a body has no field besides those that are `known`: a misspelt one would be ignored.

    Raises:
        MalformedRequestError: it has another; names it, and those that there are.
    """
    unknown = next((name for name in body if name not in known), None)
    if unknown is not None:
        shown = unknown[:MAX_NAME_CHARS].encode("utf-8", "replace").decode()
        raise MalformedRequestError(f"there is no field {shown!r}; the fields are {', '.join(known)}", param=shown)


def _check_content_type(request: Request) -> None:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json" and not content_type.endswith("+json"):
        shown = content_type or "no content type"
        raise UnsupportedMediaError(f"the body came as {shown}; {JSON_HINT}")


async def _read_limited(request: Request, max_body_bytes: int) -> bytes:
    refusal = TooLargeError(f"the body is larger than {max_body_bytes:,} bytes (MAX_BODY_BYTES); send it in parts")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_body_bytes:
        raise refusal
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > max_body_bytes:
            raise refusal
        parts.append(part)
    return b"".join(parts)


def _where(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return "it is nested too deeply"
