"""Names of result columns and files: without clashes with the user's columns, and safe in HTTP headers."""

import re
from collections.abc import Collection, Sequence
from pathlib import PurePath
from urllib.parse import quote

from shared.jobs.records import Job

PREFIX = "kobert_"
_UNSAFE = re.compile(r"[^\w.() -]+")


def prefix_for(ours: Collection[str], theirs: Collection[str]) -> str:
    """The prefix that keeps our names apart from theirs; empty if there is no clash."""
    prefix = ""
    while any(prefix + name in theirs for name in ours):
        prefix += PREFIX
    return prefix


def unique(names: Sequence[str]) -> list[str]:
    """The names, with duplicates numbered (`name_2`), so that they can be keys of one object."""
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
