"""What packing a chunk costs and saves: bytes a row and microseconds a row, by zlib level and rows a chunk.

python -m bench.pack_rows [FILE]     comments, one a line or {"text"} a line
"""

import argparse
import sys
import time
import zlib
from pathlib import Path

import msgspec

from bench.million_rows import read_comments
from shared.jobs.records import Row

ROWS = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=Path(__file__).with_name("comments.txt"))
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    comments = read_comments(options.file)[: 200 if options.smoke else ROWS]
    rows = [Row(number, comment, msgspec.Raw(b'["1","free",null]')) for number, comment in enumerate(comments)]
    for chunk_rows in (64, 256, 1_024):
        packed = [msgspec.json.encode(rows[start : start + chunk_rows]) for start in range(0, len(rows), chunk_rows)]
        plain = sum(map(len, packed)) / len(rows)
        for level in (1, 3, 6, 9):
            started = time.process_time()
            size = sum(len(zlib.compress(body, level)) for body in packed)
            cost_us = (time.process_time() - started) / len(rows) * 1e6
            sys.stdout.write(
                f"{chunk_rows:5d} rows a chunk, level {level}: {size / len(rows):5.1f} of {plain:5.1f} bytes a row, "
                f"{cost_us:4.1f} us a row\n"
            )


if __name__ == "__main__":
    main()
