"""The command `kobert` and its sub-commands, one module each."""

import sys

import click

from cli.jobs import jobs
from cli.model import model
from cli.run import run
from shared.errors import KobertError

EXIT_ERROR = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kobert-classifier")
def kobert() -> None:
    """Classify Korean text on your own machine."""


kobert.add_command(model)
kobert.add_command(run)
kobert.add_command(jobs)


def main() -> None:
    """Run the command; an error of ours ends as one sentence and exit code 1."""
    try:
        kobert()
    except KobertError as error:
        click.echo(f"kobert: {error.message}", err=True)
        sys.exit(EXIT_ERROR)


if __name__ == "__main__":
    main()
