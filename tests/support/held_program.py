"""A program for `cli.held`: says which file it was to write, and ends with 7."""

import os
import sys
from pathlib import Path


def main() -> int:
    told = Path(os.environ["TOLD"])
    told.write_text(f"{os.environ['WORD']} {sys.stdin.read()!r}")
    return 7
