"""Which tools of a server clients see, and under which names."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from mcpfleet_api.server import ToolFilter
from mcpfleet_serve import wire


class ToolView:
    """`tools: {include, exclude, rename}` of one server."""

    def __init__(self, spec: ToolFilter) -> None:
        self._include = spec.include
        self._exclude = spec.exclude
        self._renamed = {rename.name: rename.to for rename in spec.rename}
        self._originals = {rename.to: rename.name for rename in spec.rename}
        self.is_plain = not (spec.include or spec.exclude or spec.rename)

    def shown(self, name: str) -> str | None:
        """The name that clients see, or None if they do not see the tool. Globs match the server's own name."""
        if self._include and not any(fnmatchcase(name, glob) for glob in self._include):
            return None
        if any(fnmatchcase(name, glob) for glob in self._exclude):
            return None
        return self._renamed.get(name, name)

    def original(self, shown: str) -> str:
        """The server's own name of a tool.

        Raises:
            wire.RpcError: there is no such tool for clients.
        """
        name = self._originals.get(shown, shown)
        if self.shown(name) != shown:
            raise wire.RpcError(wire.INVALID_PARAMS, f"Unknown tool: {shown}")
        return name

    def tools(self, tools: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The tools as clients see them."""
        seen: list[dict[str, Any]] = []
        for tool in tools:
            name = self.shown(str(tool.get("name")))
            if name is not None:
                seen.append({**tool, "name": name})
        return seen

    def listing(self, result: bytes) -> bytes:
        """A `tools/list` result as clients see it."""
        value = wire.decode_json(result)
        return wire.encode_json({**value, "tools": self.tools(value.get("tools") or ())})
