"""A legacy client's session (MCP up to 2025-11-25, transports, "Session Management")."""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

from mcpfleet_api.base import seconds
from mcpfleet_serve import wire
from mcpfleet_serve.changes import Listener
from mcpfleet_serve.channel import ServerFailure
from mcpfleet_serve.exchange import Exchange
from mcpfleet_serve.hosted import HostedServer
from mcpfleet_serve.link import Audience, Link
from mcpfleet_serve.subscriptions import UPDATED

# What may wait for a client that has not opened its stream yet.
STANDALONE_BYTES: Final = 1024 * 1024


class Session:
    """What one client has going with one endpoint: its handshake, its own instances, what it is owed.

    Attributes:
        client: What it said in `initialize`.
        standalone: The queue behind its GET stream.
        calls: Its requests in progress by their id, for cancellation.
        subscribed: Resource URIs that it subscribed to on shared servers.
        direct: Whether it is a session with one server, whose state ends with the instance that held it.
    """

    def __init__(self, principal: str, client: dict[str, Any]) -> None:
        self.id = secrets.token_urlsafe(24)
        self.principal = principal
        self.client = client
        self.standalone = Exchange(b"null", limit=STANDALONE_BYTES)
        self.calls: dict[bytes, Callable[[], None]] = {}
        self.subscribed: set[str] = set()
        self.last_used = time.monotonic()
        self.open_requests = 0
        self.direct = False
        self._links: dict[str, Link] = {}
        self._servers: dict[str, HostedServer] = {}
        self._asked: dict[bytes, tuple[Link, bytes]] = {}
        self._next_ask = 0
        self._joining: dict[str, asyncio.Task[Link]] = {}
        self._leave: list[Callable[[], None]] = []

    @property
    def version(self) -> str:
        """The protocol version that was agreed on."""
        requested = str(self.client.get("protocolVersion"))
        return requested if requested in wire.LEGACY_VERSIONS else wire.LATEST_LEGACY

    # Instances of its own

    def link(self, server: HostedServer) -> Link | None:
        """Its own instance of a server, if it has one that lives."""
        link = self._links.get(server.spec.name)
        return link if link is not None and link.is_open() else None

    async def shake_hands(self, server: HostedServer) -> bytes:
        """Start an instance for this session alone, with the client's own handshake; the server's answer to it.

        Raises:
            ServerFailure: the server is not to be had now.
            wire.RpcError: it refused the handshake.
        """
        name = server.spec.name
        await self._drop(name)
        link = await server.private(SessionAudience(self))
        self._links[name], self._servers[name] = link, server
        server.sessions += 1
        limit = seconds(server.spec.start_timeout).total_seconds()
        try:
            return await link.call("initialize", wire.encode_json(self.client), limit)
        except TimeoutError:
            await self._drop(name)
            raise ServerFailure("StartTimeout", f"no answer to initialize within {limit:.0f} s") from None
        except BaseException:
            await self._drop(name)
            raise

    async def join(self, server: HostedServer) -> Link:
        """Its own instance of a server, started at its first use with the handshake that the client made already.

        Raises:
            ServerFailure: the server is not to be had now.
            wire.RpcError: it refused the handshake.
        """
        name = server.spec.name
        if (link := self.link(server)) is not None:
            return link
        if name not in self._joining:
            self._joining[name] = asyncio.create_task(self._join(server))
            self._joining[name].add_done_callback(lambda _: self._joining.pop(name, None))
        return await asyncio.shield(self._joining[name])

    async def _join(self, server: HostedServer) -> Link:
        await self.shake_hands(server)
        link = self._links[server.spec.name]
        link.notify("notifications/initialized", None)
        return link

    def attach(self, listeners: set[Listener]) -> None:
        """Hear what shared servers say to everyone."""
        listeners.add(self.heard_shared)
        self._leave.append(lambda: listeners.discard(self.heard_shared))

    async def _drop(self, name: str) -> None:
        link = self._links.pop(name, None)
        if link is not None:
            server = self._servers.pop(name)
            server.sessions -= 1
            await server.close_private(link)

    async def close(self) -> None:
        for leave in self._leave:
            leave()
        for cancel in list(self.calls.values()):
            cancel()
        for joining in list(self._joining.values()):
            joining.cancel()
        await asyncio.gather(*(self._drop(name) for name in list(self._links)))
        self.standalone.succeed(wire.EMPTY_OBJECT)

    @property
    def is_lost(self) -> bool:
        """Whether an instance that held its state has died: then the client has to begin anew."""
        return self.direct and any(not link.is_open() for link in self._links.values())

    # From servers to the client

    def heard_shared(self, method: str, params: bytes | None) -> None:
        if method == UPDATED:
            uri = wire.decode_json(params).get("uri") if params else None
            if uri not in self.subscribed:
                return
        self.standalone.push(wire.notification(method, params))

    def ask(self, link: Link, request_id: bytes, method: str, params: bytes | None) -> None:
        """Pass a server's request on to the client, on the stream of the call that it came up in."""
        self._next_ask += 1
        own_id = b'"mcpfleet-%d"' % self._next_ask
        self._asked[own_id] = (link, request_id)
        stream = link.latest_exchange() or self.standalone
        stream.push(wire.request(own_id, method, params))

    def hear_answer(self, message: wire.Message) -> None:
        """The client's response to a server's request."""
        asked = self._asked.pop(bytes(message.id), None)  # type: ignore[arg-type]
        if asked is not None:
            link, request_id = asked
            link.answer(request_id, message)

    def set_log_level(self, params: bytes | None) -> None:
        """Ask the instances that are its own for log messages of this level."""
        for link in self._links.values():
            link.send_request(Exchange(b"null"), "logging/setLevel", params)

    def notify(self, method: str, params: bytes | None) -> None:
        """The client's notification, for the instances that are its own."""
        for link in self._links.values():
            link.notify(method, params)


class SessionAudience(Audience):
    """Whoever listens to an instance of a session's own: the session's client, and nobody else."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def notified(self, method: str, params: bytes | None) -> None:
        self._session.standalone.push(wire.notification(method, params))

    def asked(self, link: Link, request_id: bytes, method: str, params: bytes | None) -> None:
        self._session.ask(link, request_id, method, params)
