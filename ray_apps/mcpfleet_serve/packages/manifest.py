"""What one folder of the cache holds. A folder with a manifest that still holds true is whole."""

import json
import os
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from mcpfleet_api.base import Model

NAME = "mcpfleet-package.json"


class Command(Model):
    """One program that a package offers."""

    name: str
    file: str
    runner: Literal["node", "python", "itself"]
    options: tuple[str, ...] = ()
    size: int

    @classmethod
    def of(cls, name: str, file: Path, folder: Path) -> "Command":
        """The command behind `file`, run the way that its first line or its name asks for."""
        runner, options = _runner(file)
        return cls(
            name=name,
            file=str(file.relative_to(folder)),
            runner=runner,
            options=options,
            size=file.stat().st_size,
        )


class Manifest(Model):
    """The record of a finished install."""

    identity: dict[str, str]
    commands: tuple[Command, ...]

    def write(self, folder: Path) -> None:
        """Put the manifest into the folder, on the disk and not only in memory."""
        with (folder / NAME).open("w") as file:
            file.write(self.model_dump_json(by_alias=True, indent=2))
            file.flush()
            os.fsync(file.fileno())


def read(folder: Path) -> Manifest | None:
    """The manifest of a whole folder; none when it is missing, cut short, or its programs are gone."""
    try:
        manifest = Manifest.model_validate_json((folder / NAME).read_bytes())
        sizes = [(folder / command.file).stat().st_size for command in manifest.commands]
    except (OSError, ValidationError):
        return None
    # A virtual environment moved to a machine without its Python is a folder full of files that cannot run.
    if any(command.runner == "python" for command in manifest.commands) and not python(folder).exists():
        return None
    return manifest if sizes == [command.size for command in manifest.commands] else None


def python(folder: Path) -> Path:
    """The interpreter of a folder that is a virtual environment."""
    return folder / "bin" / "python"


def _runner(file: Path) -> tuple[Literal["node", "python", "itself"], tuple[str, ...]]:
    with file.open("rb") as opened:
        head = opened.read(512)
    lines = head.decode("utf-8", "replace").splitlines()
    if lines and lines[0].startswith("#!"):
        program, *options = lines[0][2:].split() or [""]
        # `#!/usr/bin/env -S node --no-warnings`
        if Path(program).name == "env":
            words = [word for word in options if word != "-S"]
            program, *options = words or [""]
        if Path(program).name == "node":
            return "node", tuple(options)
        # uv writes `#!/bin/sh` and a line that is shell and Python at once, so that the folder can be moved.
        if Path(program).name.startswith("python") or (
            len(lines) > 1 and lines[1].startswith("'''exec'") and "python" in lines[1]
        ):
            return "python", ()
        return "itself", ()
    return ("node", ()) if file.suffix in {".js", ".mjs", ".cjs"} else ("itself", ())


def identity_text(identity: dict[str, str]) -> str:
    """The identity as text that is the same on each machine: what the key is the hash of."""
    return json.dumps(identity, sort_keys=True, separators=(",", ":"))
