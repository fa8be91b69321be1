"""The Lua scripts of the ledger, each of which Redis runs as one step."""

from functools import cache
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script

# A script that frees memory, or needs none to speak of, must also run when the store is full.
ALLOW_FULL = "#!lua flags=allow-oom\n"
_FOLDER = files("shared.jobs") / "lua"


@cache
def _source(name: str) -> str:
    common = (_FOLDER / "common.lua").read_text("utf-8")
    return ALLOW_FULL + common + (_FOLDER / f"{name}.lua").read_text("utf-8")


class Scripts:
    """Runs the scripts by name over one client."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._loaded: dict[str, Script] = {}

    def run(self, name: str, keys: list[str], args: list[Any]) -> Any:  # noqa: ANN401  each script has its own reply
        """The reply of `shared/jobs/lua/{name}.lua`."""
        script = self._loaded.get(name)
        if script is None:
            script = self._loaded[name] = self._redis.register_script(_source(name))
        return script(keys=keys, args=args)
