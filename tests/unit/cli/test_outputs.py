"""The name of a result file: what its ending asks for, and what is found out before any work."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.outputs import ResultFile, require_new_folder
from shared.errors import KobertError, StartupError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "file_format", "is_gzipped"),
    [
        ("v.csv", "csv", False),
        ("v.csv.gz", "csv", True),
        ("v.tsv", "tsv", False),
        ("v.tab.gz", "tsv", True),
        ("v.jsonl", "jsonl", False),
        ("v.ndjson.gz", "jsonl", True),
        ("V.JSONL.GZ", "jsonl", True),
        ("판정.XLSX", "xlsx", False),
        ("v.parquet", "parquet", False),
        ("2025.11.25.csv", "csv", False),
        ("verdicts", None, False),
        (".hidden", None, False),
    ],
)
def test_the_ending_decides_format_and_compression(name: str, file_format: str | None, is_gzipped: bool) -> None:
    result = ResultFile.named(Path("some/folder.d") / name)
    assert (result.format, result.is_gzipped) == (file_format, is_gzipped)


@pytest.mark.parametrize(
    "name", ["v.xls", "v.xlsx.gz", "v.parquet.gz", "v.json", "v.txt", "v.gz", "v.csv.zip", "v.csv.bz2", "v.csv.gz.gz"]
)
def test_an_ending_that_is_not_served_is_refused_with_the_list(name: str) -> None:
    with pytest.raises(KobertError, match=r"\.csv, \.tsv, \.jsonl \(each also with \.gz\), \.xlsx or \.parquet"):
        ResultFile.named(Path(name))


def test_a_format_that_does_not_fit_the_ending_is_refused() -> None:
    with pytest.raises(KobertError, match=r"--format csv does not fit a file that ends in \.jsonl\.gz"):
        ResultFile.named(Path("v.jsonl.gz")).with_format("csv")
    assert ResultFile.named(Path("verdicts")).with_format("csv").format == "csv"


def test_what_is_written_is_compressed_and_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "v.csv.gz"

    def pieces() -> Iterator[bytes]:
        yield b"a,b\n"
        assert not target.exists()
        yield b"1,2\n"

    ResultFile.named(target).write(pieces())

    assert gzip.decompress(target.read_bytes()) == b"a,b\n1,2\n"
    assert names(tmp_path) == ["v.csv.gz"]


def test_a_download_that_breaks_off_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "v.csv"
    target.write_text("old")

    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise KobertError("the download broke off")

    with pytest.raises(KobertError, match="broke off"):
        ResultFile.named(target).write(pieces())
    assert target.read_text() == "old"
    assert names(tmp_path) == ["v.csv"]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real.csv").touch()
    (tmp_path / "link.csv").symlink_to("real.csv")
    ResultFile.named(tmp_path / "link.csv").write([b"x"])
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes() == b"x"


def test_the_longest_name_that_a_disk_takes_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("가" * 83 + ".csv")  # 253 bytes
    result = ResultFile.named(target)
    result.require_writable()
    result.write([b"x"])
    assert target.read_bytes() == b"x"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere/v.csv", "No such file or directory"),
        ("file/v.csv", "Not a directory"),
        ("folder.csv", "is a folder"),
        ("가" * 100 + ".csv", "File name too long"),
        ("source.csv", "would replace the file that is sent"),
        ("./folder.csv/../source.csv", "would replace the file that is sent"),
    ],
)
def test_a_place_that_cannot_be_written_is_found_before_the_work(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "source.csv").touch()
    before = names(tmp_path)
    with pytest.raises(KobertError, match=sentence):
        ResultFile.named(tmp_path / name).require_writable(tmp_path / "source.csv")
    assert names(tmp_path) == before


def test_a_device_is_written_to_and_not_replaced() -> None:
    device = ResultFile.named(Path("/dev/null"))
    device.require_writable()
    device.write([b"x"])
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("name", ["file", "full", "file/below"])
def test_a_folder_to_fill_must_be_new(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(StartupError, match="--output"):
        require_new_folder(tmp_path / name)


def test_the_check_of_a_folder_leaves_nothing(tmp_path: Path) -> None:
    require_new_folder(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    require_new_folder(tmp_path / "empty")
    assert names(tmp_path) == ["empty"]
    assert not names(tmp_path / "empty")
