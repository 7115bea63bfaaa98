"""A server elsewhere, over Streamable HTTP, with bodies passed on as they are.

MCP: basic/transports, "Streamable HTTP", of either era. The SDK's client transport is not used here: there, one
request that cannot connect ends all others, and each message is parsed into models and back.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import httpx2
from mcp.shared.inbound import encode_header_value
from msgspec import UNSET

from mcpfleet_serve import wire
from mcpfleet_serve.channel import Receiver, ServerFailure

CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 300.0  # between two pieces of one answer; a long tool call may be silent for a while
NOT_FOUND: Final = 404
# A line for each request would bury what matters.
logging.getLogger("httpx2").setLevel(logging.WARNING)

ACCEPT: Final = "application/json, text/event-stream"


class RemoteChannel:
    """Requests to one remote endpoint, as one client session of it."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._headers = dict(headers)
        self._client: httpx2.AsyncClient | None = None
        self._receiver: Receiver | None = None
        self._session: str | None = None
        self._version: str | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._ordered: asyncio.Task[None] | None = None
        self._initialize_id: bytes | None = None

    async def open(self, receiver: Receiver) -> None:
        self._receiver = receiver
        timeout = httpx2.Timeout(CONNECT_SECONDS, read=READ_SECONDS)
        self._client = httpx2.AsyncClient(
            headers=self._headers, timeout=timeout, limits=httpx2.Limits(max_connections=256)
        )

    def send(self, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        message = wire.decode_message(data)
        if message.method is not UNSET and message.id is not UNSET:
            request_id = bytes(message.id)
            if message.method == "initialize":
                self._initialize_id = request_id
            task = asyncio.create_task(self._request(request_id, message, data, dict(headers or {})))
            number = int(request_id)
            self._tasks[number] = task
            task.add_done_callback(lambda _: self._tasks.pop(number, None))
            return
        if message.method == "notifications/cancelled" and self._version in wire.MODERN_VERSIONS:
            # In the modern era a client cancels by closing the stream of its request.
            self._cancel(message)
            return
        self._ordered = asyncio.create_task(self._notify(data, after=self._ordered))
        self._keep(self._ordered)
        if message.method == "notifications/initialized":
            self._keep(asyncio.create_task(self._listen(after=self._ordered)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    def _cancel(self, message: wire.Message) -> None:
        if message.params is not UNSET:
            request_id = wire.decode_params(bytes(message.params)).request_id
            task = self._tasks.get(int(bytes(request_id))) if request_id is not UNSET else None
            if task is not None:
                task.cancel()

    def _request_headers(self, message: wire.Message | None) -> dict[str, str]:
        headers = {"accept": ACCEPT, "content-type": "application/json"}
        if self._session is not None:
            headers["mcp-session-id"] = self._session
        version = self._version
        if message is not None and message.params is not UNSET and message.method is not UNSET:
            params = wire.decode_params(bytes(message.params))
            stated = UNSET if params.meta is UNSET else params.meta.protocol_version
            if stated is not UNSET:
                version = self._version = stated
                headers["mcp-method"] = message.method
                subject = {"tools/call": params.name, "prompts/get": params.name, "resources/read": params.uri}
                named = subject.get(message.method, UNSET)
                if named is not UNSET:
                    headers["mcp-name"] = encode_header_value(str(wire.decode_json(bytes(named))))
        if version is not None:
            headers["mcp-protocol-version"] = version
        return headers

    async def _request(self, request_id: bytes, message: wire.Message, data: bytes, extra: dict[str, str]) -> None:
        assert self._client is not None
        assert self._receiver is not None
        if self._ordered is not None:
            await asyncio.wait({self._ordered})
        if message.method == "initialize":
            self._version = None
        answered = False
        try:
            headers = self._request_headers(message) | extra
            async with self._client.stream("POST", self._url, content=data, headers=headers) as response:
                if "mcp-session-id" in response.headers and request_id == self._initialize_id:
                    self._session = response.headers["mcp-session-id"]
                if response.status_code == NOT_FOUND and self._session is not None:
                    # Whatever its body says: the session is gone, and with it what this channel was.
                    self._end("SessionLost", f"{self._url} has forgotten the session")
                    return
                answered = await self._deliver(request_id, response)
                if not answered:
                    self._fail(request_id, f"{self._url} answered with HTTP {response.status_code}")
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            unreachable = f"{self._url} cannot be reached: {error}"
            if len(self._tasks) > 1:
                # Others are connected still: one who drains takes no new calls and answers those that it has.
                self._fail(request_id, unreachable)
            else:
                self._end("RemoteUnreachable", unreachable)
        except httpx2.HTTPError as error:
            if not answered:
                self._fail(request_id, f"{self._url}: {type(error).__name__}: {error}")

    async def _deliver(self, request_id: bytes, response: httpx2.Response) -> bool:
        """Hand over what an answer holds; whether the request itself was answered."""
        assert self._receiver is not None
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream" and response.is_success:
            async for event in httpx2.EventSource(response, max_event_size=None):
                if event.data and self._hand_over(event.data.encode()) == request_id:
                    return True
            return False
        if kind != "application/json":
            return False
        body = await response.aread()
        message = wire.decode_message(body)
        if message.error is not UNSET and message.method is UNSET:
            # A refusal before the id was read has `id: null`; it answers this request all the same.
            self._receiver.received(wire.error_response(request_id, bytes(message.error)))
            return True
        return self._hand_over(body) == request_id

    def _hand_over(self, data: bytes) -> bytes | None:
        """Pass a message on; the id that it answers, if it is a response."""
        assert self._receiver is not None
        message = wire.decode_message(data)
        self._receiver.received(data)
        if message.method is not UNSET or message.id is UNSET:
            return None
        answered = bytes(message.id)
        if answered == self._initialize_id and message.result is not UNSET:
            self._version = wire.decode_json(bytes(message.result)).get("protocolVersion")
        return answered

    async def _notify(self, data: bytes, after: asyncio.Task[None] | None) -> None:
        assert self._client is not None
        if after is not None:
            await asyncio.wait({after})
        try:
            await self._client.post(self._url, content=data, headers=self._request_headers(None))
        except httpx2.ConnectError as error:
            self._end("RemoteUnreachable", f"{self._url} cannot be reached: {error}")
        except httpx2.HTTPError:
            return  # a notification has no answer; what it led to shows in the next request

    async def _listen(self, after: asyncio.Task[None]) -> None:
        """The legacy era's stream for what the server says of itself; servers may refuse it."""
        assert self._client is not None
        await asyncio.wait({after})
        headers = self._request_headers(None) | {"accept": "text/event-stream"}
        delay = 1.0
        while True:
            try:
                timeout = httpx2.Timeout(CONNECT_SECONDS, read=None)
                async with self._client.stream("GET", self._url, headers=headers, timeout=timeout) as response:
                    if not response.is_success:
                        return
                    async for event in httpx2.EventSource(response, max_event_size=None):
                        delay = 1.0
                        if event.data:
                            self._hand_over(event.data.encode())
            except httpx2.HTTPError:
                delay = min(delay * 2, 60.0)
            await asyncio.sleep(delay)

    def _fail(self, request_id: bytes, text: str) -> None:
        assert self._receiver is not None
        error = wire.RpcError(wire.SERVER_UNAVAILABLE, text, {"reason": "RemoteFailed"})
        self._receiver.received(wire.error_response(request_id, error.encode()))

    def _end(self, reason: str, message: str) -> None:
        assert self._receiver is not None
        self._receiver.ended(ServerFailure(reason, message))

    def backlog(self) -> int:
        return 0

    def pids(self) -> tuple[int, ...]:
        return ()

    async def close(self) -> None:
        tasks = [*self._tasks.values(), *self._others]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            if self._session is not None:
                try:
                    await self._client.delete(self._url, headers=self._request_headers(None), timeout=2.0)
                except httpx2.HTTPError:
                    self._session = None  # it will expire there by itself
            await self._client.aclose()
