"""Groups of commands for a running service: `--url` and `--key` stand before a command's name or behind it."""

from typing import Any

import click

from cli.client import ServiceClient
from cli.options import DEFAULT_URL

_URL_HELP = "Where the service is."
_KEY_HELP = "Your API key, when the service wants one."
_NAMES = ("url", "key")


class ServiceCommand(click.Command):
    """A command whose object is a `ServiceClient`, by what was said behind its name, else before it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  as click has it
        super().__init__(*args, **kwargs)
        self.params += [click.Option(["--url"], help=_URL_HELP), click.Option(["--key"], help=_KEY_HELP)]

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  as click has it
        """Run the command with a client of the service."""
        before = ctx.parent.params if ctx.parent else {}
        behind = {name: ctx.params.pop(name) for name in _NAMES}
        url, key = (before.get(name) if behind[name] is None else behind[name] for name in _NAMES)
        ctx.obj = ServiceClient(DEFAULT_URL if url is None else url, key)
        return super().invoke(ctx)


class ServiceGroup(click.Group):
    """Commands of a running service, each a `ServiceCommand`."""

    command_class = ServiceCommand
