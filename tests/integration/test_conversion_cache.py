"""A converted bundle is kept once and complete, whatever happens during the conversion."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bundles.sources.resolver import resolve
from shared.errors import StartupError
from tests.support.converting import convert_here
from tests.support.resolved import Reports, settings_for
from tests.support.sources import write_legacy_folder

pytestmark = [pytest.mark.integration, pytest.mark.training]

ROOT = Path(__file__).resolve().parents[2]


def test_a_second_start_converts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert_here(monkeypatch)
    settings = settings_for(write_legacy_folder(tmp_path / "legacy"), tmp_path / "cache")
    first, again = resolve(settings, Reports()), Reports()

    second = resolve(settings, again)

    assert second == first
    assert again == []


def test_another_setting_makes_another_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert_here(monkeypatch)
    folder = write_legacy_folder(tmp_path / "legacy")
    first = resolve(settings_for(folder, tmp_path / "cache"), Reports())
    second = resolve(settings_for(folder, tmp_path / "cache", max_length=32), Reports())
    assert first.path != second.path


def test_the_same_model_under_another_name_keeps_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert_here(monkeypatch)
    names = []
    for name in ("first", "둘째 모델"):
        folder = write_legacy_folder(tmp_path / name)
        names.append(resolve(settings_for(folder, tmp_path / "cache"), Reports()).config.name)
    assert names == ["first", "둘째 모델"]


def test_two_workers_that_start_at_once_convert_once(tmp_path: Path) -> None:
    settings = settings_for(write_legacy_folder(tmp_path / "legacy"), tmp_path / "cache")
    reports = [Reports(), Reports()]
    threads = [threading.Thread(target=resolve, args=(settings, report)) for report in reports]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    conversions = [report for report in reports if any(entry.message == "done" for entry in report)]
    assert len(conversions) == 1
    assert len(list((tmp_path / "cache" / "bundles").iterdir())) == 1


def test_a_kill_in_the_middle_leaves_no_half_bundle_and_the_next_start_makes_it_whole(tmp_path: Path) -> None:
    folder = write_legacy_folder(tmp_path / "legacy")
    cache = tmp_path / "cache"
    environment = {**os.environ, "MODEL": str(folder), "CACHE_DIR": str(cache)}
    imports = "from shared.settings import load_settings; from bundles.sources.resolver import resolve"
    code = f"{imports}; resolve(load_settings())"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, start_new_session=True)
    while not list(cache.glob("bundles/.partial-*/tokenizer.json")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not [path for path in (cache / "bundles").iterdir() if not path.name.startswith(".partial-")]

    bundle = resolve(settings_for(folder, cache), Reports())

    assert list((cache / "bundles").iterdir()) == [bundle.path]


def test_a_damaged_bundle_in_the_cache_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert_here(monkeypatch)
    settings = settings_for(write_legacy_folder(tmp_path / "legacy"), tmp_path / "cache")
    bundle = resolve(settings, Reports())
    bundle.model_path.write_bytes(b"damaged")

    assert resolve(settings, Reports()).model_path.stat().st_size > 1000


def test_a_cache_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file where the cache should be")
    settings = settings_for(write_legacy_folder(tmp_path / "legacy"), tmp_path / "occupied")
    with pytest.raises(StartupError, match=r"the converted model cannot be kept in .*occupied: .* set CACHE_DIR"):
        resolve(settings, Reports())


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    """A limit on the size of a file stands in for the disk: the same calls fail, with EFBIG instead of ENOSPC."""
    folder = write_legacy_folder(tmp_path / "legacy")
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000));"
        "from cli.main import main; sys.argv = ['kobert', 'model', 'import', sys.argv[1]]; main()"
    )
    environment = {**os.environ, "CACHE_DIR": str(tmp_path / "cache")}
    ended = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "the disk is full" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list((tmp_path / "cache" / "bundles").iterdir())
