"""One server in the care of a replica: kept running, watched, put to sleep, started again.

Its failure is a fact that the report shows; nothing of it reaches the other servers.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from mcpfleet_api.base import seconds
from mcpfleet_api.serve import ServerReport, ServerState
from mcpfleet_api.server import Isolation, Server
from mcpfleet_serve.changes import Changes
from mcpfleet_serve.channel import ServerFailure
from mcpfleet_serve.handshake import Catalog, Era, Hello, introduce, read_catalog
from mcpfleet_serve.launch import Launcher, Place, describe
from mcpfleet_serve.link import Audience, Link
from mcpfleet_serve.stderr import StderrLog

# An instance that lived this long was no part of a crash loop.
STEADY_SECONDS: Final = 30.0
LONGEST_BACKOFF_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Running:
    """A running instance that has introduced itself."""

    link: Link
    hello: Hello


class HostedServer:
    """A server of the fleet.

    The keeper runs the first shared instance, by which the server is known and judged. Others are started when a
    call needs them: for the other era, for a principal, for a session.
    """

    def __init__(self, spec: Server, place: Place) -> None:
        self.spec = spec
        self.log = StderrLog()
        self.hello: Hello | None = None
        self.catalog = Catalog()
        self._changes = Changes(self._reread)
        self.listeners = self._changes.listeners
        self.on_lists_read: Callable[[], None] = lambda: None
        self.sessions = 0
        self.calls = 0
        self._launcher = Launcher(spec, place, self.log)
        self._state = ServerState.PENDING
        self._failure: ServerFailure | None = None
        self._note = ""
        self._restarts = 0
        self._primary: Running | None = None
        self._pool: dict[tuple[str, Era], Running] = {}
        self._opening: dict[tuple[str, Era], asyncio.Task[Running]] = {}
        self._private: set[Link] = set()
        self._has_other_era = True
        self._first_era: Era | None = None  # None: find out
        self._changed = asyncio.Event()
        self._wake = asyncio.Event()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep-{spec.name}")

    # Life

    async def _keep(self) -> None:
        backoff = 0.0
        while True:
            born = time.monotonic()
            try:
                running = await self._start()
                failure = await self._watch(running)
            except ServerFailure as error:
                failure = error
            except Exception as error:
                # The last net: a mistake of ours costs this server a restart, not its keeper.
                logger.exception("server %s", self.spec.name)
                failure = ServerFailure("InternalError", f"{type(error).__name__}: {error}")
            if failure is None:
                self._set(ServerState.ASLEEP)
                await self._wake.wait()
                continue
            backoff = (
                0.0
                if time.monotonic() - born > STEADY_SECONDS
                else min(max(1.0, backoff * 2), LONGEST_BACKOFF_SECONDS)
            )
            self._restarts += 1
            self._set(ServerState.FAILED, failure)
            await asyncio.sleep(backoff)

    async def _start(self) -> Running:
        self._set(ServerState.INSTALLING)
        await self._launcher.prepare(self._progress)
        self._set(ServerState.STARTING)
        running = await self._open_first()
        try:
            async with self._start_timeout():
                self.catalog = await read_catalog(running.link, running.hello)
        except BaseException:
            await running.link.close()
            raise
        self.hello = running.hello
        self._has_other_era = running.hello.era is Era.MODERN
        self._primary = self._pool["", running.hello.era] = running
        self._set(ServerState.READY)
        self.on_lists_read()
        return running

    async def _open_first(self) -> Running:
        try:
            return await self._open(self._shared_link(), self._first_era)
        except ServerFailure as failure:
            if failure.reason != "ChildExited" or self._first_era is not None:
                raise
        # Servers made with some SDKs end at any first message but `initialize`.
        running = await self._open(self._shared_link(), Era.LEGACY)
        self._first_era = Era.LEGACY
        return running

    def _shared_link(self) -> Link:
        return Link(self._launcher.channel(), _SharedAudience(self._changes), self.log.clean)

    async def _watch(self, running: Running) -> ServerFailure | None:
        """Until the instance ends: its failure, or None when it was put to sleep."""
        ended = asyncio.create_task(running.link.wait_ended())
        self._changes.follow(running.link, running.hello)
        idle_after = seconds(self.spec.scaling.idle_after).total_seconds()
        may_sleep = self._launcher.is_process and self.spec.scaling.min_replicas == 0
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=min(idle_after, 5.0))
                await self._end_idle(idle_after)
                if (
                    may_sleep
                    and not ended.done()
                    and len(self._pool) == 1
                    and _idle_for(running.link) > idle_after
                ):
                    self._wake.clear()
                    return None
            return ended.result()
        finally:
            ended.cancel()
            self._primary = None
            self._changes.forget()
            self._pool = {key: other for key, other in self._pool.items() if other is not running}
            await running.link.close()

    async def _end_idle(self, idle_after: float) -> None:
        """End instances beside the first that nobody uses."""
        for key, running in list(self._pool.items()):
            if running is not self._primary and (
                not running.link.is_open() or _idle_for(running.link) > idle_after
            ):
                del self._pool[key]
                await running.link.close()

    async def _open(self, link: Link, wanted: Era | None) -> Running:
        try:
            async with self._start_timeout():
                await link.open()
                return Running(link, await introduce(link, wanted))
        except BaseException:
            await link.close()
            raise

    @asynccontextmanager
    async def _start_timeout(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(seconds(self.spec.start_timeout).total_seconds()):
                yield
        except TimeoutError:
            tail = "\n".join(self.log.last(8))
            raise ServerFailure(
                "StartTimeout",
                f"no answer within {self.spec.start_timeout} of the start; raise startTimeout if it needs longer"
                + (f"\n{tail}" if tail else ""),
            ) from None

    async def close(self) -> None:
        """End every instance."""
        self._keeper.cancel()
        self._changes.close()
        for task in self._opening.values():
            task.cancel()
        links = [*(running.link for running in self._pool.values()), *self._private]
        await asyncio.gather(self._keeper, *(link.close() for link in links), return_exceptions=True)
        self._launcher.close()
        self.log.hang_up()

    # What clients need

    async def shared(self, principal: str, era: Era) -> Running:
        """The instance for a call without a session: of the principal's own if the server is isolated so.

        Wakes a sleeping server and waits for one that starts. Its era may differ from the one asked for, when the
        server speaks only one.

        Raises:
            ServerFailure: it is not to be had now.
        """
        key = principal if self.spec.isolation is Isolation.PER_PRINCIPAL else ""
        running = self._pool.get((key, era))
        if running is not None and running.link.failure is None:
            return running
        primary = await self._first()
        if primary.hello.era is not era and not self._has_other_era:
            era = primary.hello.era
        if key == "" and primary.hello.era is era:
            return primary
        return await self._pooled(key, era)

    async def _first(self) -> Running:
        if self._primary is not None and self._primary.link.failure is None:
            return self._primary
        self._wake.set()
        limit = seconds(self.spec.start_timeout).total_seconds()
        try:
            async with asyncio.timeout(limit):
                while self._primary is None or self._primary.link.failure is not None:
                    if self._state is ServerState.FAILED and self._failure is not None:
                        raise self._failure
                    await self._changed.wait()
        except TimeoutError:
            raise ServerFailure("NotReady", f"the server is {self._state.value} since {limit:.0f} s") from None
        return self._primary

    async def _pooled(self, key: str, era: Era) -> Running:
        running = self._pool.get((key, era))
        if running is not None and running.link.is_open():
            return running
        task = self._opening.get((key, era))
        if task is None:
            task = asyncio.create_task(self._open_pooled(key, era))
            self._opening[key, era] = task
            task.add_done_callback(lambda _: self._opening.pop((key, era), None))
        return await asyncio.shield(task)

    async def _open_pooled(self, key: str, era: Era) -> Running:
        link = self._shared_link()
        try:
            running = await self._open(link, era)
        except ServerFailure as failure:
            if failure.reason == "HandshakeFailed" and era is Era.LEGACY and self._primary is not None:
                # It refused the older handshake: a modern-only server. Calls are translated instead.
                self._has_other_era = False
                return self._primary if key == "" else await self._pooled(key, Era.MODERN)
            raise
        self._pool[key, era] = running
        return running

    def speaks(self, era: Era) -> bool:
        """Whether an instance can be had in this era, as far as is known."""
        return self._has_other_era or (self.hello is not None and self.hello.era is era)

    async def private(self, audience: Audience) -> Link:
        """An instance for one session alone, not yet introduced: the client's own handshake goes to it.

        Raises:
            ServerFailure: it is not to be had now.
        """
        await self._first()
        link = Link(self._launcher.channel(), audience, self.log.clean)
        self._private.add(link)
        try:
            await link.open()
        except ServerFailure:
            self._private.discard(link)
            raise
        return link

    async def close_private(self, link: Link) -> None:
        self._private.discard(link)
        await link.close()

    # What it says of itself

    async def watch(self, uri: str) -> None:
        """See to it that updates of a resource reach the listeners, for as long as the shared instance lives.

        Raises:
            wire.RpcError: the server refuses.
            ServerFailure: it is not to be had now.
        """
        running = await self._first()
        await self._changes.watch(running.link, running.hello, uri)

    async def _reread(self) -> None:
        if self._primary is not None:
            try:
                self.catalog = await read_catalog(self._primary.link, self._primary.hello)
            except ServerFailure as failure:
                self.log.write(f"[mcpfleet] {failure}")

    # The report

    def _progress(self, note: str) -> None:
        self._note = note

    def _set(self, state: ServerState, failure: ServerFailure | None = None) -> None:
        self._state, self._note = state, ""
        if failure is not None or state in {ServerState.READY, ServerState.ASLEEP}:
            # While it is tried again, the report goes on to say why the last try failed.
            self._failure = failure
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def state(self) -> ServerState:
        return self._state

    @property
    def failure(self) -> ServerFailure | None:
        return self._failure

    def links(self) -> list[Link]:
        return [*(running.link for running in self._pool.values()), *self._private]

    def report(self) -> ServerReport:
        failure = self._failure
        return ServerReport(
            name=self.spec.name,
            state=self._state,
            source=describe(self.spec),
            protocols=self.hello.versions if self.hello else (),
            tools=len(self.catalog.tools),
            resources=len(self.catalog.resources) + len(self.catalog.templates),
            prompts=len(self.catalog.prompts),
            children=tuple(pid for link in self.links() for pid in link.channel.pids()),
            sessions=self.sessions,
            restarts=self._restarts,
            calls=self.calls,
            reason=failure.reason if failure else "",
            message=failure.message if failure else self._note,
            endpoint=f"/servers/{self.spec.name}/mcp",
        )

    def server_info(self) -> dict[str, Any]:
        """Name and version as the server gave them."""
        info = self.hello.server_info if self.hello else {}
        return info or {"name": self.spec.name, "version": "unknown"}


def _idle_for(link: Link) -> float:
    """Seconds since anything was in progress."""
    return 0.0 if link.in_flight else time.monotonic() - link.last_used


class _SharedAudience(Audience):
    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def notified(self, method: str, params: bytes | None) -> None:
        self._changes.heard(method, params)
