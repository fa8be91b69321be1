"""Runs the Lua scripts of the ledger. Redis executes each as one atomic step."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError

# The scripts free memory or need very little, so they must also run when the store is full.
ALLOW_FULL = "#!lua flags=allow-oom\n"
_FOLDER = files("shared.jobs") / "lua"


@cache
def source_of(name: str) -> str:
    """The whole text of a script, as Redis is given it."""
    common = (_FOLDER / "common.lua").read_text("utf-8")
    return ALLOW_FULL + common + (_FOLDER / f"{name}.lua").read_text("utf-8")


@cache
def _digest(name: str) -> str:
    # Redis names scripts by their SHA-1; it is not for security.
    return hashlib.sha1(source_of(name).encode(), usedforsecurity=False).hexdigest()


class Scripts:
    """Runs the scripts by name over one client."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def run(self, name: str, keys: list[str], args: list[Any]) -> Any:  # noqa: ANN401  each script has its own reply
        """The reply of `shared/jobs/lua/{name}.lua`."""
        try:
            return self._redis.evalsha(_digest(name), len(keys), *keys, *args)
        except NoScriptError:
            # EVAL rather than SCRIPT LOAD, which a full store refuses.
            return self._redis.eval(source_of(name), len(keys), *keys, *args)
