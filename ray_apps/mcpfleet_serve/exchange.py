"""One client request in progress: what comes for it on the way, then its answer."""

import asyncio
from collections import deque
from typing import Final

from mcpfleet_serve import wire

# A client that stops reading may hold this much of a server's output, then its stream ends.
MAX_BUFFERED_BYTES: Final = 32 * 1024 * 1024


class Exchange:
    """Collects the messages for one client request. Single consumer."""

    __slots__ = (
        "_buffered",
        "_events",
        "_limit",
        "_nudged",
        "_waiter",
        "answer",
        "client_id",
        "error_code",
        "gone",
        "overflowed",
    )

    def __init__(self, client_id: bytes, limit: int = MAX_BUFFERED_BYTES) -> None:
        self.client_id = client_id
        self.answer: bytes | None = None
        self.error_code: int | None = None
        self.overflowed = False
        self.gone = False
        self._nudged = False
        self._events: deque[bytes] = deque()
        self._buffered = 0
        self._limit = limit
        self._waiter: asyncio.Future[None] | None = None

    def push(self, message: bytes) -> None:
        """A message that belongs to this request: a notification, or a request of the server's."""
        if self.answer is not None or self.overflowed or self.gone:
            return
        self._buffered += len(message)
        if self._buffered > self._limit:
            self.overflowed = True
        else:
            self._events.append(message)
        self._wake()

    def succeed(self, result: bytes) -> None:
        """The answer, with the client's own id."""
        self._finish(wire.response(self.client_id, result), None)

    def fail(self, error: bytes, code: int) -> None:
        """The answer is an error; `error` is its encoded member."""
        self._finish(wire.error_response(self.client_id, error), code)

    def fail_with(self, error: wire.RpcError) -> None:
        self.fail(error.encode(), error.code)

    def _finish(self, answer: bytes, code: int | None) -> None:
        if self.answer is None:
            self.answer, self.error_code = answer, code
            self._wake()

    def abandon(self) -> None:
        """The client has left; whatever comes is for nobody."""
        self.gone = True
        self._wake()

    def nudge(self) -> None:
        """Let `ready` return though nothing came."""
        self._nudged = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def has_events(self) -> bool:
        return bool(self._events)

    def next_event(self) -> bytes | None:
        """The oldest message that was not taken yet, or None."""
        if not self._events:
            return None
        event = self._events.popleft()
        self._buffered -= len(event)
        return event

    async def ready(self) -> None:
        """Return once there is an event, the answer, an overflow, a nudge, or the client is gone."""
        if not (self._events or self.answer is not None or self.overflowed or self.gone or self._nudged):
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._nudged = False
