"""Reads a JSON body up to a size limit, and explains what is wrong with a malformed one."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence

from fastapi import Request
from starlette.requests import ClientDisconnect

from api.http import bodies
from api.http.json_values import MAX_VALUES, require_few_values
from api.http.unpacking import Unpacker, coding_of
from shared.errors import MalformedRequestError, TooLargeError, UnsupportedMediaError

MAX_NAME_CHARS = 60
JSON_HINT = "send JSON with -H 'Content-Type: application/json'"


async def read_json_object(
    request: Request, max_body_bytes: int, max_values: int = MAX_VALUES, refusal: str | None = None
) -> dict[str, object]:
    """The body as a JSON object. `refusal`: what to say of one that is too large, if not the usual.

    Raises:
        UnsupportedMediaError: the content type is not JSON, or the coding neither gzip nor deflate.
        TooSlowError: it did not come in time.
        OverloadedError: there is no room for it now.
        TooLargeError: more than `max_body_bytes`, packed or unpacked, known from the header or found while reading; or
            more than `max_values` values.
        MalformedRequestError: not UTF-8, not JSON, or not an object.
    """
    _check_content_type(request)
    return await parse_json_object(request, max_body_bytes, max_values, refusal)


async def parse_json_object(
    request: Request, max_body_bytes: int, max_values: int = MAX_VALUES, refusal: str | None = None
) -> dict[str, object]:
    """As `read_json_object`, whatever the content type says: other services take JSON under any."""
    try:
        raw = await read_body(request, max_body_bytes, refusal)
        require_few_values(raw, max_values)
        return _parse_object(raw)
    except ClientDisconnect as error:
        raise MalformedRequestError("the client left before the body was complete") from error
    finally:
        bodies.release(request.scope)


def _parse_object(raw: bytes | bytearray) -> dict[str, object]:
    try:
        body = _parse(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"the body is not UTF-8 (byte {error.start}); encode it as UTF-8") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise MalformedRequestError(f"the body is not JSON: {_where(error)}") from error
    if not isinstance(body, dict):
        raise MalformedRequestError('the body must be a JSON object such as {"text": "…"}')
    return body


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python reads no number of more than some 4,300 digits, and one such item must not cost its neighbours.
        return json.loads(text, parse_int=_parse_integer)


def _parse_integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)  # infinite


def refuse_unknown_fields(body: Mapping[str, object], known: Sequence[str]) -> None:
    """Refuse fields that are not in `known`, so that a misspelt one is not ignored.

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


async def read_body(request: Request, max_body_bytes: int, refusal: str | None = None) -> bytes | bytearray:
    """The body, unpacked; it counts as held until `bodies.release`.

    Raises:
        TooSlowError, OverloadedError, TooLargeError: as `read_json_object`.
    """
    usual = f"the body is larger than {max_body_bytes:,} bytes (MAX_BODY_BYTES); send it in parts"
    too_large = TooLargeError(refusal or usual)
    coding = coding_of(request.headers.get("content-encoding", ""))
    unpacker = None if coding is None else Unpacker(coding, max_body_bytes)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_body_bytes:
        raise too_large
    # One buffer that grows: its memory goes back as a whole, where that of many pieces stays.
    body = bytearray()
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > max_body_bytes:
            raise too_large
        if unpacker is None:
            body += part
        else:
            for unpacked in unpacker.feed(part):
                bodies.take(request.scope, unpacked)
                await asyncio.sleep(0)
    return body if unpacker is None else unpacker.end()


def stream_body(request: Request, max_bytes: int, refusal: str) -> AsyncIterator[bytes]:
    """The body piece by piece, unpacked, for who keeps nothing of it; its header is checked at once.

    Raises:
        UnsupportedMediaError: its coding is neither gzip nor deflate.
        TooLargeError: more than `max_bytes`, known now or found while reading; its message is `refusal`.
    """
    coding = coding_of(request.headers.get("content-encoding", ""))
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise TooLargeError(refusal)
    bodies.stream(request.scope)
    return _pieces(request, None if coding is None else Unpacker(coding, max_bytes), max_bytes, refusal)


async def _pieces(request: Request, unpacker: Unpacker | None, max_bytes: int, refusal: str) -> AsyncIterator[bytes]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise TooLargeError(refusal)
        if unpacker is None:
            yield part
            continue
        try:
            for _ in unpacker.feed(part):
                yield unpacker.take()
        except TooLargeError as error:
            raise TooLargeError(refusal) from error
    if unpacker is not None:
        yield bytes(unpacker.end())


def _where(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        # Some of Python's messages end in "at" themselves.
        return f"{error.msg.removesuffix(' at')} at line {error.lineno}, column {error.colno}"
    return "it is nested too deeply"
