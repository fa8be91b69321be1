"""The program `kobert`, which begins the API's process for `kobert run` before it loads anything else."""

import sys
from contextlib import nullcontext

from cli.early import early_process


def main() -> None:
    """Run the command with the arguments of this process."""
    # Nothing of a start takes longer than the API's imports, and click's alone are a tenth of them.
    is_start = sys.argv[1:2] == ["run"]
    with early_process("api.main") if is_start else nullcontext() as api:
        from cli.commands import kobert  # noqa: PLC0415  while the API does

        kobert(obj=api)


if __name__ == "__main__":
    main()
