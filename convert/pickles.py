"""Reads plain data from a pickle without executing it: no function in it is looked up or called.

A small interpreter handles the opcodes for containers, numbers and text, numpy's too, and keeps instances of the
allowed classes as a name and a state. Anything else is refused by name. That is enough for `category.pkl` and
gluonnlp's `vocab.pkl` in protocols 0 to 5, and not enough for an attack.
"""

import pickletools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from convert.numpy_pickles import NUMPY_CALLS, NUMPY_NAMES, Array, Kind
from shared.errors import ModelSourceError

MAX_PICKLE_BYTES = 64 << 20
# Protocols 0 and 1 rebuild instances with this function; the base must be a plain data class.
_RECONSTRUCTORS = {"copy_reg._reconstructor", "copyreg._reconstructor"}
_PLAIN_BASES = {f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("object", "dict")}
_MARK = object()


@dataclass(frozen=True)
class Global:
    """A name that the pickle mentions. It is never imported."""

    name: str


@dataclass(eq=False)
class Instance:
    """An object of an accepted class: its items if it is a dict, and its attributes."""

    name: str
    items: dict[Any, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


def read_pickle(raw: bytes, source: str, classes: Collection[str] = ()) -> Any:  # noqa: ANN401  whatever was pickled
    """Return the data pickled in `raw`; `source` names it in errors, `classes` are the instances accepted.

    Raises:
        ModelSourceError: it holds anything but plain data and those classes, or it is damaged or too large.
    """
    if len(raw) > MAX_PICKLE_BYTES:
        raise ModelSourceError(f"{source} is {len(raw) >> 20} MB; a vocabulary or label file is never that large")
    machine = _Machine(source, frozenset(classes))
    try:
        for opcode, argument, _ in pickletools.genops(raw):
            machine.step(opcode.name, argument)
        return machine.result()
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, UnicodeError) as error:
        raise ModelSourceError(f"{source} is damaged or not a pickle") from error


class _Machine:
    """The stack, the memo, and one method for each kind of opcode."""

    def __init__(self, source: str, classes: frozenset[str]) -> None:
        self._source = source
        self._classes = classes
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:  # noqa: ANN401  as pickletools gives it
        if opcode in _IGNORED:
            return
        if opcode in _VALUES:
            self._stack.append(argument)
        elif opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode]())
        elif opcode in _ACTIONS:
            _ACTIONS[opcode](self, argument)
        else:
            raise self._refusal(f"the instruction {opcode}")

    def result(self) -> Any:  # noqa: ANN401  whatever was pickled
        (value,) = self._stack
        return value

    def global_by_name(self, argument: str) -> None:
        self._push_global(argument.replace(" ", "."))

    def global_from_stack(self, _: object) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._push_global(f"{module}.{name}")

    def new_instance(self, _: object) -> None:
        self._stack.pop()  # the arguments of __new__, which no accepted class needs
        self._stack.append(self._instance_of(self._stack.pop()))

    def reduce(self, _: object) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if isinstance(function, Global) and function.name in NUMPY_CALLS:
            self._stack.append(NUMPY_CALLS[function.name](*arguments))
            return
        if not isinstance(function, Global) or function.name not in _RECONSTRUCTORS:
            raise self._refusal(_name_of(function))
        wanted, base, state = arguments
        if _name_of(base) not in _PLAIN_BASES:
            raise self._refusal(_name_of(base))
        instance = self._instance_of(wanted)
        instance.items.update(state or {})
        self._stack.append(instance)

    def build(self, _: object) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        if isinstance(target, (Array, Kind)):
            target.set_state(state)
            return
        if not isinstance(target, Instance) or not isinstance(state, dict):
            raise self._refusal("an object with a state of its own kind")
        target.attributes.update(state)

    def append(self, _: object) -> None:
        value = self._stack.pop()
        self._stack[-1].append(value)

    def append_all(self, _: object) -> None:
        values = self._since_mark()
        self._stack[-1].extend(values)

    def set_item(self, _: object) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._items_on_top()[key] = value

    def set_items(self, _: object) -> None:
        flat = self._since_mark()
        self._items_on_top().update(zip(flat[::2], flat[1::2], strict=True))

    def add_all(self, _: object) -> None:
        values = self._since_mark()
        self._stack[-1].update(values)

    def pop_short_tuple(self, size: int) -> None:
        values = tuple(self._stack[-size:])
        del self._stack[-size:]
        self._stack.append(values)

    def push_since_mark(self, make: Callable[[list[Any]], Any]) -> None:
        values = self._since_mark()
        self._stack.append(make(values))

    def push_mark(self, _: object) -> None:
        self._stack.append(_MARK)

    def pop(self, _: object) -> None:
        self._stack.pop()

    def pop_to_mark(self, _: object) -> None:
        self._since_mark()

    def duplicate(self, _: object) -> None:
        self._stack.append(self._stack[-1])

    def remember(self, slot: int) -> None:
        self._memo[int(slot)] = self._stack[-1]

    def remember_next(self, _: object) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def recall(self, slot: int) -> None:
        self._stack.append(self._memo[int(slot)])

    def _push_global(self, name: str) -> None:
        if name not in self._classes | _RECONSTRUCTORS | _PLAIN_BASES | NUMPY_NAMES:
            raise self._refusal(name)
        self._stack.append(Global(name))

    def _instance_of(self, wanted: Any) -> Instance:  # noqa: ANN401  whatever lay on the stack
        name = _name_of(wanted)
        if name not in self._classes:
            raise self._refusal(name)
        return Instance(name)

    def _items_on_top(self) -> dict[Any, Any]:
        top = self._stack[-1]
        if isinstance(top, Instance):
            return top.items
        if isinstance(top, dict):
            return top
        raise self._refusal("items set on something that is not a dict")

    def _since_mark(self) -> list[Any]:
        start = len(self._stack) - 1
        while self._stack[start] is not _MARK:
            start -= 1
        values = self._stack[start + 1 :]
        del self._stack[start:]
        return values

    def _refusal(self, name: str) -> ModelSourceError:
        return ModelSourceError(f"{self._source} was refused: it asks for {name}; nothing in it was run")


def _name_of(value: Any) -> str:  # noqa: ANN401  whatever lay on the stack
    return value.name if isinstance(value, Global) else type(value).__name__


def _pairs_to_dict(flat: list[Any]) -> dict[Any, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


_IGNORED = {"PROTO", "FRAME", "STOP"}
_VALUES = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": set,
}  # fmt: skip
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "GLOBAL": _Machine.global_by_name, "STACK_GLOBAL": _Machine.global_from_stack,
    "NEWOBJ": _Machine.new_instance, "REDUCE": _Machine.reduce, "BUILD": _Machine.build,
    "APPEND": _Machine.append, "APPENDS": _Machine.append_all, "ADDITEMS": _Machine.add_all,
    "SETITEM": _Machine.set_item, "SETITEMS": _Machine.set_items,
    "TUPLE1": lambda machine, _: machine.pop_short_tuple(1),
    "TUPLE2": lambda machine, _: machine.pop_short_tuple(2),
    "TUPLE3": lambda machine, _: machine.pop_short_tuple(3),
    "TUPLE": lambda machine, _: machine.push_since_mark(tuple),
    "LIST": lambda machine, _: machine.push_since_mark(list),
    "DICT": lambda machine, _: machine.push_since_mark(_pairs_to_dict),
    "MARK": _Machine.push_mark, "POP": _Machine.pop, "POP_MARK": _Machine.pop_to_mark, "DUP": _Machine.duplicate,
    "PUT": _Machine.remember, "BINPUT": _Machine.remember, "LONG_BINPUT": _Machine.remember,
    "MEMOIZE": _Machine.remember_next,
    "GET": _Machine.recall, "BINGET": _Machine.recall, "LONG_BINGET": _Machine.recall,
}  # fmt: skip
