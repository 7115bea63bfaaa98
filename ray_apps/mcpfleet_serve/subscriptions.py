"""`subscriptions/listen` where the relay answers for the server (MCP 2026-07-28, subscriptions)."""

from collections.abc import Callable
from typing import Any, Final

from mcpfleet_serve import wire
from mcpfleet_serve.call import Call

LIST_FLAGS: Final = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}
UPDATED: Final = "notifications/resources/updated"


class Subscription:
    """One open `subscriptions/listen` request."""

    def __init__(self, call: Call) -> None:
        wanted = call.param("notifications")
        if not isinstance(wanted, dict):
            raise wire.RpcError(wire.INVALID_PARAMS, "params.notifications must be an object")
        self._call = call
        self.flags = {flag for flag in LIST_FLAGS.values() if wanted.get(flag) is True}
        uris = wanted.get("resourceSubscriptions") or []
        self.uris = frozenset(uri for uri in uris if isinstance(uri, str))
        self._meta = {wire.META_SUBSCRIPTION: wire.decode_json(call.exchange.client_id)}

    def acknowledge(self) -> None:
        honored: dict[str, Any] = dict.fromkeys(sorted(self.flags), True)
        if self.uris:
            honored["resourceSubscriptions"] = sorted(self.uris)
        params = wire.encode_json({"notifications": honored, "_meta": self._meta})
        self._call.exchange.push(wire.notification("notifications/subscriptions/acknowledged", params))

    def heard(self, method: str, params: bytes | None) -> None:
        """Pass on what was asked for."""
        if method == UPDATED:
            uri = wire.decode_json(params).get("uri") if params else None
            if uri not in self.uris:
                return
        elif LIST_FLAGS.get(method) not in self.flags:
            return
        self._call.exchange.push(wire.notification(method, wire.with_meta(params, self._meta)))


def open_subscription(call: Call, listeners: set[Callable[[str, bytes | None], None]]) -> Subscription:
    """Answer the request with an endless stream; cancelling the call ends it."""
    subscription = Subscription(call)
    listeners.add(subscription.heard)
    call.cancel = lambda: listeners.discard(subscription.heard)
    subscription.acknowledge()
    return subscription
