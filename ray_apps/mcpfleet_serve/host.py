"""The servers that one replica hosts, and the changes to them."""

import asyncio
import logging
import math
import os
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar, Final

from mcpfleet_api.serve import FleetReport, HostArgs, HostConfig
from mcpfleet_api.server import Server
from mcpfleet_serve.aggregate import AggregateEndpoint
from mcpfleet_serve.endpoint import ServerEndpoint
from mcpfleet_serve.hosted import HostedServer
from mcpfleet_serve.launch import Place
from mcpfleet_serve.orphans import end_orphans
from mcpfleet_serve.site import Site
from mcpfleet_serve.stderr import StderrLog
from mcpfleet_serve.streamable import McpApp

logger = logging.getLogger(__name__)

JANITOR_SECONDS: Final = 10.0
ORPHANS_SECONDS: Final = 60.0
VERSION: Final = version("mcpfleet")
LISTS: Final = ("tools", "prompts", "resources")


def package_cache() -> Path:
    """Where packages are installed: `$MCPFLEET_CACHE/packages`, by default below `~/.cache/mcpfleet`."""
    cache = os.environ.get("MCPFLEET_CACHE")
    if cache:
        return Path(cache) / "packages"
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "mcpfleet" / "packages"


class Host:
    """All servers of one replica. Must be made on the event loop that it is to run on."""

    # Serve pickles the deployment's class by value, so a global beside it would not be the one that ingress reads.
    of_this_process: ClassVar["Host | None"] = None

    def __init__(self, args: HostArgs, replica: str = "local") -> None:
        self._args = args
        self._replica = replica
        self._place = Place(package_cache(), Path(args.base_folder) if args.base_folder else None)
        self._endpoints: dict[str, ServerEndpoint] = {}
        self._closing: set[asyncio.Future[None]] = set()
        self._aggregate = AggregateEndpoint(args.fleet, VERSION, self._endpoints)
        self.aggregate = McpApp(args.fleet, self._aggregate)
        self.apps: dict[str, McpApp] = {}
        self.site = Site(args, self)
        self._janitor = asyncio.create_task(self._clean())

    async def apply(self, config: HostConfig) -> None:
        """Make the servers those of `config`. Only the ones that differ are stopped and started."""
        wanted = {spec.name: spec for spec in config.servers}
        gone = [name for name, endpoint in self._endpoints.items() if wanted.get(name) != endpoint.server.spec]
        for name in gone:
            self._remove(name)
        for spec in config.servers:
            if spec.name not in self._endpoints:
                self._add(spec)
        # The order of the file is the order of lists and of claims to a URI.
        for ordered in (self._endpoints, self.apps):
            entries = {name: ordered[name] for name in wanted}
            ordered.clear()
            ordered.update(entries)  # type: ignore[arg-type]
        if gone:
            self._tell_lists_changed()

    def _add(self, spec: Server) -> None:
        server = HostedServer(spec, self._place)
        endpoint = ServerEndpoint(server)
        server.listeners.add(partial(self._aggregate.pass_on, endpoint))
        server.on_lists_read = self._tell_lists_changed
        self._endpoints[spec.name] = endpoint
        self.apps[spec.name] = McpApp(spec.name, endpoint)

    def _remove(self, name: str) -> None:
        endpoint, app = self._endpoints.pop(name), self.apps.pop(name)

        async def close() -> None:
            await app.close()
            await endpoint.server.close()

        task = asyncio.ensure_future(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _tell_lists_changed(self) -> None:
        for kind in LISTS:
            self._aggregate.tell(f"notifications/{kind}/list_changed", None)

    async def _clean(self) -> None:
        looked = -math.inf
        while True:
            now = time.monotonic()
            for app in (self.aggregate, *self.apps.values()):
                app.end_idle(now)
            # At the start above all: this replica may be in the place of one that was killed.
            if now - looked > ORPHANS_SECONDS:
                looked = now
                for pid in await asyncio.to_thread(end_orphans):
                    logger.warning("killed process %d, which a dead replica had left", pid)
            await asyncio.sleep(JANITOR_SECONDS)

    def report(self) -> FleetReport:
        return FleetReport(
            fleet=self._args.fleet,
            version=VERSION,
            replica=self._replica,
            pid=os.getpid(),
            endpoint="/mcp",
            servers=tuple(endpoint.server.report() for endpoint in self._endpoints.values()),
        )

    def log(self, server: str) -> StderrLog | None:
        endpoint = self._endpoints.get(server)
        return endpoint.server.log if endpoint else None

    def hang_up(self) -> None:
        """End the long streams, so that a drain waits for calls alone."""
        for app in (self.aggregate, *self.apps.values()):
            app.hang_up()
        for endpoint in self._endpoints.values():
            endpoint.server.log.hang_up()

    async def close(self) -> None:
        """End all servers and wait until nothing of them remains."""
        self._janitor.cancel()
        await self.aggregate.close()
        for name in list(self._endpoints):
            self._remove(name)
        await asyncio.gather(*self._closing)
