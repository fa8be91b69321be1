"""Damaged, foreign and other files: each is refused in one sentence that is true, and none ends in a traceback."""

import shutil
from pathlib import Path

import pytest

from bundles.own_process import OnReport
from bundles.sources import resolver, source_resolver
from bundles.sources.conversion import ConversionRequest
from convert.pipeline import Conversion
from shared.errors import KobertError
from shared.settings import Settings
from tests.support.broken import BROKEN
from tests.support.families import write_family_folder

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good") / "model"
    write_family_folder(folder, "ELECTRA, small")
    return folder


def test_there_are_sixty_of_them() -> None:
    assert len(BROKEN) >= 60


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_source_is_one_true_sentence(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    breaker, said = BROKEN[name]
    folder = tmp_path / "model"
    shutil.copytree(good, folder)
    breaker(folder)

    def here(request: ConversionRequest, on_report: OnReport) -> None:
        Conversion(request, on_report).run()  # in this process, where any other error would end the test

    monkeypatch.setattr(source_resolver, "convert", here)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(KobertError, match=said) as refusal:
        resolver.resolve(Settings(model=str(folder), cache_dir=tmp_path / "cache"), lambda _: None)
    assert "\n" not in refusal.value.message


def test_the_good_source_is_none_of_them(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_resolver, "convert", lambda request, on_report: Conversion(request, on_report).run())
    resolver.resolve(Settings(model=str(good), cache_dir=tmp_path / "cache"), lambda _: None)
