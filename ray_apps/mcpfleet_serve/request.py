"""One HTTP request over ASGI, no more of it than the data path needs."""

import hashlib
from collections.abc import Iterable
from typing import Any, Protocol

Headers = Iterable[tuple[bytes, bytes]]


class Receive(Protocol):
    async def __call__(self) -> Any: ...


class Send(Protocol):
    async def __call__(self, message: Any, /) -> None: ...


class HttpError(Exception):
    """A request that is answered with an HTTP error."""

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class Request:
    """One request and the answer to it."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send, max_body_bytes: int) -> None:
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        self.query: bytes = scope.get("query_string", b"")
        self._pairs: list[tuple[bytes, bytes]] = scope["headers"]
        self._headers = dict(self._pairs)
        self._receive = receive
        self._send = send
        self._max_body_bytes = max_body_bytes
        self.started = False

    def header(self, name: bytes) -> str:
        """A header's value, empty if there is none. `name` is lower case."""
        value = self._headers.get(name)
        return "" if value is None else _text(value)

    @property
    def has_repeated_headers(self) -> bool:
        return len(self._headers) != len(self._pairs)

    def all_headers(self) -> list[tuple[str, str]]:
        return [(_text(name), _text(value)) for name, value in self._pairs]

    def headers_with_prefix(self, prefix: bytes) -> dict[str, str]:
        return {_text(name): _text(value) for name, value in self._pairs if name.startswith(prefix)}

    def principal(self) -> str:
        """A digest of the caller's credential, empty without one."""
        credential = self._headers.get(b"authorization")
        return hashlib.sha256(credential).hexdigest()[:32] if credential else ""

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            HttpError: it is longer than allowed, or the client left.
        """
        message = await self._receive()
        data: bytes = message.get("body", b"")
        if message.get("more_body"):
            parts, size = [data], len(data)
            while message.get("more_body") and size <= self._max_body_bytes:
                message = await self._receive()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
            data = b"".join(parts)
        if len(data) > self._max_body_bytes:
            too_long = f"the body is longer than {self._max_body_bytes} bytes"
            raise HttpError(413, too_long, [(b"connection", b"close")])
        if message["type"] == "http.disconnect":
            raise HttpError(400, "the body is incomplete")
        return data

    async def disconnected(self) -> None:
        """Return once the client has left. Only after `body`."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def respond(self, status: int, body: bytes, headers: Headers = ()) -> None:
        """A whole answer."""
        await self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.finish(body)

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def send(self, chunk: bytes) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def finish(self, chunk: bytes) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": False})


def _text(raw: bytes) -> str:
    # RFC 9110, section 5.5: white space around a field value is no part of it, and httptools leaves it in.
    return raw.strip(b" \t").decode("latin-1")
