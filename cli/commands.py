"""The command `kobert` and its sub-commands, one module each, which are imported when they are asked for."""

from importlib import import_module
from typing import IO, Any

import click

from cli.env_file import ENV_FILE, load_env_file
from shared.errors import EXIT_CONFIG, KobertError, SettingsError, UnfitSettingError

EXIT_ERROR = 1
# Each sub-command is a function of its own name in this module. `kobert run` starts its processes sooner without the
# imports of the others.
MODULES = {
    "predict": "cli.predict",
    "model": "cli.model",
    "run": "cli.run",
    "jobs": "cli.jobs",
    "policy": "cli.policy",
    "corrections": "cli.corrections",
    "keys": "api.keys",
}


class _OneSentence(click.ClickException):
    """An error of ours: shown as one sentence."""

    exit_code = EXIT_ERROR

    def show(self, file: IO[Any] | None = None) -> None:
        """Write it to standard error."""
        click.echo(f"kobert: {self.message}", file=file, err=True)


class _WrongSetting(_OneSentence):
    """As `_OneSentence`, where a setting is wrong."""

    exit_code = EXIT_CONFIG


class _Commands(click.Group):
    """The command; an error of ours ends it as one sentence and exit code 1, or 78 where a setting is wrong.

    Sub-commands are loaded lazily, as click's documentation of complex applications has it.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  as click has it
        """Names of the sub-commands."""
        return sorted(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  as click has it
        """The sub-command of this name."""
        if cmd_name not in MODULES:
            return None
        command: click.Command = getattr(import_module(MODULES[cmd_name]), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  as click has it
        """Run the sub-command."""
        try:
            return super().invoke(ctx)
        except (SettingsError, UnfitSettingError) as error:
            raise _WrongSetting(error.message) from error
        except KobertError as error:
            raise _OneSentence(error.message) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kobert-classifier")
def kobert() -> None:
    """Classify Korean text on your own machine."""
    load_env_file(ENV_FILE)
