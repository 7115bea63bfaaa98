"""From a server's declaration to channels: install what must be installed, find the secrets, know how to start."""

import asyncio
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.server.lowlevel import Server as LowLevelServer

from mcpfleet_api.base import seconds
from mcpfleet_api.server import Server
from mcpfleet_api.sources import CommandSource, NpmSource, PypiSource, PythonSource
from mcpfleet_serve import secret_values
from mcpfleet_serve.channel import Channel, ServerFailure
from mcpfleet_serve.inprocess import PythonChannel, PythonRuntime
from mcpfleet_serve.packages import PackageError, install
from mcpfleet_serve.remote import RemoteChannel
from mcpfleet_serve.stderr import StderrLog
from mcpfleet_serve.stdio import StdioChannel


@dataclass(frozen=True)
class Place:
    """Where servers run: folders of this host."""

    packages: Path
    base_folder: Path | None = None


class Launcher:
    """Makes channels to one server. `prepare` first; it may be called again at any time."""

    def __init__(self, spec: Server, place: Place, log: StderrLog) -> None:
        self._spec = spec
        self._place = place
        self._log = log
        self._make: Callable[[], Channel] | None = None
        self._runtime: PythonRuntime | None = None

    @property
    def is_process(self) -> bool:
        """Whether an instance of it is a child process, which costs memory while it is idle."""
        return isinstance(self._spec.source, NpmSource | PypiSource | CommandSource)

    async def prepare(self, on_progress: Callable[[str], None]) -> None:
        """Install, look up secrets, import.

        Raises:
            ServerFailure: the server cannot be started from here.
        """
        source = self._spec.source
        if isinstance(source, PythonSource):
            self._make = await self._prepare_python(source)
            return
        env, secret = secret_values.resolve(self._spec.env)
        self._log.hide(secret)
        if isinstance(source, NpmSource | PypiSource):
            try:
                installed = await install(source, self._place.packages, on_progress)
            except PackageError as error:
                raise ServerFailure(error.reason, self._log.clean(error.message)) from None
            argv = (*installed.argv, *source.args)
            env = {**installed.env, **env}
            self._make = lambda: StdioChannel(argv, env, self._place.base_folder, self._log)
        elif isinstance(source, CommandSource):
            self._make = lambda: StdioChannel(source.command, env, self._place.base_folder, self._log)
        else:
            headers, secret = secret_values.resolve(source.headers_from)
            self._log.hide(secret)
            self._make = lambda: RemoteChannel(source.url, headers)

    async def _prepare_python(self, source: PythonSource) -> Callable[[], Channel]:
        if self._spec.env:
            raise ServerFailure(
                "EnvNotAllowed",
                "a Python server runs inside the replica, whose environment it shares: "
                "give it settings in code, or run it as a `command`",
            )
        if self._runtime is None:
            self._runtime = PythonRuntime(self._spec.name, source.app, self._place.base_folder, self._log)
        runtime = self._runtime
        try:
            async with asyncio.timeout(seconds(self._spec.start_timeout).total_seconds()):
                server: LowLevelServer[Any] = await runtime.load()
        except TimeoutError:
            raise ServerFailure(
                "StartTimeout",
                f"{source.app} took longer than {self._spec.start_timeout} to load; raise startTimeout if it must",
            ) from None
        return lambda: PythonChannel(runtime, server)

    def channel(self) -> Channel:
        """A channel to a new instance, not yet opened."""
        assert self._make is not None, "prepare first"
        return self._make()

    def close(self) -> None:
        if self._runtime is not None:
            self._runtime.stop()


def describe(spec: Server) -> str:
    """What a server runs, in one line and without its secrets."""
    source = spec.source
    if isinstance(source, NpmSource):
        return f"npm {source.package}@{source.version}"
    if isinstance(source, PypiSource):
        return f"pypi {source.package}=={source.version}"
    if isinstance(source, CommandSource):
        return f"command {shlex.join(source.command)}"
    if isinstance(source, PythonSource):
        return f"python {source.app}"
    return f"remote {source.url}"
