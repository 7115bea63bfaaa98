"""A client's request on its way through the relay."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpfleet_serve import wire
from mcpfleet_serve.exchange import Exchange
from mcpfleet_serve.handshake import Era

if TYPE_CHECKING:
    from mcpfleet_serve.session import Session


@dataclass(slots=True)
class Call:
    """One request. `params` is its JSON as it came, or None.

    Attributes:
        session: The legacy session that it belongs to; None in the modern era.
        principal: A digest of the caller's credential, empty without one.
        headers: `Mcp-Param-*` headers, lower case.
        cancel: Set while something waits for the answer; stops the waiting and tells the server.
    """

    exchange: Exchange
    method: str
    params: bytes | None
    era: Era
    principal: str = ""
    session: "Session | None" = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cancel: Callable[[], None] | None = None

    def param(self, name: str) -> Any:
        """One member of the params.

        Raises:
            wire.RpcError: the params are no object, or have no such member.
        """
        value = wire.decode_json(self.params) if self.params else None
        if not isinstance(value, dict) or name not in value:
            raise wire.RpcError(wire.INVALID_PARAMS, f"params.{name} is missing")
        return value[name]
