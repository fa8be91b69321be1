"""The Lua scripts of policies. Redis executes each as one atomic step."""

from shared.lua_script import scripts_of

_SCRIPTS = scripts_of("shared.policies")


def source_of(name: str) -> str:
    """The text of `shared/policies/lua/{name}.lua`."""
    return _SCRIPTS[name]
