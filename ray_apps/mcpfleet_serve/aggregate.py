"""`/mcp`: all servers of the fleet as one.

Lists come from what each server's lists said last, so that a sleeping server costs nothing; calls go to the
server's own endpoint, under its own names.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mcpfleet_serve import eras, wire
from mcpfleet_serve.call import Call
from mcpfleet_serve.endpoint import ServerEndpoint
from mcpfleet_serve.handshake import Era, Hello
from mcpfleet_serve.hosted import Listener
from mcpfleet_serve.naming import aggregated_name, aggregated_uri
from mcpfleet_serve.session import Session
from mcpfleet_serve.subscriptions import open_subscription

PAGE: Final = 1000
CAPABILITIES: Final[dict[str, Any]] = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "completions": {},
    "logging": {},
}
Entry = dict[str, Any]


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
        self._lists: dict[str, Callable[[], list[Entry]]] = {
            "tools/list": lambda: [entry for entry, _ in self._tools().values()],
            "prompts/list": lambda: [entry for entry, _ in self._prompts().values()],
            "resources/list": lambda: [entry for entry, _ in self._resources().values()],
            "resources/templates/list": self._templates,
        }

    # What there is

    def _tools(self) -> dict[str, tuple[Entry, ServerEndpoint]]:
        return {
            name: ({**tool, "name": name}, endpoint)
            for endpoint in self._endpoints.values()
            for tool in endpoint.view.tools(endpoint.server.catalog.tools)
            if (name := aggregated_name(endpoint.server.spec.name, str(tool["name"])))
        }

    def _prompts(self) -> dict[str, tuple[Entry, ServerEndpoint]]:
        return {
            name: ({**prompt, "name": name}, endpoint)
            for endpoint in self._endpoints.values()
            for prompt in endpoint.server.catalog.prompts
            if (name := aggregated_name(endpoint.server.spec.name, str(prompt.get("name"))))
        }

    def _resources(self) -> dict[str, tuple[Entry, ServerEndpoint]]:
        found: dict[str, tuple[Entry, ServerEndpoint]] = {}
        for endpoint in self._endpoints.values():
            for resource in endpoint.server.catalog.resources:
                uri = str(resource.get("uri"))
                if uri in found:
                    uri = aggregated_uri(endpoint.server.spec.name, uri)
                found[uri] = ({**resource, "uri": uri}, endpoint)
        return found

    def _templates(self) -> list[Entry]:
        return [template for e in self._endpoints.values() for template in e.server.catalog.templates]

    # Whose it is

    def _owner_of_tool(self, name: str) -> tuple[ServerEndpoint, str]:
        for endpoint in self._endpoints.values():
            for tool in endpoint.view.tools(endpoint.server.catalog.tools):
                if aggregated_name(endpoint.server.spec.name, tool["name"]) == name:
                    return endpoint, tool["name"]
        raise wire.RpcError(wire.INVALID_PARAMS, f"Unknown tool: {name}")

    def _owner_of_prompt(self, name: str) -> tuple[ServerEndpoint, str]:
        for endpoint in self._endpoints.values():
            for prompt in endpoint.server.catalog.prompts:
                if aggregated_name(endpoint.server.spec.name, str(prompt.get("name"))) == name:
                    return endpoint, str(prompt["name"])
        raise wire.RpcError(wire.INVALID_PARAMS, f"Unknown prompt: {name}")

    def _owner_of_uri(self, uri: str) -> tuple[ServerEndpoint, str]:
        """Who has a resource, and its URI there: who lists it, who is named in its scheme, whose template fits."""
        listed = self._resources().get(uri)
        if listed is not None:
            prefix = aggregated_uri(listed[1].server.spec.name, "")
            return listed[1], uri.removeprefix(prefix)
        named, plus, rest = uri.partition("+")
        if plus and named in self._endpoints:
            return self._endpoints[named], rest
        for endpoint in self._endpoints.values():
            for template in endpoint.server.catalog.templates:
                if _fits(str(template.get("uriTemplate")), uri):
                    return endpoint, uri
        raise wire.RpcError(-32002, f"Resource not found: {uri}", {"uri": uri})

    # Requests

    async def initialize(self, session: Session, call: Call) -> None:
        session.attach(self.listeners)
        call.exchange.succeed(eras.initialize_result(self._hello, session.version, "mcpfleet"))

    async def dispatch(self, call: Call) -> None:
        if call.method in self._lists:
            self._answer(call, self._page(call))
        elif call.method == "server/discover" and call.era is Era.MODERN:
            call.exchange.succeed(eras.discover_result(self._hello, "mcpfleet"))
        elif call.method == "subscriptions/listen" and call.era is Era.MODERN:
            for uri in open_subscription(call, self.listeners).uris:
                endpoint, own = self._owner_of_uri(uri)
                await endpoint.server.watch(own)
        elif call.method in {"ping", "logging/setLevel"} and call.era is Era.LEGACY:
            if call.method == "logging/setLevel" and call.session is not None:
                call.session.set_log_level(call.params)
            call.exchange.succeed(wire.EMPTY_OBJECT)
        else:
            endpoint, member, own = self._route(call)
            call.params = wire.with_members(call.params or wire.EMPTY_OBJECT, {member: own})
            await endpoint.dispatch(call)

    def _route(self, call: Call) -> tuple[ServerEndpoint, str, Any]:
        """Where a call goes, and which member of its params carries the server's own name for what it is about."""
        if call.method == "tools/call":
            endpoint, name = self._owner_of_tool(str(call.param("name")))
            return endpoint, "name", name
        if call.method == "prompts/get":
            endpoint, name = self._owner_of_prompt(str(call.param("name")))
            return endpoint, "name", name
        if call.method in {"resources/read", "resources/subscribe", "resources/unsubscribe"}:
            endpoint, uri = self._owner_of_uri(str(call.param("uri")))
            return endpoint, "uri", uri
        if call.method == "completion/complete":
            ref = call.param("ref")
            if isinstance(ref, dict) and "name" in ref:
                endpoint, name = self._owner_of_prompt(str(ref["name"]))
                return endpoint, "ref", {**ref, "name": name}
            if isinstance(ref, dict) and "uri" in ref:
                endpoint, uri = self._owner_of_template(str(ref["uri"]))
                return endpoint, "ref", {**ref, "uri": uri}
            raise wire.RpcError(wire.INVALID_PARAMS, "params.ref names neither a prompt nor a resource template")
        raise wire.RpcError(wire.METHOD_NOT_FOUND, f"Method not found: {call.method}")

    def _owner_of_template(self, uri: str) -> tuple[ServerEndpoint, str]:
        for endpoint in self._endpoints.values():
            if any(template.get("uriTemplate") == uri for template in endpoint.server.catalog.templates):
                return endpoint, uri
        return self._owner_of_uri(uri)

    def _page(self, call: Call) -> bytes:
        params = wire.decode_json(call.params) if call.params else {}
        cursor = params.get("cursor", "0") if isinstance(params, dict) else "0"
        if not (isinstance(cursor, str) and cursor.isdigit()):
            raise wire.RpcError(wire.INVALID_PARAMS, "Invalid cursor")
        entries, start = self._lists[call.method](), int(cursor)
        member = (
            "resourceTemplates" if call.method == "resources/templates/list" else call.method.partition("/")[0]
        )
        result: dict[str, Any] = {member: entries[start : start + PAGE]}
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
        try:
            endpoint, name = self._owner_of_tool(tool)
        except wire.RpcError:
            return None
        return endpoint.header_schema(name)

    # Changes

    def tell(self, method: str, params: bytes | None) -> None:
        """Pass on what a server said to everyone, or that the fleet itself changed."""
        for listener in list(self.listeners):
            listener(method, params)


def _fits(template: str, uri: str) -> bool:
    """Whether a URI can be an expansion of an RFC 6570 template: expressions stand for anything."""
    literals = re.split(r"\{[^}]*\}", template)
    return re.fullmatch(".*".join(re.escape(part) for part in literals), uri, re.DOTALL) is not None
