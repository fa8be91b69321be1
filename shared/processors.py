"""How many processors this process may use: the machine's, less what affinity or a container's quota takes away."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_ROOT = Path("/")
# /proc/self/mountinfo: ID parent major:minor root mount-point options … - type source super-options (proc(5)).
_MOUNT_ROOT, _MOUNT_POINT = 3, 4


# Instructions that add four products of bytes in 32 bits at once, as Linux names them; ARM's always do.
_EXACT_PRODUCTS = frozenset(("avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8"))
_FLAGS = re.compile(r"^flags\s*:(.*)$", re.MULTILINE)


class _Mount(NamedTuple):
    """A mounted control-group tree: the group it shows as its root, and where it shows it."""

    shown_group: str
    folder: Path
    version: int


def available_cpus(root: Path = _ROOT) -> int:
    """Processors that this process may use, at least 1.

    A quota of 2.5 counts as 2: a third thread would be stopped for a part of every period, and the others wait for it.
    `root` is where /proc and /sys are looked for.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(root)
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def has_exact_int8_products(root: Path = _ROOT) -> bool:
    """Whether products of int8 weights are added without being cut off: not on x86-64 without VNNI.

    True where nothing says which processor this is.
    """
    flags = _FLAGS.search("\n".join(_lines(root / "proc/cpuinfo")))
    return flags is None or not _EXACT_PRODUCTS.isdisjoint(flags[1].split())


def cpu_quota(root: Path = _ROOT) -> float | None:
    """Processors' worth of time that control groups of version 1 or 2 allow; None without a limit."""
    quotas = [quota for folder, version in _own_groups(root) if (quota := _read_quota(folder, version)) is not None]
    return min(quotas, default=None)


def _own_groups(root: Path) -> Iterator[tuple[Path, int]]:
    """The folder of the process's own group and of each group around it, with the version."""
    groups = _read_groups(root)
    for mount in _mounts(root):
        if mount.version in groups:
            inside = _below(groups[mount.version], mount.shown_group)
            for group in (inside, *inside.parents):
                yield mount.folder / group, mount.version


def _read_groups(root: Path) -> dict[int, str]:
    """The path of the process's group in the tree of each version."""
    groups: dict[int, str] = {}
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            groups[2] = path
        elif "cpu" in controllers.split(","):
            groups[1] = path
    return groups


def _mounts(root: Path) -> Iterator[_Mount]:
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, words = before.split(), after.split()
        if len(fields) <= _MOUNT_POINT or not words:
            continue
        version = {"cgroup2": 2, "cgroup": 1}.get(words[0])
        if version == 2 or (version == 1 and "cpu" in words[-1].split(",")):
            folder = root / _unescaped(fields[_MOUNT_POINT]).lstrip("/")
            yield _Mount(_unescaped(fields[_MOUNT_ROOT]), folder, version)


def _below(group: str, shown_group: str) -> Path:
    """Where the group lies below the mount point. A container often sees its own group as the root."""
    path = Path(group)
    inside = path.relative_to(shown_group) if path.is_relative_to(shown_group) else Path()
    return Path() if inside.is_absolute() or ".." in inside.parts else inside


def _read_quota(folder: Path, version: int) -> float | None:
    if version == 2:
        words = " ".join(_lines(folder / "cpu.max")).split()
    else:
        words = [*_lines(folder / "cpu.cfs_quota_us"), *_lines(folder / "cpu.cfs_period_us")]
    try:
        quota, period = (int(word) for word in words)
    except ValueError:
        return None  # "max", or there is no such file
    return quota / period if quota > 0 and period > 0 else None


def _unescaped(path: str) -> str:
    return path.replace("\\040", " ")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
