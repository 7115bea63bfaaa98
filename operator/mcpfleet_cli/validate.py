"""`mcpfleet validate`: every mistake of fleet files at once."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from mcpfleet_cli.fleet_file import Finding, Loaded, load
from mcpfleet_cli.output import Output, OutputOption, print_data

MISTAKES_FOUND = 2


def validate(
    files: Annotated[list[Path], typer.Argument(help="Fleet files; - reads standard input.", show_default=False)],
    output: OutputOption = Output.TABLE,
) -> None:
    """Check fleet files without a cluster: every mistake with its line, and what to write.

    Objects of other kinds in the files are passed over. Exits with 2 when there is a mistake, else with 0.
    """
    loaded = {str(file): load(file) for file in files}
    if output is Output.TABLE:
        _print(loaded)
    else:
        print_data(_report(loaded), output)
    if any(file.findings for file in loaded.values()):
        raise typer.Exit(MISTAKES_FOUND)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(validate)


def _print(loaded: dict[str, Loaded]) -> None:
    # Long lines stay whole: editors and people click on `file:line:column`.
    console = Console(soft_wrap=True, highlight=False)
    for name, file in loaded.items():
        for finding in file.findings:
            console.print(_line(finding))
        if not file.findings:
            console.print(Text.assemble((f"{name}: ", "bold"), _contents(file)))
    mistakes = sum(len(file.findings) for file in loaded.values())
    if mistakes:
        console.print(f"{mistakes} {'mistake' if mistakes == 1 else 'mistakes'}", style="red")


def _line(finding: Finding) -> Text:
    return Text.assemble(
        (f"{finding.file}:{finding.line}:{finding.column}: ", "bold"),
        ("error: ", "red"),
        (f"{finding.path}: " if finding.path else "", "cyan"),
        finding.message,
    )


def _contents(file: Loaded) -> str:
    counts = (
        (len(file.fleets), "MCPFleet", "MCPFleets"),
        (sum(len(fleet.spec.servers) for fleet in file.fleets), "server", "servers"),
        (len(file.clusters), "MCPCluster", "MCPClusters"),
        (file.others, "object of another kind", "objects of other kinds"),
    )
    if not file.fleets and not file.clusters:
        return "nothing to check in it"
    return "valid: " + ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)


def _report(loaded: dict[str, Loaded]) -> dict[str, Any]:
    files = loaded.values()
    return {
        "valid": not any(file.findings for file in files),
        "fleets": sum(len(file.fleets) for file in files),
        "clusters": sum(len(file.clusters) for file in files),
        "others": sum(file.others for file in files),
        "findings": [finding.as_dict() for file in files for finding in file.findings],
    }
