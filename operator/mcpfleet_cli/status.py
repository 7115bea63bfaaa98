"""`mcpfleet status`: the servers of a running fleet."""

import typer

from mcpfleet_cli.display import server_table
from mcpfleet_cli.fleet_url import FleetOption, UrlOption, target
from mcpfleet_cli.output import Output, OutputOption, print_data, print_table


def status(
    fleet: FleetOption = None,
    url: UrlOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the servers of a running fleet: state, tools, and what is wrong."""
    chosen = target(fleet, url)
    report = chosen.report()
    if output is Output.TABLE:
        typer.echo(f"Fleet {report.fleet} at {chosen.url}{report.endpoint}\n")
        print_table(server_table(report.servers))
    else:
        print_data({"url": chosen.url, **report.model_dump(mode="json", by_alias=True)}, output)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(status)
