"""The register of fleets that run on this machine: one small file per run, which every verb finds them by."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from mcpfleet_cli.failure import ExitCode, Failure


@dataclass(frozen=True)
class ProcessId:
    """A process that is told apart from a later one with the same number by the time at which it began."""

    pid: int
    began: float


@dataclass(frozen=True)
class Run:
    """One `mcpfleet up`."""

    id: str
    fleet: str
    url: str
    file: str
    folder: str
    cli: ProcessId
    engine: ProcessId | None = None
    servers: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, text: str) -> Self:
        fields: dict[str, Any] = json.loads(text)
        fields["cli"] = ProcessId(**fields["cli"])
        fields["engine"] = ProcessId(**fields["engine"]) if fields["engine"] else None
        fields["servers"] = tuple(fields["servers"])
        return cls(**fields)


def folder() -> Path:
    """Where the register is."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "mcpfleet" / "runs"


def save(run: Run) -> None:
    """Write a run into the register, in one step."""
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=folder(), prefix=f".{run.id}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(run), file)
    Path(name).replace(folder() / f"{run.id}.json")


def forget(run: Run) -> None:
    """Take a run out of the register."""
    (folder() / f"{run.id}.json").unlink(missing_ok=True)


def recorded() -> Iterator[Run]:
    """Every run in the register, whether it lives or not, the oldest first."""
    with suppress(FileNotFoundError):
        for file in sorted(folder().glob("*.json"), key=lambda file: file.stat().st_mtime):
            # Another version may have written it, or another process may just have removed it.
            with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
                yield Run.from_json(file.read_text(encoding="utf-8"))


def choose(fleet: str | None, *, among: list[Run]) -> Run:
    """The one run that is meant.

    Raises:
        Failure: there is none, or more than one.
    """
    named = [run for run in among if fleet in (None, run.fleet)]
    if len(named) == 1:
        return named[0]
    if not among:
        raise Failure(
            "no fleet runs on this machine; start one with `mcpfleet up FILE`, or name another with --url",
            ExitCode.NO_FLEET,
        )
    which = ", ".join(f"{run.fleet} ({run.url})" for run in among)
    if not named:
        raise Failure(f'no fleet "{fleet}" runs on this machine; there are: {which}', ExitCode.NO_FLEET)
    alike = len({run.fleet for run in named}) < len(named)
    how = "choose one by its address, with --url" if alike else "choose one with --fleet NAME"
    raise Failure(f"several fleets run on this machine: {which}; {how}", ExitCode.BAD_INPUT)
