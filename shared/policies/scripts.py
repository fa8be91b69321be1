"""The Lua scripts of policies. Redis executes each as one atomic step."""

from functools import cache
from importlib.resources import files


@cache
def source_of(name: str) -> str:
    """The text of `shared/policies/lua/{name}.lua`."""
    return (files("shared.policies") / "lua" / f"{name}.lua").read_text("utf-8")
