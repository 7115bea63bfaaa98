"""How a package from a Python index gets into a virtual environment of its own, and runs from there."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Self

import uv

from mcpfleet_api.sources import PypiSource
from mcpfleet_serve.packages.errors import PackageError, Reason
from mcpfleet_serve.packages.installer import Outcome, last_lines, run
from mcpfleet_serve.packages.manifest import Command, python


@dataclass(frozen=True)
class PypiRecipe:
    """Installs with uv, and honours the user's uv configuration (`UV_DEFAULT_INDEX`, `UV_OFFLINE` …)."""

    source: PypiSource
    uv: str

    @classmethod
    async def prepare(cls, source: PypiSource) -> Self:
        """Find what the recipe needs on this machine."""
        return cls(source, _find_uv())

    @property
    def label(self) -> str:
        return f"{self.source.package}=={self.source.version}"

    @property
    def default_command(self) -> str:
        return self.source.package.partition("[")[0]

    @property
    def identity(self) -> dict[str, str]:
        """What besides the machine determines what uv installs."""
        return {
            "kind": "pypi",
            "package": _normal(self.source.package),
            "version": self.source.version,
            "python": f"{platform.python_implementation()} {platform.python_version()}",
        }

    async def fetch(self, folder: Path, downloads: Path) -> tuple[Command, ...]:
        """Install into a virtual environment in the folder; the commands that the package offers."""
        # Relocatable, since the folder gets its final name only when it is whole.
        options = ("--quiet", "--relocatable", "--allow-existing", "--python", sys.executable)
        made = await self._uv(folder, downloads, "venv", *options, ".")
        if made.code:
            raise PackageError(Reason.INSTALL_FAILED, f"uv made no virtual environment: {last_lines(made.stderr)}")
        # Bytecode is compiled ahead: a server starts sooner, and from a folder that is read-only.
        outcome = await self._pip(folder, downloads, "--compile-bytecode", self.label)
        if outcome.code:
            raise await self._failure(outcome, folder, downloads)
        return _commands(folder, self.default_command)

    def argv(self, folder: Path, command: Command) -> tuple[str, ...]:
        program = str(folder / command.file)
        return (str(python(folder)), program) if command.runner == "python" else (program,)

    def env(self, folder: Path) -> Mapping[str, str]:
        """The environment of an activated virtual environment."""
        path = os.pathsep.join((str(folder / "bin"), os.environ.get("PATH", os.defpath)))
        return {"PATH": path, "VIRTUAL_ENV": str(folder)}

    async def _pip(self, folder: Path, downloads: Path, *arguments: str) -> Outcome:
        return await self._uv(folder, downloads, "pip", "install", "--python", str(python(folder)), *arguments)

    async def _uv(self, folder: Path, downloads: Path, *arguments: str) -> Outcome:
        command = (self.uv, *arguments, "--no-progress", "--color=never")
        caches = ("--cache-dir", str(downloads / "uv"))
        return await run((*command, *caches), cwd=folder, env=os.environ)

    async def _failure(self, outcome: Outcome, folder: Path, downloads: Path) -> PackageError:
        said = " ".join(outcome.stderr.split())
        package, version = self.default_command, self.source.version
        if "network was disabled" in said or re.search(
            r"error sending request|client error \(Connect\)|dns error|timed out|operation timed", said
        ):
            return PackageError(
                Reason.OFFLINE,
                f"the Python package index cannot be reached for {self.label}; check network and proxy,"
                " or install ahead with `mcpfleet bundle`",
            )
        if re.search(rf"Because {re.escape(package)} was not found in the package registry", said, re.IGNORECASE):
            return PackageError(
                Reason.PACKAGE_NOT_FOUND, f"the Python package index has no package {package}; check the spelling"
            )
        if re.search(rf"no version of {re.escape(package)}(\[.*?\])?==", said, re.IGNORECASE):
            newest = await self._newest_version(folder, downloads)
            return PackageError(
                Reason.VERSION_NOT_FOUND,
                f"{package} has no version {version}" + (f"; the newest is {newest}" if newest else ""),
            )
        if "hash mismatch" in said.lower():
            return PackageError(
                Reason.INTEGRITY_ERROR, f"{self.label} is not what the index promised: {last_lines(said)}"
            )
        if re.search(r"\b(401|403)\b.*(Unauthorized|Forbidden)", said):
            return PackageError(
                Reason.REGISTRY_DENIED,
                f"the Python package index refused {self.label}; check the credentials of UV_DEFAULT_INDEX",
            )
        return PackageError(
            Reason.INSTALL_FAILED, f"uv could not install {self.label}: {last_lines(outcome.stderr)}"
        )

    async def _newest_version(self, folder: Path, downloads: Path) -> str | None:
        outcome = await self._pip(folder, downloads, "--dry-run", "--no-deps", self.default_command)
        found = re.search(r"^ \+ [^=]+==(\S+)$", outcome.stderr, re.MULTILINE)
        return found[1] if found else None


def _find_uv() -> str:
    try:
        return uv.find_uv_bin()
    except FileNotFoundError:
        found = shutil.which("uv")
    if found is None:
        raise PackageError(Reason.UV_MISSING, "PyPI servers need uv; install mcpfleet[serve], which brings it")
    return found


def _commands(folder: Path, package: str) -> tuple[Command, ...]:
    """Console scripts and the programs that a wheel brings ready-made (servers written in Rust or Go)."""
    distribution = _distribution(folder, package)
    scripts = folder / "bin"
    files = {
        path.name: path
        for file in distribution.files or ()
        if (path := Path(os.path.normpath(str(distribution.locate_file(file))))).parent == scripts
    }
    names = [point.name for point in distribution.entry_points.select(group="console_scripts")]
    offered = {name: scripts / name for name in names} | files
    return tuple(Command.of(name, file, folder) for name, file in sorted(offered.items()) if file.is_file())


def _distribution(folder: Path, package: str) -> Distribution:
    site_packages = [str(path) for path in folder.glob("lib/python*/site-packages")]
    for distribution in distributions(path=site_packages):
        if _normal(distribution.metadata["Name"]) == _normal(package):
            return distribution
    raise PackageError(Reason.INSTALL_FAILED, f"uv installed no {package}")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
