"""Runs the Lua scripts of the ledger."""

from functools import cache
from typing import Any

from redis import Redis

from shared import keys
from shared.lua_script import ALLOW_FULL, run_script, scripts_of
from shared.usage.scripts import FUNCTIONS

# What fills the store, and must not run when it is full.
_FILLING = frozenset(("begin", "append"))
_NAMES = f"local UPLOADS = '{keys.JOB_UPLOADS}'\n"
_SCRIPTS = scripts_of("shared.jobs")


@cache
def source_of(name: str) -> str:
    """The whole text of a script, as Redis is given it."""
    head = "#!lua\n" if name in _FILLING else ALLOW_FULL
    return head + FUNCTIONS + _NAMES + _SCRIPTS["common"] + _SCRIPTS[name]


class Scripts:
    """Runs the scripts by name over one client."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def run(self, name: str, keys: list[str], args: list[Any]) -> Any:  # noqa: ANN401  each script has its own reply
        """The reply of `shared/jobs/lua/{name}.lua`."""
        return run_script(self._redis, source_of(name), keys, args)
