"""Answers that take their time: watching for a client that leaves, and server-sent events."""

import asyncio
from typing import Final

from mcpfleet_serve.exchange import Exchange
from mcpfleet_serve.request import Request

PING_SECONDS: Final = 15.0  # keeps idle streams open through proxies
# Most answers come sooner; only for the rest is a task spent on watching for a client that leaves.
WATCH_AFTER_SECONDS: Final = 0.05

STANDALONE: Final = b"null"  # the id of a session's own stream, which ends without an answer
STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class Watch:
    """Looks out for a client that leaves, and for silence that calls for a sign of life.

    Most answers come before it starts, so that most calls do not pay for it.
    """

    def __init__(self, request: Request, exchange: Exchange, after: float = WATCH_AFTER_SECONDS) -> None:
        self._request = request
        self._exchange = exchange
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(after, self._start)

    def _start(self) -> None:
        self._task = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        leaving = asyncio.ensure_future(self._request.disconnected())
        try:
            while not leaving.done():
                await asyncio.wait({leaving}, timeout=PING_SECONDS)
                self._exchange.nudge()
            self._exchange.abandon()
        finally:
            leaving.cancel()

    def stop(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


async def send_stream(request: Request, exchange: Exchange) -> None:
    """Send what comes for a request as server-sent events, the answer last."""
    await request.start(200, STREAM_HEADERS)
    while not exchange.gone:
        chunks: list[bytes] = []
        while (event := exchange.next_event()) is not None:
            chunks.append(_event(event))
        if exchange.answer is not None:
            if exchange.client_id != STANDALONE:
                chunks.append(_event(exchange.answer))
            await request.finish(b"".join(chunks))
            return
        if exchange.overflowed:
            break
        await request.send(b"".join(chunks) or b": ping\n\n")
        await exchange.ready()
    await request.finish(b"")


def _event(message: bytes) -> bytes:
    # A message is one line of JSON as it came; a server that breaks lines inside it sends one data line for each.
    return b"event: message\ndata: " + message.replace(b"\r", b"").replace(b"\n", b"\ndata: ") + b"\n\n"
