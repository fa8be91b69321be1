"""`kobert run`: the whole service on one machine, from one command."""

from contextlib import nullcontext
from pathlib import Path

import click

from cli.early import EarlyProcess, early_process


@click.command()
@click.option("--host", help="Address to listen on (HOST, default 127.0.0.1; 0.0.0.0 for every network).")
@click.option("--port", type=int, help="Port to listen on (PORT, default 8000).")
@click.option("--workers", type=int, help="Worker processes (WORKERS, default 1).")
@click.option("--model", help="What to serve (MODEL, default: the embedded model).")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the store keeps its data (DATA_DIR).")
@click.pass_obj
def run(begun: EarlyProcess | None, /, **options: object) -> None:
    """Start the store, the workers and the API, and keep them running until Ctrl-C.

    Every option can also be set in the environment; docs/settings.md lists them all.
    """
    # The API's imports and the command's own have a processor each, and the worker's wait until the latter are done.
    with nullcontext(begun) if begun else early_process("api.main") as api:
        from cli.start import start  # noqa: PLC0415  while the API does

        with early_process("worker.main") as worker:
            start(options, {"api.main": api, "worker.main": worker})
