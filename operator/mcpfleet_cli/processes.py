"""The processes of a run: found by what they carry, ended by their own ids."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

from mcpfleet_cli import runs
from mcpfleet_cli.runs import ProcessId, Run

MARK = "MCPFLEET_RUN"
_SAME_MOMENT = 2.0  # seconds; the clock of process starts is coarse on some systems


def identify(pid: int) -> ProcessId:
    """What tells a living process apart from any later one with its number."""
    return ProcessId(pid, psutil.Process(pid).create_time())


def find(known: ProcessId | None) -> psutil.Process | None:
    """The process, if it still lives."""
    if known is None:
        return None
    with suppress(psutil.Error):
        process = psutil.Process(known.pid)
        if abs(process.create_time() - known.began) < _SAME_MOMENT and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def living_runs() -> list[Run]:
    """The runs in the register whose `mcpfleet up` is there."""
    return [run for run in runs.recorded() if find(run.cli)]


def of_run(run: Run) -> list[psutil.Process]:
    """Every process that a run started and that still lives.

    They carry the run's id in their environment. Some of Ray's overwrite that with their title; those are found as
    descendants of the engine, or by the session that it leads.
    """
    engine = find(run.engine)
    found = {engine, *_descendants(engine)} if engine else set[psutil.Process]()
    # A session's number is not given to another process while one of its members lives, unless its leader does.
    stranger = run.engine is not None and engine is None and psutil.pid_exists(run.engine.pid)
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid == os.getpid():
                continue
            in_session = run.engine is not None and not stranger and os.getsid(process.pid) == run.engine.pid
            if in_session or process.environ().get(MARK) == run.id:
                found.add(process)
    return [process for process in found if _lives(process)]


def end(run: Run, *, patience: float, extra: Iterable[psutil.Process] = ()) -> list[psutil.Process]:
    """End what a run started: TERM, then KILL when the patience (in seconds) is over. What outlived even that."""
    left = [*of_run(run), *(process for process in extra if process.is_running())]
    for process in left:
        with suppress(psutil.Error):
            process.terminate()
    until = time.monotonic() + patience
    while left and time.monotonic() < until:
        psutil.wait_procs(left, timeout=0.1)
        left = [process for process in {*of_run(run), *left} if _lives(process)]
    for _ in range(3):  # one that was being started while its parent died shows up in the next round
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=1.0)
        left = [process for process in {*of_run(run), *left} if _lives(process)]
        if not left:
            break
    return left


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
