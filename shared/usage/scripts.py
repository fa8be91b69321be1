"""The Lua functions that count what an owner takes in the store, and the scripts that use nothing else."""

from shared import keys
from shared.lua_script import ALLOW_FULL, scripts_of

_SCRIPTS = scripts_of("shared.usage")
_NAMES = f"local USAGE, USAGE_ENDS = '{keys.USAGE}', '{keys.USAGE_ENDS}'\n"
_KEPT_NAMES = f"local POLICY_SIZES, CORRECTIONS_OF = '{keys.POLICIES_SIZES}', '{keys.CORRECTIONS_OF}'\n"
# Goes before every script that writes or removes what is counted, so that both are one step.
FUNCTIONS = _NAMES + _SCRIPTS["usage"]
# Goes before scripts that compare all that a key has stored with what is free.
SHARE_FUNCTIONS = FUNCTIONS + _KEPT_NAMES + _SCRIPTS["kept"]


def source_of(name: str) -> str:
    """The text of `shared/usage/lua/{name}.lua`, with the functions before it."""
    return ALLOW_FULL + SHARE_FUNCTIONS + _SCRIPTS[name]
