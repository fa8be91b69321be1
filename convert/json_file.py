"""Reads a JSON object from a file of a source."""

import json
from pathlib import Path
from typing import Any

from shared.errors import ModelSourceError


def read_json(path: Path | None) -> dict[str, Any]:
    """Read a JSON object from `path`. A missing file gives an empty one, and a byte order mark is skipped.

    Raises:
        ModelSourceError: the file is not a JSON object.
    """
    if path is None:
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ModelSourceError(f"{path.name} is not JSON in UTF-8; save it so") from error
    except ValueError as error:
        raise ModelSourceError(f"{path.name} is not JSON: {error}") from error
    except RecursionError as error:
        raise ModelSourceError(f"{path.name} is not JSON that a model has: it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ModelSourceError(f"{path.name} is not a JSON object")
    return value
