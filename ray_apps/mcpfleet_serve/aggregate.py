"""`/mcp`: all servers of the fleet as one.

Lists come from what each server's lists said last, so that a sleeping server costs nothing; calls go to the
server's own endpoint, under its own names.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mcpfleet_serve import eras, wire
from mcpfleet_serve.call import Call
from mcpfleet_serve.changes import Listener
from mcpfleet_serve.directory import Directory, Entry, Owned, directory
from mcpfleet_serve.endpoint import ServerEndpoint
from mcpfleet_serve.handshake import Catalog, Era, Hello
from mcpfleet_serve.session import Session
from mcpfleet_serve.subscriptions import UPDATED, open_subscription

PAGE: Final = 1000
CAPABILITIES: Final[dict[str, Any]] = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "completions": {},
    "logging": {},
}
# Of each list: the member of its result, and what it lists.
LISTS: Final[dict[str, tuple[str, Callable[[Directory], list[Owned]]]]] = {
    "tools/list": ("tools", lambda known: list(known.tools.values())),
    "prompts/list": ("prompts", lambda known: list(known.prompts.values())),
    "resources/list": ("resources", lambda known: list(known.resources.values())),
    "resources/templates/list": ("resourceTemplates", lambda known: list(known.templates.values())),
}
# What each does to the URIs that a session is subscribed to.
SUBSCRIBING: Final[dict[str, Callable[[set[str], str], None]]] = {
    "resources/subscribe": set.add,
    "resources/unsubscribe": set.discard,
}


class AggregateEndpoint:
    """Every server of the fleet behind one endpoint."""

    def __init__(self, fleet: str, version: str, endpoints: Mapping[str, ServerEndpoint]) -> None:
        self._endpoints = endpoints
        self.listeners: set[Listener] = set()
        self._hello = Hello(
            era=Era.LEGACY,
            versions=(),
            capabilities=CAPABILITIES,
            server_info={"name": f"mcpfleet/{fleet}", "version": version},
            instructions=None,
            raw={},
        )
        self._seen: list[Catalog] = []
        self._directory = Directory()

    @property
    def directory(self) -> Directory:
        """What all servers offer; made anew when one of them has new lists."""
        catalogs = [endpoint.server.catalog for endpoint in self._endpoints.values()]
        if len(catalogs) != len(self._seen) or not all(map(operator.is_, catalogs, self._seen)):
            self._seen, self._directory = catalogs, directory(self._endpoints.values())
        return self._directory

    # Requests

    async def initialize(self, session: Session, call: Call) -> None:
        session.attach(self.listeners)
        call.exchange.succeed(eras.initialize_result(self._hello, session.version, "mcpfleet"))

    async def dispatch(self, call: Call) -> None:
        if call.method in LISTS:
            self._answer(call, self._page(call))
        elif call.method == "server/discover" and call.era is Era.MODERN:
            call.exchange.succeed(eras.discover_result(self._hello, "mcpfleet"))
        elif call.method == "subscriptions/listen" and call.era is Era.MODERN:
            for uri in open_subscription(call, self.listeners).uris:
                owned = self.directory.resource(uri, call.era)
                await owned.endpoint.server.watch(owned.own)
        elif call.method == "ping" and call.era is Era.LEGACY:
            call.exchange.succeed(wire.EMPTY_OBJECT)
        elif call.method == "logging/setLevel" and call.session is not None:
            call.session.set_log_level(call.params)
            call.exchange.succeed(wire.EMPTY_OBJECT)
        else:
            endpoint, members = self._route(call)
            if call.session is not None and call.method in SUBSCRIBING:
                # The server's endpoint notes the server's own URI; updates come under the one that is shown here.
                SUBSCRIBING[call.method](call.session.subscribed, str(call.param("uri")))
            call.params = wire.with_members(call.params or wire.EMPTY_OBJECT, members)
            await endpoint.dispatch(call)

    def _route(self, call: Call) -> tuple[ServerEndpoint, Entry]:
        """Where a call goes, and the members of its params that change to the server's own names."""
        if call.method == "tools/call":
            owned = self.directory.tool(str(call.param("name")))
            return owned.endpoint, {"name": owned.own}
        if call.method == "prompts/get":
            owned = self.directory.prompt(str(call.param("name")))
            return owned.endpoint, {"name": owned.own}
        if call.method in {"resources/read", "resources/subscribe", "resources/unsubscribe"}:
            owned = self.directory.resource(str(call.param("uri")), call.era)
            return owned.endpoint, {"uri": owned.own}
        if call.method == "completion/complete":
            ref = call.param("ref")
            if isinstance(ref, dict) and "name" in ref:
                owned = self.directory.prompt(str(ref["name"]))
                return owned.endpoint, {"ref": {**ref, "name": owned.own}}
            if isinstance(ref, dict) and "uri" in ref:
                owned = self.directory.resource(str(ref["uri"]), call.era)
                return owned.endpoint, {"ref": {**ref, "uri": owned.own}}
            raise wire.RpcError(wire.INVALID_PARAMS, "params.ref names neither a prompt nor a resource template")
        raise wire.RpcError(wire.METHOD_NOT_FOUND, f"Method not found: {call.method}")

    def _page(self, call: Call) -> bytes:
        params = wire.decode_json(call.params) if call.params else {}
        cursor = params.get("cursor", "0") if isinstance(params, dict) else "0"
        if not (isinstance(cursor, str) and re.fullmatch("[0-9]{1,9}", cursor)):
            raise wire.RpcError(wire.INVALID_PARAMS, "Invalid cursor")
        member, entries_of = LISTS[call.method]
        entries, start = entries_of(self.directory), int(cursor)
        result: dict[str, Any] = {member: [owned.entry for owned in entries[start : start + PAGE]]}
        if start + PAGE < len(entries):
            result["nextCursor"] = str(start + PAGE)
        return wire.encode_json(result)

    def _answer(self, call: Call, result: bytes) -> None:
        call.exchange.succeed(eras.modern_result(call.method)(result) if call.era is Era.MODERN else result)

    def heard(self, session: Session, method: str, params: bytes | None) -> None:
        # Each instance was told `initialized` when the session joined it.
        if method != "notifications/initialized":
            session.notify(method, params)

    def header_schema(self, tool: str) -> object | None:
        owned = self.directory.tools.get(tool)
        return None if owned is None else owned.endpoint.header_schema(owned.own)

    # Changes

    def pass_on(self, endpoint: ServerEndpoint, method: str, params: bytes | None) -> None:
        """Tell everyone what a server said to everyone."""
        if method == UPDATED and params is not None:
            own = str(wire.decode_json(params).get("uri"))
            params = wire.with_members(params, {"uri": self.directory.shown_uri(endpoint, own)})
        self.tell(method, params)

    def tell(self, method: str, params: bytes | None) -> None:
        """Tell everyone who listens."""
        for listener in list(self.listeners):
            listener(method, params)
