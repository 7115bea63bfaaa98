"""`mcpfleet up`: a fleet on this machine, for as long as the command runs."""

import asyncio
import errno
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mcpfleet_cli import checks
from mcpfleet_cli.cleaning import clean_up_after_the_dead
from mcpfleet_cli.display import Display, Events, Lines, LiveTable
from mcpfleet_cli.failure import ExitCode, Failure
from mcpfleet_cli.local_fleet import LocalFleet, read
from mcpfleet_cli.session import Session


class UpOutput(StrEnum):
    """How the course of a fleet is shown."""

    TABLE = "table"
    JSON = "json"


def up(
    file: Annotated[Path, typer.Argument(help="Fleet file.", show_default=False)],
    *,
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="Port; 0 finds a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback anyone may call.")
    ] = "127.0.0.1",
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Apply edits of the file when saved.")] = True,
    env_file: Annotated[
        Path | None,
        typer.Option(
            envvar="MCPFLEET_ENV_FILE",
            help="File of NAME=value lines, where secretKeyRefs are looked up.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        UpOutput, typer.Option("--output", "-o", help="For people, or one JSON object a line.")
    ] = UpOutput.TABLE,
) -> None:
    """Run a fleet on this machine until Ctrl-C.

    Starts a private Ray, installs the servers' packages, starts them, and shows the addresses for clients. Ctrl-C,
    or TERM, ends all of it and exits with 0; a second one does not wait for calls in progress.
    """
    if env_file and not env_file.is_file():
        raise Failure(f"--env-file {env_file} is not there; check the path", ExitCode.BAD_INPUT)
    fleet = read(file)
    checks.ray_is_installed()
    for name in clean_up_after_the_dead():
        typer.echo(f"Cleaned up what an earlier run of fleet {name} had left.", err=True)
    checks.enough_memory()
    port = checks.port_to_use(host, port)
    local = LocalFleet(file, fleet, host, port)
    local.make_folders()
    session = Session(local, _display(output), watch=watch, env_file=env_file.resolve() if env_file else None)
    raise typer.Exit(asyncio.run(session.run()))


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(up)


class _Console(Console):
    """Leaves the end to the session when the reader of a pipe is gone; rich itself would exit at once."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def _display(output: UpOutput) -> Display:
    if output is UpOutput.JSON:
        return Events()
    console = _Console()
    return LiveTable(console) if console.is_terminal else Lines(console)
