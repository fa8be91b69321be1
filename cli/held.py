"""A process of the service that imports its program, and runs it once it is told its environment (`cli.early`).

    python -m cli.held MODULE

The environment comes through the standard input, as JSON. Where that ends without any, nothing is run: the command has
found a fault, or is gone.
"""

import gc

# Before the imports, which make most of what a process keeps: see `shared.interpreter.freeze_startup_objects`.
if __name__ == "__main__":
    gc.disable()

import json
import os
import sys
from importlib import import_module


def main() -> int:
    """Import the module that the command line names, wait, and run its `main`; returns the exit code."""
    program = import_module(sys.argv[1])
    told = sys.stdin.buffer.read()
    if not told:
        return 0
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.update(json.loads(told))
    code: int = program.main()
    return code


if __name__ == "__main__":
    sys.exit(main())
