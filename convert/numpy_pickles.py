"""Numpy's scalars and arrays in a pickle, as plain numbers, texts and lists; nothing is called by its name there."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_MODULES = ("numpy._core.multiarray", "numpy.core.multiarray")
# Numbers, truth values, bytes and texts; of a fixed width, so that a few bytes cannot claim much memory.
_KIND = re.compile(r"[biufSU]\d{1,4}")
_OBJECTS = re.compile(r"O\d?")


@dataclass(eq=False)
class Kind:
    """The type of an array's values: numpy's code, such as `i8`, and the order of its bytes."""

    code: str
    order: str = "="

    def set_state(self, state: Any) -> None:  # noqa: ANN401  whatever was pickled
        """Take the byte order from what the pickle says of the type."""
        order = state[1]
        self.order = order if order in {"<", ">"} else "="

    def read(self, raw: bytes) -> list[Any]:
        """The values in `raw`.

        Raises:
            ValueError: they are of another kind than numbers and texts.
        """
        if not _KIND.fullmatch(self.code):
            raise ValueError(f"values of type {self.code}")
        values: list[Any] = np.frombuffer(raw, np.dtype(f"{self.order}{self.code}")).tolist()
        return values


class Array(list[Any]):
    """The values of an array, in one list."""

    def set_state(self, state: Any) -> None:  # noqa: ANN401  whatever was pickled
        """Take the values from what the pickle says of the array."""
        _, _, kind, _, values = state
        if isinstance(kind, Kind) and isinstance(values, bytes):
            self.extend(kind.read(values))
        elif isinstance(kind, Kind) and _OBJECTS.fullmatch(kind.code):
            self.extend(values)
        else:
            raise ValueError("an array of its own kind")


def _kind(code: str, *_: object) -> Kind:
    return Kind(str(code))


def _scalar(kind: Kind, raw: bytes) -> Any:  # noqa: ANN401  a number or a text
    (value,) = kind.read(raw)
    return value


def _array(*_: object) -> Array:
    return Array()


def _array_of(raw: bytes, kind: Kind, *_: object) -> Array:
    return Array(kind.read(bytes(raw)))


def _bytes(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError(f"bytes in {encoding}")
    return text.encode("latin1")


# What stands for numpy's own functions; `numpy.ndarray` is only ever an argument.
NUMPY_CALLS: Mapping[str, Callable[..., Any]] = {
    "numpy.dtype": _kind,
    "_codecs.encode": _bytes,
    **{f"{module}.scalar": _scalar for module in _MODULES},
    **{f"{module}._reconstruct": _array for module in _MODULES},
    **{f"{module}._frombuffer": _array_of for module in ("numpy._core.numeric", "numpy.core.numeric")},
}
NUMPY_NAMES = frozenset((*NUMPY_CALLS, "numpy.ndarray"))
