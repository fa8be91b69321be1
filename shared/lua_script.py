"""Runs a Lua script in Redis, which executes it as one atomic step."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError

# First line of a script that frees memory or needs very little, so that it also runs when the store is full.
ALLOW_FULL = "#!lua flags=allow-oom\n"


def scripts_of(package: str) -> dict[str, str]:
    """The scripts in the folder `lua` of a package, by name.

    To be read when the package is imported: a process goes on with the scripts that its code knows when an upgrade puts
    other files in their place.
    """
    found = (path for path in (files(package) / "lua").iterdir() if path.name.endswith(".lua"))
    return {path.name.removesuffix(".lua"): path.read_text("utf-8") for path in found}


def run_script(redis: Redis, source: str, keys: list[str], args: list[Any]) -> Any:  # noqa: ANN401  each script has its own reply
    """The reply of the script whose text is `source`; it is sent only where the server does not know it."""
    try:
        return redis.evalsha(_digest(source), len(keys), *keys, *args)
    except NoScriptError:
        # EVAL rather than SCRIPT LOAD, which a full store refuses.
        return redis.eval(source, len(keys), *keys, *args)


@cache
def _digest(source: str) -> str:
    # Redis names scripts by their SHA-1; it is not for security.
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
