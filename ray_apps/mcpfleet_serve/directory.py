"""What the whole fleet offers under the aggregated endpoint's names, and whose each of it is."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mcpfleet_serve import wire
from mcpfleet_serve.endpoint import ServerEndpoint
from mcpfleet_serve.handshake import Era
from mcpfleet_serve.naming import aggregated_name, aggregated_uri

Entry = dict[str, Any]
# Up to 2025-11-25; since then it is INVALID_PARAMS.
RESOURCE_NOT_FOUND = -32002


@dataclass(frozen=True)
class Owned:
    """One tool, prompt or resource: how clients see it, whose it is, and its name or URI there."""

    entry: Entry
    endpoint: ServerEndpoint
    own: str


@dataclass(frozen=True)
class Directory:
    """Everything of all servers, in the order of the fleet."""

    tools: dict[str, Owned] = field(default_factory=dict[str, Owned])
    prompts: dict[str, Owned] = field(default_factory=dict[str, Owned])
    resources: dict[str, Owned] = field(default_factory=dict[str, Owned])
    templates: dict[str, Owned] = field(default_factory=dict[str, Owned])

    def tool(self, name: str) -> Owned:
        if name not in self.tools:
            raise wire.RpcError(wire.INVALID_PARAMS, f"Unknown tool: {name}")
        return self.tools[name]

    def prompt(self, name: str) -> Owned:
        if name not in self.prompts:
            raise wire.RpcError(wire.INVALID_PARAMS, f"Unknown prompt: {name}")
        return self.prompts[name]

    def resource(self, uri: str, era: Era) -> Owned:
        """Whose a resource is.

        Raises:
            wire.RpcError: nobody's.
        """
        owned = self._owner(uri)
        if owned is None:
            code = wire.INVALID_PARAMS if era is Era.MODERN else RESOURCE_NOT_FOUND
            raise wire.RpcError(code, f"Resource not found: {uri}", {"uri": uri})
        return owned

    def shown_uri(self, endpoint: ServerEndpoint, own: str) -> str:
        """Under which URI clients know what a server calls `own`."""
        owned = self._owner(own)
        return (
            own if owned is None or owned.endpoint is endpoint else aggregated_uri(endpoint.server.spec.name, own)
        )

    def _owner(self, uri: str) -> Owned | None:
        """Who lists it, or whose template it fits, or who is named in its scheme."""
        if uri in self.resources:
            return self.resources[uri]
        for shown, template in self.templates.items():
            # One that another server has too is shown with a prefix, which is dealt with below.
            if shown == template.own and (shown == uri or fits(shown, uri)):
                return Owned({}, template.endpoint, uri)
        for owned in (*self.resources.values(), *self.templates.values()):
            prefix = aggregated_uri(owned.endpoint.server.spec.name, "")
            if uri.startswith(prefix):
                return Owned({}, owned.endpoint, uri.removeprefix(prefix))
        return None


def directory(endpoints: Iterable[ServerEndpoint]) -> Directory:
    """The directory of these servers' catalogs as they are now."""
    found = Directory()
    for endpoint in endpoints:
        server, catalog = endpoint.server.spec.name, endpoint.server.catalog
        for tool in endpoint.view.tools(catalog.tools):
            name = aggregated_name(server, tool["name"])
            found.tools[name] = Owned({**tool, "name": name}, endpoint, tool["name"])
        for prompt in catalog.prompts:
            name = aggregated_name(server, str(prompt.get("name")))
            found.prompts[name] = Owned({**prompt, "name": name}, endpoint, str(prompt.get("name")))
        for resource in catalog.resources:
            own = str(resource.get("uri"))
            uri = aggregated_uri(server, own) if own in found.resources else own
            found.resources[uri] = Owned({**resource, "uri": uri}, endpoint, own)
        for template in catalog.templates:
            own = str(template.get("uriTemplate"))
            uri = aggregated_uri(server, own) if own in found.templates else own
            found.templates[uri] = Owned({**template, "uriTemplate": uri}, endpoint, own)
    return found


def fits(template: str, uri: str) -> bool:
    """Whether a URI can be an expansion of an RFC 6570 template: expressions stand for anything."""
    literals = re.split(r"\{[^}]*\}", template)
    return re.fullmatch(".*".join(re.escape(part) for part in literals), uri, re.DOTALL) is not None
