"""The matrix of sources at tiny sizes: each is read as its model answers, or refused; and its table in the pages."""

from pathlib import Path
from typing import Any

import pytest

from bundles.own_process import OnReport
from bundles.sources import conversion
from bundles.sources.conversion import ConversionRequest
from convert.pipeline import Conversion
from tests.full_size.matrix_page import Row, section
from tests.full_size.models import TINY
from tests.full_size.source_matrix import Measurement
from tests.full_size.sources import SOURCES
from tests.full_size.vocabularies import Vocabularies, read_comments

NUMBERS = range(1, len(SOURCES) + 1)

# torch announces the end of its exporter and of its quantisation; what is tested is that their files are still read.
pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrix")


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    return read_comments(None, TINY.corpus)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: SOURCES[number - 1].name)
def test_a_source_is_read_as_its_model_answers_or_refused(
    folder: Path, corpus: list[str], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert_here(request: ConversionRequest, on_report: OnReport) -> None:
        Conversion(request, on_report).run()

    monkeypatch.setattr(conversion, "convert", convert_here)
    row = Measurement(number, folder, TINY, corpus, Vocabularies(folder / "vocabularies", corpus, None)).run()
    assert row.is_right(SOURCES[number - 1].refused), row
    assert row.said or row.labels_equal >= 0.9 * row.answers, row


def test_there_are_25_sources_and_their_files_have_the_same_names_in_both_languages() -> None:
    assert len(SOURCES) >= 25
    assert all(source.korean.count("`") == source.name.count("`") for source in SOURCES)


def test_a_row_that_is_off_is_told() -> None:
    good = Row(
        source=1, said="", peak_mib=1, seconds=1, comments=10, tokens_equal=9, tokens_reordered=1,
        float_difference=1e-5, answers=5, labels_equal=5,
    )  # fmt: skip
    assert good.is_right("")
    assert not good.is_right("a whole pickled model")
    for wrong in (
        {"tokens_equal": 8},
        {"float_difference": 0.1},
        {"int8_error": 0.2, "torch_error": 0.1},
        {"said": "no"},
    ):
        assert not Row(**{**_fields(good), **wrong}).is_right("")
    assert "9 + 1" in section([good, Row(**{**_fields(good), "torch_error": 0.1})], "en", made_up=False)


def _fields(row: Row) -> dict[str, Any]:
    return {field: getattr(row, field) for field in row.__struct_fields__}
