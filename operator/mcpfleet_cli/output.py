"""What verbs print: tables for people, JSON and YAML for programs."""

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table


class Output(StrEnum):
    """How a verb prints its result."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="For people, or for programs.")]


def print_data(data: Any, output: Output) -> None:
    """Print plain data as JSON or YAML."""
    if output is Output.JSON:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)


def print_table(table: Table) -> None:
    """Print a table as wide as it needs to be when it goes into a pipe."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 400
    console.print(table)


def plain_table(*columns: str, rows: Iterable[Iterable[Any]] = ()) -> Table:
    """A table without lines, as `kubectl` prints them."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
