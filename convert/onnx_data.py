"""Reads the tensors that an ONNX graph keeps in files beside it, which may be links, as in every snapshot of the Hub.

onnx's own reader refuses links, because a graph could name any file of the machine. Here a graph may name only plain
files in its own folder; that one of them is a link to a store of downloads is the doing of whoever made the folder.
"""

import mmap
from pathlib import Path, PurePath

import onnx
from onnx import TensorProto
from onnx.external_data_helper import _get_all_tensors as all_tensors  # no public function finds them all

from shared.errors import ModelSourceError

_MOST_DIGITS = 16


def read_external_data(model: onnx.ModelProto, graph: Path) -> None:
    """Put the tensors that lie beside the file `graph` into `model`.

    Raises:
        ModelSourceError: a file is missing or too short, or is not one of the folder's own.
    """
    for tensor in all_tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            tensor.raw_data = _read(graph, entries)
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]


def _number(said: str | None, default: int) -> int:
    """A number of bytes; -1 where it is none."""
    if said is None:
        return default
    return int(said) if said.isascii() and said.isdecimal() and len(said) < _MOST_DIGITS else -1


def _read(graph: Path, entries: dict[str, str]) -> bytes:
    location = entries.get("location", "")
    path = graph.parent / location
    if not location or PurePath(location).name != location or not path.is_file():
        raise ModelSourceError(
            f"{graph.name} keeps its weights in {location or 'another file'}, which is not beside it; copy or download "
            "it too"
        )
    start, size = _number(entries.get("offset"), 0), path.stat().st_size
    length = _number(entries.get("length"), size - start)
    if start < 0 or length < 0 or start + length > size:
        raise ModelSourceError(f"{location} ({size:,} bytes) is cut short; download or copy it again")
    if length == 0:
        return b""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return mapped[start : start + length]
