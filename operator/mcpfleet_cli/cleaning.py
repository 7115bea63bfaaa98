"""Cleaning up after runs whose `mcpfleet up` was killed."""

import shutil

from mcpfleet_cli import processes, runs
from mcpfleet_cli.failure import Failure


def clean_up_after_the_dead() -> list[str]:
    """End and remove what dead runs left; the names of their fleets."""
    return [clean_up_after(run) for run in runs.recorded() if not processes.find(run.cli)]


def clean_up_after(run: runs.Run) -> str:
    """End and remove what one run left; the name of its fleet.

    Raises:
        Failure: one of its processes cannot be ended.
    """
    if left := processes.end(run, patience=3.0):
        numbers = ", ".join(str(process.pid) for process in left)
        raise Failure(f"processes of fleet {run.fleet} do not end; end them yourself: kill -9 {numbers}")
    shutil.rmtree(run.folder, ignore_errors=True)
    runs.forget(run)
    return run.fleet
