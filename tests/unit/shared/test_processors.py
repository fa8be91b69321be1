"""A container's CPU quota, read from copies of the files that the kernel shows to a process."""

import os
from pathlib import Path

import pytest

from shared.processors import available_cpus, cpu_quota, has_exact_int8_products
from shared.settings import Settings

V2 = "30 23 0:26 {shown} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate"
V1 = "31 25 0:27 {shown} /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "32 25 0:28 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory"
ROOT_DISK = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw"


def machine(folder: Path, *, groups: str, mounts: list[str], files: dict[str, str]) -> Path:
    """A folder with the files of /proc and /sys that count."""
    contents = {"proc/self/cgroup": groups, "proc/self/mountinfo": "\n".join([ROOT_DISK, *mounts]) + "\n", **files}
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def v2(folder: Path, files: dict[str, str], *, group: str = "/", shown: str = "/") -> Path:
    named = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    return machine(folder, groups=f"0::{group}\n", mounts=[V2.format(shown=shown)], files=named)


def v1(folder: Path, files: dict[str, str], *, group: str, shown: str = "/") -> Path:
    named = {f"sys/fs/cgroup/cpu,cpuacct/{name}": text for name, text in files.items()}
    groups = f"5:memory:{group}\n4:cpu,cpuacct:{group}\n1:name=systemd:{group}\n"
    return machine(folder, groups=groups, mounts=[V1_MEMORY, V1.format(shown=shown)], files=named)


@pytest.mark.parametrize(
    ("files", "group", "expected"),
    [
        ({"cpu.max": "200000 100000\n"}, "/", 2.0),
        ({"cpu.max": "max 100000\n"}, "/", None),
        ({"cpu.max": "50000 100000\n"}, "/", 0.5),
        ({}, "/", None),
        # A systemd unit with CPUQuota=150% inside a slice without a limit, and the other way round.
        ({"system.slice/kobert.service/cpu.max": "150000 100000\n"}, "/system.slice/kobert.service", 1.5),
        ({"system.slice/cpu.max": "300000 100000\n", "system.slice/kobert.service/cpu.max": "max 100000\n"},
         "/system.slice/kobert.service", 3.0),
        ({"a/cpu.max": "100000 100000\n", "a/b/cpu.max": "400000 100000\n"}, "/a/b", 1.0),
        ({"cpu.max": "200000 100000\n"}, "/../somewhere/else", 2.0),
        ({"cpu.max": "nonsense\n"}, "/", None),
        ({"cpu.max": "0 0\n"}, "/", None),
    ],
)  # fmt: skip
def test_the_tightest_quota_of_version_2_on_the_way_to_the_root_counts(
    tmp_path: Path, files: dict[str, str], group: str, expected: float | None
) -> None:
    assert cpu_quota(v2(tmp_path, files, group=group)) == expected


@pytest.mark.parametrize(
    ("quota", "period", "expected"), [("200000", "100000", 2.0), ("-1", "100000", None), ("25000", "50000", 0.5)]
)
def test_a_container_that_sees_its_own_group_of_version_1_as_the_root_has_its_quota(
    tmp_path: Path, quota: str, period: str, expected: float | None
) -> None:
    files = {"cpu.cfs_quota_us": f"{quota}\n", "cpu.cfs_period_us": f"{period}\n"}
    own = "/docker/0123456789ab"
    assert cpu_quota(v1(tmp_path / "plain", files, group=own)) == expected
    assert cpu_quota(v1(tmp_path / "bound", files, group=own, shown=own)) == expected


def test_the_quota_of_a_group_of_version_1_is_found_below_the_mount(tmp_path: Path) -> None:
    files = {
        "batch/cpu.cfs_quota_us": "400000\n",
        "batch/cpu.cfs_period_us": "100000\n",
        "batch/kobert/cpu.cfs_quota_us": "-1\n",
        "batch/kobert/cpu.cfs_period_us": "100000\n",
    }
    assert cpu_quota(v1(tmp_path, files, group="/batch/kobert")) == 4.0


def test_a_machine_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None


@pytest.mark.parametrize(
    ("affinity", "quota", "expected"), [(64, 200_000, 2), (64, 250_000, 2), (64, 30_000, 1), (4, 800_000, 4)]
)
def test_threads_follow_the_smaller_of_affinity_and_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, affinity: int, quota: int, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)
    root = v2(tmp_path, {"cpu.max": f"{quota} 100000\n"})
    assert available_cpus(root) == expected


def test_a_workers_engine_has_as_many_threads_as_the_quota_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr("shared.processors.available_cpus.__defaults__", (v2(tmp_path, {"cpu.max": "400000 100000"}),))
    assert Settings(workers=2).inference_threads() == 2


@pytest.mark.parametrize(
    ("cpuinfo", "exact"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_vnni\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx_vnni\n", True),
        ("processor\t: 0\nmodel name\t: avx512_vnni\nflags\t\t: fpu sse4_2 avx2\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd asimddp\n", True),
        ("", True),
    ],
)
def test_a_processor_without_vnni_is_known_by_its_flags(tmp_path: Path, cpuinfo: str, exact: bool) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    assert has_exact_int8_products(tmp_path) == exact
