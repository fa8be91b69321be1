"""A program for `cli.held`: writes what it was told, and whether garbage is collected, into a file, and ends with 7."""

import gc
import os
import sys
from pathlib import Path


def main() -> int:
    told = Path(os.environ["TOLD"])
    told.write_text(f"{os.environ['WORD']} {sys.stdin.read()!r} {gc.isenabled()}")
    return 7
