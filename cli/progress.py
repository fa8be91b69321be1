"""Shows what a conversion or a download is doing: a bar on a terminal, a line a step anywhere else."""

import sys
from types import TracebackType
from typing import Self

import click

from bundles.own_process import Notice, Progress

_BAR_CELLS = 24


class TerminalProgress:
    """An `on_report` for people; a context manager that ends the line it drew."""

    def __init__(self) -> None:
        self._drawn = False
        self._on_terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_line()

    def __call__(self, report: Progress | Notice) -> None:
        """Show one report."""
        if isinstance(report, Notice):
            self._end_line()
            click.echo(f"note: {report.message}", err=True)
        elif self._on_terminal:
            self._draw(report)
        else:
            click.echo(f"  {report.fraction:4.0%}  {report.message}", err=True)

    def _draw(self, report: Progress) -> None:
        filled = round(report.fraction * _BAR_CELLS)
        bar = "#" * filled + "-" * (_BAR_CELLS - filled)
        # \r and the erase code redraw the line in place.
        click.echo(f"\r\x1b[K  [{bar}] {report.fraction:4.0%}  {report.message}", err=True, nl=False)
        self._drawn = True

    def _end_line(self) -> None:
        if self._drawn:
            click.echo("", err=True)
            self._drawn = False
