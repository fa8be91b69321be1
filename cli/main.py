"""The command `kobert` and its sub-commands, one module each."""

from typing import IO, Any

import click

from api.keys import keys
from cli.corrections import corrections
from cli.env_file import ENV_FILE, load_env_file
from cli.jobs import jobs
from cli.model import model
from cli.policy import policy
from cli.predict import predict
from cli.run import run
from shared.errors import KobertError

EXIT_ERROR = 1


class _OneSentence(click.ClickException):
    """An error of ours: shown as one sentence."""

    exit_code = EXIT_ERROR

    def show(self, file: IO[Any] | None = None) -> None:
        """Write it to standard error."""
        click.echo(f"kobert: {self.message}", file=file, err=True)


class _Commands(click.Group):
    """The command; an error of ours ends it as one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  as click has it
        """Run the sub-command."""
        try:
            return super().invoke(ctx)
        except KobertError as error:
            raise _OneSentence(error.message) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kobert-classifier")
def kobert() -> None:
    """Classify Korean text on your own machine."""
    load_env_file(ENV_FILE)


kobert.add_command(predict)
kobert.add_command(model)
kobert.add_command(run)
kobert.add_command(jobs)
kobert.add_command(policy)
kobert.add_command(corrections)
kobert.add_command(keys)


def main() -> None:
    """Run the command with the arguments of this process."""
    kobert()


if __name__ == "__main__":
    main()
