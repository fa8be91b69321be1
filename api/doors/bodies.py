"""Reads the JSON body of a door's request into its type."""

import re
from typing import TypeVar

import msgspec

from api.http.echo import quotable
from shared.errors import MalformedRequestError

T = TypeVar("T", bound=msgspec.Struct)
_WHERE = re.compile(r"(.*) - at `(?:key in )?\$\.?(.*)`")


def convert(body: dict[str, object], kind: type[T]) -> T:
    """The body as a `kind`.

    Raises:
        MalformedRequestError: a field is missing, unknown or of another type; names it.
    """
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        found = _WHERE.fullmatch(str(error))
        said, where = (str(error), "") if found is None else found.groups()
        raise MalformedRequestError(quotable(f"{where or 'the body'}: {said}"), param=where or None) from error
