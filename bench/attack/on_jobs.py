"""Attacks with uploads, results and those who follow them."""

import gzip
import io
import zipfile
from functools import cache

from bench.attack.target import Target, get, head

MIB = 1 << 20
JOBS = "/jobs"
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PARQUET = "application/vnd.apache.parquet"
FORM = "multipart/form-data; boundary=b"


def slow_uploads(target: Target) -> None:
    """F6: eight uploads at a byte a second; the victim uploads too."""
    target.hold(8, head(JOBS, 100_000, CSV) + b"text\n", b"a")


def slow_json_uploads(target: Target) -> None:
    """F6: eight uploads of JSON with 8 MB less a byte."""
    target.hold(8, head(JOBS, 8 * MIB) + b'{"texts": ["' + b"a" * (8 * MIB - 100))


def json_uploads_of_many_texts(target: Target) -> None:
    """Jobs of 1.6 million texts of two letters as JSON, four at a time."""
    body = b'{"texts": [' + b'"ab",' * (8 * MIB // 5 - 10) + b'"ab"]}'
    target.repeat(lambda: target.post(JOBS, body), threads=4)


def empty_parts(target: Target) -> None:
    """F5: a form of 600,000 empty parts, in four uploads."""
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    body = part * 600_000 + b"--b--\r\n"
    target.repeat(lambda: target.post(JOBS, body, FORM), threads=4)


def part_names(target: Target) -> None:
    """F5: a part whose name has 20 MB."""
    body = b'--b\r\nContent-Disposition: form-data; name="' + b"a" * (20 * MIB) + b'"\r\n\r\n\r\n--b--\r\n'
    target.repeat(lambda: target.post(JOBS, body, FORM), threads=4)


def parquet_bombs(target: Target) -> None:
    """F7: a parquet file of a few kB that unpacks to gigabytes."""
    bomb = _parquet_bomb()
    target.repeat(lambda: target.post(JOBS, bomb, PARQUET), threads=4)


def xlsx_bombs(target: Target) -> None:
    """F7: xlsx files whose sheet or whose shared strings unpack to 300 MB, and one with nested entities."""
    bombs = [_xlsx(sheet=b"<row><c><v>1</v></c></row>" * (12 * MIB))]
    bombs.append(_xlsx(strings=b"<si><t>a</t></si>" * (18 * MIB)))
    entities = b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 1_000 + b'"><!ENTITY b "' + b"&a;" * 1_000 + b'">]>'
    bombs.append(_xlsx(prolog=entities))
    target.repeat(lambda: [target.post(JOBS, bomb, XLSX) for bomb in bombs], threads=4)


def xlsx_tags(target: Target) -> None:
    """F7: xlsx files of 30 kB with a comment or an attribute of 30 MB, which took a processor for minutes each."""
    bombs = [_xlsx(sheet=b"<!--" + b"-a" * (15 * MIB) + b"-->"), _xlsx(sheet=b'<row r="' + b"9" * (30 * MIB) + b'"/>')]
    target.repeat(lambda: [target.post(JOBS, bomb, XLSX) for bomb in bombs], threads=4)


def many_columns(target: Target) -> None:
    """F11: 500,000 columns in a few kB of gz, and a row of jsonl with 250,000 keys."""
    csv = gzip.compress(b"text," + b"a," * 500_000 + b"\n" + b"b," * 500_000 + b"\n")
    keys = ",".join(f'"{n}":1' for n in range(250_000))
    jsonl = f'{{"text":"a",{keys}}}\n'.encode()
    target.repeat(lambda: [target.post(JOBS, csv, CSV), target.post(JOBS, jsonl, "application/jsonl")], threads=4)


def lines_of_no_encoding(target: Target) -> None:
    """Lines of 1 MB, of Korean whose encoding has to be found out, and of bytes that no encoding has."""
    files = [("각" * (MIB // 3 - 1)).encode(), b"text\n" + b"\xff\xb0" * (MIB // 2 - 9)]
    packed = [gzip.compress((file + b"\n") * 16) for file in files]
    target.repeat(lambda: [target.post(f"{JOBS}?format=txt", file, "text/plain") for file in packed], threads=4)


def gzip_uploads(target: Target) -> None:
    """A gzip file of 1 MB that is one line of a gigabyte."""
    packer_input = io.BytesIO()
    with gzip.GzipFile(fileobj=packer_input, mode="wb", compresslevel=6) as file:
        for _ in range(256):
            file.write(b"a" * (4 * MIB))
    bomb = packer_input.getvalue()
    target.repeat(lambda: target.post(f"{JOBS}?format=txt", bomb, "text/plain"), threads=4)


def many_jobs(target: Target) -> None:
    """F6: as many jobs as are taken, of 1,000 texts each."""
    jobs: list[str] = []
    target.repeat(lambda: jobs.append(target.start_job(1_000)), threads=4)
    for job in jobs:
        target.delete_job(job)


def followers(target: Target) -> None:
    """F15: 1,000 event streams and 500 waits of a job, none of which is read."""
    job = target.start_job(50_000)
    streams = get(f"{JOBS}/{job}/events")
    target.hold(1_500, streams)
    target.delete_job(job)


def unread_results(target: Target) -> None:
    """100 clients that download a job's results as csv and read nothing, and 100 as xlsx."""
    job = target.start_job(20_000)
    ask = [get(f"{JOBS}/{job}/results?partial=true&format={kind}") for kind in ("csv", "xlsx")]
    target.hold(100, ask[0] + ask[1])
    target.delete_job(job)


@cache
def _parquet_bomb() -> bytes:
    import pyarrow as pa  # noqa: PLC0415  of the tests alone, and slow to load
    import pyarrow.parquet as pq  # noqa: PLC0415

    file = io.BytesIO()
    pq.write_table(pa.table({"text": ["a" * 9_000] * 220_000}), file, compression="zstd")
    return file.getvalue()


def _xlsx(sheet: bytes = b"", strings: bytes = b"", prolog: bytes = b"") -> bytes:
    """A workbook of one sheet, with these rows, shared strings, or document type."""
    space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    link = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    kinds = b"application/vnd.openxmlformats-officedocument.spreadsheetml."
    packages = b'xmlns="http://schemas.openxmlformats.org/package/2006/'
    parts = {
        "[Content_Types].xml": b"<Types " + packages + b'content-types">'
        b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        b'<Override PartName="/xl/workbook.xml" ContentType="' + kinds + b'sheet.main+xml"/>'
        b'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="' + kinds + b'worksheet+xml"/>'
        b'<Override PartName="/xl/sharedStrings.xml" ContentType="' + kinds + b'sharedStrings+xml"/></Types>',
        "_rels/.rels": b"<Relationships " + packages + b'relationships"><Relationship Id="r1" Type="' + link
        + b'/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": b"<workbook " + space + b' xmlns:r="' + link
        + b'"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": b"<Relationships " + packages + b'relationships"><Relationship Id="r1" Type="'
        + link + b'/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="' + link
        + b'/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": prolog + b"<worksheet " + space + b"><sheetData>"
        + (b"<row><c t=\"inlineStr\"><is><t>text</t></is></c></row>" + sheet) + b"</sheetData></worksheet>",
        "xl/sharedStrings.xml": b"<sst " + space + b">" + strings + b"</sst>",
    }  # fmt: skip
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


ATTACKS = (
    slow_uploads,
    slow_json_uploads,
    json_uploads_of_many_texts,
    empty_parts,
    part_names,
    parquet_bombs,
    xlsx_bombs,
    xlsx_tags,
    many_columns,
    lines_of_no_encoding,
    gzip_uploads,
    followers,
    unread_results,
    many_jobs,
)
