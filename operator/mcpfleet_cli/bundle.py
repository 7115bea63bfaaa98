"""`mcpfleet bundle`: packages ahead of time, for images and machines without a network."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mcpfleet_api.server import NpmSource, PypiSource, Server
from mcpfleet_cli.failure import Failure
from mcpfleet_cli.local_fleet import read
from mcpfleet_cli.output import Output, OutputOption, print_data
from mcpfleet_serve.host import package_cache
from mcpfleet_serve.packages import Installed, PackageError, PackageSource
from mcpfleet_serve.packages import bundle as install_all

_Outcome = Installed | PackageError


def bundle(
    file: Annotated[Path, typer.Argument(help="Fleet file.", show_default=False)],
    into: Annotated[
        Path | None,
        typer.Option(
            help="Folder to install into; left out, the cache that `mcpfleet up` uses.", show_default=False
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Install the packages of a fleet ahead of time, without running anything of them.

    Put the folder into an image, or onto a machine without a network, and name it there in MCPFLEET_PACKAGES.
    """
    sources = _packages(read(file).spec.servers)
    cache = (into or package_cache()).resolve()
    outcomes = _install(sources, cache, show=output is Output.TABLE) if sources else {}
    if output is not Output.TABLE:
        print_data({"cache": str(cache), "packages": [_plain(*entry) for entry in outcomes.items()]}, output)
    failed = [outcome for outcome in outcomes.values() if isinstance(outcome, PackageError)]
    if failed:
        raise Failure(f"{len(failed)} of {len(outcomes)} packages could not be installed")
    if output is Output.TABLE:
        typer.echo(f"{len(outcomes)} packages are in {cache}" if outcomes else f"{file} needs no packages")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(bundle)


def _packages(servers: Iterable[Server]) -> list[PackageSource]:
    return [source for server in servers if isinstance(source := server.source, NpmSource | PypiSource)]


def _install(sources: list[PackageSource], cache: Path, *, show: bool) -> dict[PackageSource, _Outcome]:
    columns = (SpinnerColumn(finished_text=" "), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as progress:
        lines = {source: progress.add_task(_label(source), total=1) for source in sources}

        def started(source: PackageSource, text: str) -> None:
            progress.update(lines[source], description=f"{_label(source)}  [dim]{escape(text)}[/]")

        outcomes = asyncio.run(install_all(sources, cache, started))
        for source, outcome in outcomes.items():
            said = (
                f"[red]{escape(str(outcome))}[/]" if isinstance(outcome, PackageError) else "[green]installed[/]"
            )
            progress.update(lines[source], description=f"{_label(source)}  {said}", completed=1)
    return outcomes


def _plain(source: PackageSource, outcome: _Outcome) -> dict[str, str]:
    what = {"package": source.package, "version": source.version}
    if isinstance(outcome, PackageError):
        return {**what, "reason": outcome.reason, "message": outcome.message}
    return {**what, "folder": str(outcome.folder)}


def _label(source: PackageSource) -> str:
    return f"[bold]{escape(source.package)}[/] {source.version}"
