"""`mcpfleet down`: the end of a fleet from another terminal."""

import time
from contextlib import suppress
from typing import Annotated

import psutil
import typer

from mcpfleet_cli import processes, runs
from mcpfleet_cli.cleaning import clean_up_after, clean_up_after_the_dead
from mcpfleet_cli.failure import ExitCode, Failure
from mcpfleet_cli.fleet_url import FleetOption

PATIENCE_SECONDS = 16.0  # `mcpfleet up` takes at most 15


def down(
    fleet: FleetOption = None,
    every: Annotated[bool, typer.Option("--all", help="End every fleet of this machine.")] = False,
) -> None:
    """End a fleet of this machine, and clean up after runs that were killed."""
    cleaned = clean_up_after_the_dead()
    for name in cleaned:
        typer.echo(f"Cleaned up what a run of fleet {name} had left.")
    living = processes.living_runs()
    if fleet in (None, *cleaned) and cleaned and not any(fleet in (None, run.fleet) for run in living):
        return  # what was meant was among the dead
    for run in living if every and living else [runs.choose(fleet, among=living)]:
        _end(run)
        typer.echo(f"Fleet {run.fleet} at {run.url} is down.")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(down)


def _end(run: runs.Run) -> None:
    process = processes.find(run.cli)
    if process:
        try:
            process.terminate()
        except psutil.AccessDenied:
            raise Failure(
                f"fleet {run.fleet} belongs to another user; only they can end it", ExitCode.MACHINE
            ) from None
        with suppress(psutil.TimeoutExpired):
            process.wait(PATIENCE_SECONDS)
        if process.is_running():
            process.kill()
            time.sleep(0.2)
    if run in runs.recorded():
        clean_up_after(run)
