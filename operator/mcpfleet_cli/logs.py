"""`mcpfleet logs`: what a server wrote to its stderr."""

from contextlib import suppress
from typing import Annotated

import httpx2
import typer

from mcpfleet_cli.fleet_url import FleetOption, UrlOption, server_names, target


def logs(
    server: Annotated[str, typer.Argument(help="Name of the server.", autocompletion=server_names)],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", min=0, help="How many of the last lines.")] = 200,
    fleet: FleetOption = None,
    url: UrlOption = None,
) -> None:
    """Show the last lines that a server wrote to its stderr."""
    chosen = target(fleet, url)
    chosen.server(server)
    query = {"tail": tail, **({"follow": 1} if follow else {})}
    with (
        chosen.reachable(),
        chosen.client(timeout=None if follow else 10.0) as client,
        client.stream("GET", f"/-/logs/{server}", params=query) as answer,
    ):
        answer.raise_for_status()
        # The stream ends in the middle when the fleet does.
        with suppress(httpx2.RemoteProtocolError, KeyboardInterrupt):
            for line in answer.iter_lines():
                typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(logs)
