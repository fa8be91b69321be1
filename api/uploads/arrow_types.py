"""Names of Arrow's types, as PyArrow spells them: kept with a job, so that its results have the types of its input."""

import re
from collections.abc import Callable
from typing import Any

from arro3.core import DataType

_PLAIN: dict[str, Callable[[], Any]] = {
    "bool": DataType.bool,
    "int8": DataType.int8,
    "int16": DataType.int16,
    "int32": DataType.int32,
    "int64": DataType.int64,
    "uint8": DataType.uint8,
    "uint16": DataType.uint16,
    "uint32": DataType.uint32,
    "uint64": DataType.uint64,
    "float": DataType.float32,
    "double": DataType.float64,
    "string": DataType.string,
    "large_string": DataType.large_string,
    "date32[day]": DataType.date32,
    "date64[ms]": DataType.date64,
    "time32[s]": lambda: DataType.time32("s"),
    "time32[ms]": lambda: DataType.time32("ms"),
    "time64[us]": lambda: DataType.time64("us"),
    "time64[ns]": lambda: DataType.time64("ns"),
}
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=([^\]]+))?\]")
_DECIMAL = re.compile(r"decimal128\((\d{1,2}), (-?\d{1,3})\)")
_DECIMAL_TYPE = re.compile(r"Decimal128\((\d+), (-?\d+)\)")


def name_of(kind: Any) -> str:  # noqa: ANN401  a type of Arrow
    """The name of a type; of one that comes back as text, `string`."""
    for name, make in _PLAIN.items():
        if kind == make():
            return name
    if DataType.is_timestamp(kind):
        return f"timestamp[{kind.time_unit}{f', tz={kind.tz}' if kind.tz else ''}]"
    decimal = _DECIMAL_TYPE.search(repr(kind))
    if decimal is not None:
        return f"decimal128({decimal[1]}, {decimal[2]})"
    return "string"


def type_of(name: str) -> Any:  # noqa: ANN401  a type of Arrow
    """The type of a name; text for one that is not known."""
    if name in _PLAIN:
        return _PLAIN[name]()
    timestamp = _TIMESTAMP.fullmatch(name)
    if timestamp is not None:
        return DataType.timestamp(timestamp[1], tz=timestamp[2])  # type: ignore[arg-type]
    decimal = _DECIMAL.fullmatch(name)
    if decimal is not None:
        return DataType.decimal128(int(decimal[1]), int(decimal[2]))
    return DataType.string()
