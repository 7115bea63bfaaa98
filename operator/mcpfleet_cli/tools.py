"""`mcpfleet tools`: what a fleet can do."""

import asyncio
from typing import Annotated, Any

import typer
from mcp_types import Tool
from rich.text import Text

from mcpfleet_api.serve import ServerReport, ServerState
from mcpfleet_cli import tool_arguments
from mcpfleet_cli.failure import Failure
from mcpfleet_cli.fleet_url import FleetOption, Target, UrlOption, server_names, target
from mcpfleet_cli.mcp_client import all_tools, connect, run
from mcpfleet_cli.output import Output, OutputOption, plain_table, print_data, print_table

LONGEST_PURPOSE = 80
SECONDS = 60.0  # a server that sleeps may have to start first


def tools(
    server: Annotated[
        str | None,
        typer.Argument(help="Only of this server.", autocompletion=server_names, show_default=False),
    ] = None,
    fleet: FleetOption = None,
    url: UrlOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the tools of a fleet, or of one server, with their arguments.

    An argument with a ? may be left out; one without a type is text.
    """
    chosen = target(fleet, url)
    servers = (chosen.server(server),) if server else chosen.report().servers
    if server and servers[0].state is ServerState.FAILED:
        raise Failure(f"server {server} has failed: {servers[0].reason}: {servers[0].message}")
    answering = [s for s in servers if s.state in (ServerState.READY, ServerState.ASLEEP)]
    found = run(_tools_of(chosen, answering))
    if output is Output.TABLE:
        rows = ((name, Text(tool.name, "bold"), Text(_arguments(tool)), _purpose(tool)) for name, tool in found)
        print_table(plain_table("SERVER", "TOOL", "ARGUMENTS", "PURPOSE", rows=rows))
        for left_out in (s for s in servers if s not in answering):
            typer.echo(f"{left_out.name} is {left_out.state} and left out.", err=True)
    else:
        print_data([{"server": name, **_plain(tool)} for name, tool in found], output)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(tools)


async def _tools_of(fleet: Target, servers: list[ServerReport]) -> list[tuple[str, Tool]]:
    async def of(server: ServerReport) -> list[tuple[str, Tool]]:
        async with connect(fleet.url + server.endpoint, SECONDS) as client:
            return [(server.name, tool) for tool in await all_tools(client)]

    lists = await asyncio.gather(*(of(server) for server in servers))
    return [entry for entries in lists for entry in entries]


def _plain(tool: Tool) -> dict[str, Any]:
    return tool.model_dump(mode="json", by_alias=True, exclude_none=True)


def _arguments(tool: Tool) -> str:
    return tool_arguments.summary(tool.input_schema)


def _purpose(tool: Tool) -> Text:
    words = " ".join((tool.description or tool.title or "").split())
    return Text(
        words if len(words) <= LONGEST_PURPOSE else words[:LONGEST_PURPOSE].rsplit(" ", 1)[0] + " …", "dim"
    )
