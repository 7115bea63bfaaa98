"""One server behind its own endpoint: which instance a call goes to, and what changes on the way."""

from collections.abc import Callable
from typing import Protocol

from mcp.shared.inbound import X_MCP_HEADER_KEY

from mcpfleet_api.server import Isolation
from mcpfleet_serve import eras, wire
from mcpfleet_serve.call import Call
from mcpfleet_serve.handshake import Catalog, Era, Hello
from mcpfleet_serve.hosted import HostedServer
from mcpfleet_serve.link import LISTEN, Link
from mcpfleet_serve.session import Session
from mcpfleet_serve.subscriptions import open_subscription
from mcpfleet_serve.toolview import ToolView


class Endpoint(Protocol):
    """What stands behind one MCP URL."""

    async def initialize(self, session: Session, call: Call) -> None:
        """Answer the request that opens a legacy session."""
        ...

    async def dispatch(self, call: Call) -> None:
        """See to it that `call.exchange` gets its answer. Returns once the request is on its way.

        Raises:
            wire.RpcError: the answer is this error.
            ServerFailure: the server cannot answer now.
        """
        ...

    def header_schema(self, tool: str) -> object | None:
        """The input schema of a tool if it repeats arguments in `Mcp-Param-*` headers, else None."""
        ...

    def heard(self, session: Session, method: str, params: bytes | None) -> None:
        """A notification from a client."""
        ...


class ServerEndpoint:
    """`/servers/<name>/mcp`."""

    def __init__(self, server: HostedServer) -> None:
        self.server = server
        self.view = ToolView(server.spec.tools)
        self._known = Catalog()
        self._schemas: dict[str, object] = {}

    # Handshakes

    async def initialize(self, session: Session, call: Call) -> None:
        session.direct = True
        if self._is_private(session):
            call.exchange.succeed(await session.shake_hands(self.server))
            return
        running = await self.server.shared(call.principal, Era.LEGACY)
        session.attach(self.server.listeners)
        call.exchange.succeed(eras.initialize_result(running.hello, session.version, self.server.spec.name))

    def _is_private(self, session: Session) -> bool:
        if session.link(self.server) is not None:
            return True
        return self.server.spec.isolation is Isolation.PER_SESSION and self.server.speaks(Era.LEGACY)

    async def link_for(self, call: Call) -> tuple[Link, Hello | None]:
        """The instance for a call. None as the hello: the client has shaken hands with it itself."""
        if call.session is not None and self._is_private(call.session):
            return await call.session.join(self.server), None
        running = await self.server.shared(call.principal, call.era)
        return running.link, running.hello

    # Requests

    async def dispatch(self, call: Call) -> None:
        self.server.calls += 1
        if call.method == "server/discover" and call.era is Era.MODERN:
            running = await self.server.shared(call.principal, Era.MODERN)
            call.exchange.succeed(eras.discover_result(running.hello, self.server.spec.name))
            return
        if call.method == "ping" and call.era is Era.LEGACY:
            call.exchange.succeed(wire.EMPTY_OBJECT)
            return
        link, hello = await self.link_for(call)
        if call.method == "tools/call" and not self.view.is_plain:
            original = self.view.original(str(call.param("name")))
            call.params = wire.with_members(call.params or b"{}", {"name": original})
        if hello is not None and await self._answered_here(call, hello):
            return
        self._send(call, link, hello)

    async def _answered_here(self, call: Call, hello: Hello) -> bool:
        """Requests about state that a shared instance cannot keep for one client, or that its era lacks."""
        if call.method == LISTEN and hello.era is Era.LEGACY:
            subscription = open_subscription(call, self.server.listeners)
            for uri in subscription.uris:
                await self.server.watch(uri)
            return True
        session = call.session
        if session is None:
            return False
        if call.method == "resources/subscribe":
            uri = str(call.param("uri"))
            await self.server.watch(uri)
            session.subscribed.add(uri)
        elif call.method == "resources/unsubscribe":
            # Other clients of the shared instance may still want it, so only this one stops hearing of it.
            session.subscribed.discard(str(call.param("uri")))
        elif call.method != "logging/setLevel" or hello.era is Era.LEGACY:
            return False
        call.exchange.succeed(wire.EMPTY_OBJECT)
        return True

    def _send(self, call: Call, link: Link, hello: Hello | None) -> None:
        steps: list[Callable[[bytes], bytes]] = []
        params = call.params
        if call.method == "tools/list" and not self.view.is_plain:
            steps.append(self.view.listing)
        if hello is not None and hello.era is not call.era:
            if call.era is Era.MODERN:
                steps.append(eras.modern_result(call.method))
            else:
                assert call.session is not None
                params = eras.legacy_params(params, call.session.client)
                steps.append(eras.legacy_result)

        def transform(result: bytes) -> bytes:
            for step in steps:
                result = step(result)
            return result

        number = link.send_request(
            call.exchange, call.method, params, transform=transform if steps else None, headers=call.headers
        )
        call.cancel = lambda: link.cancel(number)

    def heard(self, session: Session, method: str, params: bytes | None) -> None:
        session.notify(method, params)

    def header_schema(self, tool: str) -> object | None:
        catalog = self.server.catalog
        if catalog is not self._known:
            self._known = catalog
            self._schemas = {
                shown["name"]: shown["inputSchema"]
                for shown in self.view.tools(catalog.tools)
                if X_MCP_HEADER_KEY in repr(shown.get("inputSchema"))
            }
        return self._schemas.get(tool)
