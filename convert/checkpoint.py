"""Reads the tensors of a PyTorch `.pt` or `.bin` file without executing anything in it.

The container and the names in its pickle are checked before torch opens the file, so that an error can say what was
found. Then `torch.load(weights_only=True)` maps the file into memory.
"""

import pickletools
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from convert.unused_objects import is_unused, stand_ins
from shared.errors import ModelSourceError

_LFS_POINTER = b"version https://git-lfs"
_MAX_PICKLE_BYTES = 64 << 20
_LEGACY_PICKLES = 5  # before PyTorch 1.6: magic number, protocol, system, object, storage keys, then the storages
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "module")
_STATE_DICT_GLOBALS = ("collections.OrderedDict", "_codecs.encode", "torch.Size", "torch.nn.parameter.Parameter")
# What Python's readers of pickles and archives raise; the last for encryption, and
# (NotImplementedError is one) for versions yet to come.
_DAMAGES = (
    ValueError,
    IndexError,
    KeyError,
    EOFError,
    OSError,
    zipfile.BadZipFile,
    RuntimeError,
)
_TEXT_OPCODES = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"}


def read_tensors(path: Path) -> dict[str, Any]:
    """Return the state dict in `path`: name to tensor, or, for a quantised layer, to its packed parameters.

    Raises:
        ModelSourceError: the file is damaged, is not a state dict, or contains objects that a state dict never needs.
    """
    is_zip = _is_zip(path)
    names = set(_globals_of(path, is_zip=is_zip))
    refuse_foreign_globals(path, names)
    unused = stand_ins(name for name in names if not _belongs_in_a_state_dict(name))
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(unused):
            warnings.simplefilter("ignore")  # torch warns that this format is deprecated
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:  # torch raises many kinds of errors for a damaged file
        raise _unreadable(path) from error
    tensors = _unwrap(loaded, path)
    _check_claimed_size(tensors, path)
    return tensors


def refuse_foreign_globals(path: Path, names: set[str]) -> None:
    """Refuse a file whose pickle names anything but tensors and plain containers."""
    foreign = sorted(name for name in names if not (_belongs_in_a_state_dict(name) or is_unused(name)))
    if not foreign:
        return
    if any(name.startswith("torch.nn.modules.") for name in names):
        raise ModelSourceError(
            f"{path.name} is a whole pickled model, which would run code to load; where its class is defined, make a "
            f'state dict of it with two lines: model = torch.load("{path.name}", weights_only=False) and then '
            f'torch.save(model.state_dict(), "{path.name}")'
        )
    raise ModelSourceError(
        f"{path.name} was refused: it asks for {', '.join(foreign[:5])}, which no state dict needs; "
        "nothing in it was run"
    )


def _belongs_in_a_state_dict(name: str) -> bool:
    if name in _STATE_DICT_GLOBALS or name.startswith(("torch._utils._rebuild_", "torch.storage.")):
        return True
    module, _, attribute = name.rpartition(".")
    # torch.FloatStorage, torch.float16, torch.per_tensor_affine: data types and layouts, none of them callable on data
    return module == "torch" and (attribute.endswith("Storage") or _is_plain_constant(attribute))


def _is_plain_constant(attribute: str) -> bool:
    return isinstance(getattr(torch, attribute, None), (torch.dtype, torch.qscheme, torch.layout))


def refuse_pointer(path: Path) -> None:
    """Refuse what `git clone` leaves in the place of a large file where Git LFS is not installed."""
    with path.open("rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise ModelSourceError(
                f"{path.name} is a Git LFS pointer, not the model: fetch the file itself with git lfs pull"
            )


def _is_zip(path: Path) -> bool:
    refuse_pointer(path)
    with path.open("rb") as file:
        head = file.read(4)
    if head[:2] == b"PK":
        if not zipfile.is_zipfile(path):
            raise _unreadable(path)
        return True
    return False


def _globals_of(path: Path, *, is_zip: bool) -> Iterator[str]:
    try:
        if is_zip:
            yield from _globals_in_zip(path)
        else:
            with path.open("rb") as file:
                for _ in range(_LEGACY_PICKLES):
                    yield from _globals_in_pickle(file)
    except _DAMAGES as error:
        raise _unreadable(path) from error


def _globals_in_zip(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _refuse_torchscript(path, members)
        _refuse_zip_bomb(path, members)
        pickles = [member for member in members if member.filename.endswith(".pkl")]
        if not pickles or any(member.file_size > _MAX_PICKLE_BYTES for member in pickles):
            raise _unreadable(path)
        for member in pickles:
            with archive.open(member) as file:
                yield from _globals_in_pickle(file)


def _refuse_torchscript(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = {member.filename.partition("/")[2] for member in members}
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        raise ModelSourceError(
            f"{path.name} is a TorchScript program (torch.jit.save), which is code and not weights; save the state "
            f'dict of the model that it was made of: torch.save(model.state_dict(), "{path.name}")'
        )


def _refuse_zip_bomb(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse compressed members: PyTorch never compresses a checkpoint."""
    unpacked_bytes, file_bytes = sum(member.file_size for member in members), path.stat().st_size
    if unpacked_bytes > file_bytes or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ModelSourceError(
            f"{path.name} was refused: its {file_bytes:,} bytes unpack to {unpacked_bytes:,}, and PyTorch never "
            "compresses a checkpoint"
        )


class _BoundedFile:
    """Limits the size of a single read: a damaged pickle may ask for 2 ** 60 bytes."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401  a zip member or a file
        self._file = file

    def read(self, size: int) -> bytes:
        if size > _MAX_PICKLE_BYTES:
            raise ValueError(f"{size} bytes are asked for")
        found: bytes = self._file.read(size)
        return found

    def readline(self) -> bytes:
        line: bytes = self._file.readline(_MAX_PICKLE_BYTES)
        return line


def _globals_in_pickle(file: Any) -> Iterator[str]:  # noqa: ANN401  a zip member or a file
    recent: list[str] = []
    memo: dict[int, str] = {}
    for opcode, argument, _ in pickletools.genops(_BoundedFile(file)):  # type: ignore[arg-type]
        if opcode.name == "GLOBAL":
            yield str(argument).replace(" ", ".")
        elif opcode.name == "STACK_GLOBAL":
            yield ".".join(recent[-2:])
        elif opcode.name in _TEXT_OPCODES:
            recent = [*recent[-1:], str(argument)]
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = recent[-1] if recent else ""
        elif opcode.name in {"BINPUT", "LONG_BINPUT", "PUT"}:
            memo[int(argument or 0)] = recent[-1] if recent else ""
        elif opcode.name in {"BINGET", "LONG_BINGET", "GET"}:
            recent = [*recent[-1:], memo.get(int(argument or 0), "")]


def _unwrap(loaded: object, path: Path) -> dict[str, Any]:
    """Find the state dict: the object itself, or an entry with one of the usual names."""
    while isinstance(loaded, Mapping):
        if any("." in str(key) for key in loaded):
            return {str(key): value for key, value in loaded.items()}
        inner = [loaded[name] for name in _WRAPPERS if isinstance(loaded.get(name), Mapping)]
        if not inner:
            break
        loaded = inner[0]
    raise ModelSourceError(
        f'{path.name} holds no state dict; save one with torch.save(model.state_dict(), "{path.name}")'
    )


def _check_claimed_size(tensors: Mapping[str, Any], path: Path) -> None:
    """Refuse tensors that claim more bytes than the file has: broadcast views, which would fill the memory."""
    claimed = sum(value.numel() * value.element_size() for value in tensors.values() if isinstance(value, torch.Tensor))
    # Tied weights are stored once and counted twice. A real checkpoint never claims four times its size.
    if claimed > 4 * path.stat().st_size:
        raise ModelSourceError(f"{path.name} was refused: its tensors claim {claimed:,} bytes, far more than it holds")


def _unreadable(path: Path) -> ModelSourceError:
    return ModelSourceError(
        f"{path.name} ({path.stat().st_size:,} bytes) is cut short or not a PyTorch checkpoint; "
        "download or copy it again"
    )
