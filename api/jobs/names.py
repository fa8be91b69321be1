"""Names of columns and files: ours must not cover the user's, and must reach a browser whole."""

import re
from collections.abc import Collection, Sequence
from pathlib import PurePath
from urllib.parse import quote

from shared.jobs.records import Job

PREFIX = "kobert_"
_UNSAFE = re.compile(r"[^\w.() -]+")


def prefix_for(ours: Collection[str], theirs: Collection[str]) -> str:
    """What to put before our names so that none is one of theirs: nothing, when none is."""
    prefix = ""
    while any(prefix + name in theirs for name in ours):
        prefix += PREFIX
    return prefix


def unique(names: Sequence[str]) -> list[str]:
    """The names, the second of a kind as `name_2`, so that an object can have them all."""
    seen: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 1
        while candidate in seen:
            number += 1
            candidate = f"{name}_{number}"
        seen.add(candidate)
        result.append(candidate)
    return result


def content_disposition(job: Job, what: str, file_format: str) -> str:
    """`comments.csv` comes back as `comments.results.csv`; a Korean name as RFC 6266 has it."""
    stem = PurePath((job.spec.file_name or job.id).removesuffix(".gz")).stem
    name = f"{_UNSAFE.sub('_', stem)}.{what}.{file_format}"
    plain = name if name.isascii() else f"{job.id}.{what}.{file_format}"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
