"""How a package from an npm registry gets into a folder, and runs from there."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mcpfleet_api.sources import NpmSource
from mcpfleet_serve.packages.errors import PackageError, Reason
from mcpfleet_serve.packages.installer import Outcome, last_lines, run
from mcpfleet_serve.packages.manifest import Command
from mcpfleet_serve.packages.node import Node, find_node

UNREACHABLE = {
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ENETUNREACH",
    "ENOTCACHED",
    "ENOTFOUND",
    "ERR_SOCKET_TIMEOUT",
    "ETIMEDOUT",
}


@dataclass(frozen=True)
class NpmRecipe:
    """Installs with npm, and honours the user's npm configuration: mirrors, proxies, credentials."""

    source: NpmSource
    node: Node

    @classmethod
    async def prepare(cls, source: NpmSource) -> Self:
        """Find what the recipe needs on this machine."""
        return cls(source, await find_node())

    @property
    def label(self) -> str:
        return f"{self.source.package}@{self.source.version}"

    @property
    def default_command(self) -> str:
        return self.source.package.rpartition("/")[2]

    @property
    def identity(self) -> dict[str, str]:
        """What besides the machine determines what npm installs."""
        return {
            "kind": "npm",
            "package": self.source.package,
            "version": self.source.version,
            "allowScripts": str(self.source.allow_scripts).lower(),
            "node": self.node.major,
        }

    async def fetch(self, folder: Path, downloads: Path) -> tuple[Command, ...]:
        """Install into the folder; the commands that the package offers."""
        # Without a package.json of its own npm would look for one in the folders above.
        (folder / "package.json").write_text('{"private": true}\n')
        outcome = await self._npm(
            folder,
            downloads,
            "install",
            f"--ignore-scripts={str(not self.source.allow_scripts).lower()}",
            "--no-save",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "--omit=dev",
            self.label,
        )
        if outcome.code:
            raise await self._failure(outcome, folder, downloads)
        return _commands(folder, self.source.package)

    def argv(self, folder: Path, command: Command) -> tuple[str, ...]:
        program = str(folder / command.file)
        return (str(self.node.path), *command.options, program) if command.runner == "node" else (program,)

    def env(self, folder: Path) -> Mapping[str, str]:
        """PATH on which the package finds this Node and the commands of its own dependencies."""
        path = [
            str(self.node.path.parent),
            str(folder / "node_modules" / ".bin"),
            os.environ.get("PATH", os.defpath),
        ]
        return {"PATH": os.pathsep.join(path)}

    async def _npm(self, folder: Path, downloads: Path, verb: str, *arguments: str) -> Outcome:
        command = (*self.node.npm, verb, "--json", "--loglevel=error", "--prefix", str(folder))
        caches = ("--cache", str(downloads / "npm"), "--logs-max=0")
        env = {**os.environ, **self.env(folder), "NO_UPDATE_NOTIFIER": "1"}
        return await run((*command, *caches, *arguments), cwd=folder, env=env)

    async def _failure(self, outcome: Outcome, folder: Path, downloads: Path) -> PackageError:
        package, version = self.source.package, self.source.version
        error = _error(outcome)
        code, summary = error.get("code", ""), error.get("summary", "")
        if code == "E404" and package in error.get("detail", "") + summary.replace("%2f", "/"):
            return PackageError(
                Reason.PACKAGE_NOT_FOUND,
                f"the npm registry has no package {package}, or does not show it to you; check the spelling",
            )
        if code == "ETARGET" and f"{package}@{version}" in summary:
            versions = await self._newest_versions(folder, downloads)
            return PackageError(
                Reason.VERSION_NOT_FOUND,
                f"{package} has no version {version}; the newest are {', '.join(versions)}",
            )
        said = last_lines(summary) or last_lines(outcome.stderr)
        if code == "EINTEGRITY":
            return PackageError(Reason.INTEGRITY_ERROR, f"{self.label} is not what the registry promised: {said}")
        if code in {"E401", "E403"}:
            return PackageError(
                Reason.REGISTRY_DENIED,
                f"the npm registry refused {self.label} ({code}); check the credentials in your npm configuration",
            )
        if code in UNREACHABLE:
            return PackageError(
                Reason.OFFLINE,
                f"the npm registry cannot be reached for {self.label} ({said}); check network and proxy,"
                " or install ahead with `mcpfleet bundle`",
            )
        return PackageError(Reason.INSTALL_FAILED, f"npm could not install {self.label}: {said}")

    async def _newest_versions(self, folder: Path, downloads: Path) -> list[str]:
        outcome = await self._npm(folder, downloads, "view", self.source.package, "versions")
        versions: list[str] | str = json.loads(outcome.stdout) if outcome.code == 0 else []
        return [versions] if isinstance(versions, str) else versions[:-6:-1]


def _error(outcome: Outcome) -> dict[str, str]:
    try:
        answer: dict[str, Any] = json.loads(outcome.stdout)
    except ValueError:
        return {}
    return answer.get("error", {})


def _commands(folder: Path, package: str) -> tuple[Command, ...]:
    home = folder / "node_modules" / package
    description: dict[str, Any] = json.loads((home / "package.json").read_text())
    bins: str | dict[str, str] = description.get("bin", {})
    if isinstance(bins, str):
        bins = {package.rpartition("/")[2]: bins}
    files = {name: (home / file) for name, file in sorted(bins.items())}
    return tuple(Command.of(name, file, folder) for name, file in files.items() if file.is_file())
