"""Runs the Lua scripts of the ledger."""

from functools import cache
from typing import Any

from redis import Redis

from shared.lua_script import run_script, scripts_of

# The scripts free memory or need very little, so they must also run when the store is full.
ALLOW_FULL = "#!lua flags=allow-oom\n"
_SCRIPTS = scripts_of("shared.jobs")


@cache
def source_of(name: str) -> str:
    """The whole text of a script, as Redis is given it."""
    return ALLOW_FULL + _SCRIPTS["common"] + _SCRIPTS[name]


class Scripts:
    """Runs the scripts by name over one client."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def run(self, name: str, keys: list[str], args: list[Any]) -> Any:  # noqa: ANN401  each script has its own reply
        """The reply of `shared/jobs/lua/{name}.lua`."""
        return run_script(self._redis, source_of(name), keys, args)
