"""Stand-ins for the objects that trainers keep beside the weights: settings, paths, numbers of NumPy.

A checkpoint of Lightning or of a trainer's own script names classes such as `argparse.Namespace` or `pathlib.Path`.
No prediction needs them. torch's reader of weights asks for each name and gets an empty class of ours, so that nothing
by such a name is ever imported or called.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

_EXACT = frozenset(
    (
        "argparse.Namespace", "types.SimpleNamespace", "easydict.EasyDict", "numpy.dtype", "numpy.ndarray",
        "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
        "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
        "collections.defaultdict", "collections.deque", "builtins.set", "builtins.frozenset", "builtins.slice",
        "builtins.complex", "builtins.bytearray", "builtins.range", "builtins.int", "builtins.float", "builtins.str",
        "builtins.bool", "builtins.list", "builtins.dict", "builtins.tuple", "typing.Any",
    )
)  # fmt: skip
_MODULES = (
    "__main__.", "pathlib.", "datetime.", "uuid.", "decimal.", "enum.", "numpy.dtypes.", "omegaconf.", "lightning.",
    "lightning_fabric.", "lightning_utilities.", "pytorch_lightning.", "torchmetrics.", "transformers.", "tokenizers.",
    "accelerate.", "datasets.", "hydra.",
)  # fmt: skip


_DICT_NAMES = ("Dict", "dict")
_LIST_NAMES = ("deque", "List")


class UnusedObject:
    """What takes the place of an object beside the weights; it accepts every state and keeps none."""

    def __new__(cls, *_: object, **__: object) -> Any:  # noqa: ANN401, D102  subclasses make other types
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


class UnusedDict(UnusedObject):
    """The same for a kind of dict: torch's reader fills only the types that it knows."""

    def __new__(cls, *_: object, **__: object) -> Any:  # noqa: ANN401, D102
        return OrderedDict()


class UnusedList(UnusedObject):
    """The same for a kind of list."""

    def __new__(cls, *_: object, **__: object) -> Any:  # noqa: ANN401, D102
        return []


def is_unused(name: str) -> bool:
    """Whether a checkpoint may name this class or function and still be read without it."""
    name = _in_python_3(name)
    return name in _EXACT or name.startswith(_MODULES)


def stand_ins(names: Iterable[str]) -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """A class of its own for each name, as `torch.serialization.safe_globals` takes them."""
    return [(type("Unused", (_kind(name),), {}), _in_python_3(name)) for name in sorted(names)]


def _in_python_3(name: str) -> str:
    """The name that torch's reader looks for where protocol 2 spells it as Python 2 did."""
    return name.replace("__builtin__.", "builtins.")


def _kind(name: str) -> type[UnusedObject]:
    if name.endswith(_DICT_NAMES):
        return UnusedDict
    return UnusedList if name.endswith(_LIST_NAMES) else UnusedObject
