"""What a server says to everyone: that its lists have changed, that a resource has."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import UNSET

from mcpfleet_serve import wire
from mcpfleet_serve.exchange import Exchange
from mcpfleet_serve.handshake import MODERN_META, Era, Hello
from mcpfleet_serve.link import LISTEN, Link
from mcpfleet_serve.subscriptions import LIST_FLAGS, UPDATED

REFRESH_DELAY_SECONDS: Final = 0.1

Listener = Callable[[str, bytes | None], None]


class Changes:
    """Hears the shared instances of one server, and tells the listeners.

    Args:
        reread: Reads the server's lists anew; awaited before listeners hear that they changed.
    """

    def __init__(self, reread: Callable[[], Awaitable[None]]) -> None:
        self.listeners: set[Listener] = set()
        self._reread = reread
        self._changed: set[str] = set()
        self._refreshing: asyncio.Task[None] | None = None
        # None for a legacy server, which needs no stream to tell of a resource.
        self._watched: dict[str, asyncio.Task[None] | None] = {}
        self._following: asyncio.Task[None] | None = None

    def heard(self, method: str, params: bytes | None) -> None:
        """A notification of a shared instance that belongs to no call in progress.

        What concerns everyone is passed on. Log messages and the like are not: they may speak of one client.
        """
        if method in LIST_FLAGS:
            self._changed.add(method)
            if self._refreshing is None or self._refreshing.done():
                self._refreshing = asyncio.create_task(self._refresh())
        elif method == UPDATED:
            self._tell(method, params)

    async def _refresh(self) -> None:
        """Have the lists read again, then tell clients once, however often the server said so meanwhile."""
        # They may change once more while they are read.
        while self._changed:
            await asyncio.sleep(REFRESH_DELAY_SECONDS)
            methods, self._changed = self._changed, set()
            await self._reread()
            for method in sorted(methods):
                self._tell(method, None)

    def _tell(self, method: str, params: bytes | None) -> None:
        for listener in list(self.listeners):
            listener(method, params)

    def follow(self, link: Link, hello: Hello) -> None:
        """Ask a modern server to tell of changes of its lists; a legacy one does so by itself."""
        flags = {
            flag: True
            for method, flag in LIST_FLAGS.items()
            if (hello.capabilities.get(method.split("/")[1]) or {}).get("listChanged")
        }
        if hello.era is Era.MODERN and flags:
            self._following = asyncio.create_task(self._listen(link, flags))

    async def watch(self, link: Link, hello: Hello, uri: str) -> None:
        """Ask a server to tell of updates of a resource, once for all who want to know.

        Raises:
            wire.RpcError: the server refuses.
        """
        if uri in self._watched or not (hello.capabilities.get("resources") or {}).get("subscribe"):
            return
        if hello.era is Era.LEGACY:
            await link.call("resources/subscribe", wire.encode_json({"uri": uri}))
            self._watched[uri] = None
        else:
            self._watched[uri] = asyncio.create_task(self._listen(link, {"resourceSubscriptions": [uri]}))

    async def _listen(self, link: Link, wanted: dict[str, Any]) -> None:
        """MCP 2026-07-28, subscriptions/listen."""
        exchange = Exchange(b'"mcpfleet"')
        link.send_request(exchange, LISTEN, wire.encode_json({"notifications": wanted, "_meta": MODERN_META}))
        while exchange.answer is None:
            await exchange.ready()
            while (event := exchange.next_event()) is not None:
                message = wire.decode_message(event)
                if message.method is not UNSET:
                    self.heard(message.method, None if message.params is UNSET else bytes(message.params))

    def forget(self) -> None:
        """The instance that was asked has ended, and with it what it was asked."""
        for task in (self._following, *self._watched.values()):
            if task is not None:
                task.cancel()
        self._following = None
        self._watched.clear()

    def close(self) -> None:
        self.forget()
        if self._refreshing is not None:
            self._refreshing.cancel()
