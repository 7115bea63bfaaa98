"""A link multiplexes requests of many clients over one channel to one running server.

Request ids and progress tokens are replaced by small integers of the link's own (Node servers hang on ids
beyond 2^53) and put back on the way home; all else of params, results and errors passes as it came.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec import UNSET

from mcpfleet_serve import wire
from mcpfleet_serve.channel import Channel, ServerFailure
from mcpfleet_serve.exchange import Exchange

PROGRESS: Final = "notifications/progress"
LOG: Final = "notifications/message"
CANCELLED: Final = "notifications/cancelled"
LISTEN: Final = "subscriptions/listen"
MAX_BACKLOG_BYTES: Final = 32 * 1024 * 1024


class Audience:
    """Whoever hears what a server says that belongs to no request of a client. By default nobody does."""

    def notified(self, method: str, params: bytes | None) -> None:
        """A notification such as `notifications/tools/list_changed`."""

    def asked(self, link: "Link", request_id: bytes, method: str, params: bytes | None) -> None:
        """A request of the server's to its client, such as `sampling/createMessage`."""
        del params
        link.answer_error(
            request_id,
            wire.RpcError(
                wire.METHOD_NOT_FOUND,
                f"{method} cannot reach a client: this instance of the server is shared; "
                "set `isolation: PerSession` and use a session",
            ),
        )


@dataclass(slots=True)
class _Pending:
    exchange: Exchange
    method: str
    progress_token: bytes | None = None
    # Applied to a result on its way home: translation between eras, tool filters.
    transform: Callable[[bytes], bytes] | None = None

    @property
    def is_stream(self) -> bool:
        """Open for as long as the client likes, and no sign of work."""
        return self.method == LISTEN


@dataclass(eq=False)
class Link:
    """One channel, with who waits for what on it.

    Attributes:
        clean: Takes secrets out of what a server says when it fails.
    """

    channel: Channel
    audience: Audience = field(default_factory=Audience)
    clean: Callable[[str], str] = str
    failure: ServerFailure | None = None
    last_used: float = field(default_factory=time.monotonic)
    _next_id: int = 0
    _streams: int = 0
    _pending: dict[int, _Pending] = field(default_factory=dict[int, _Pending])
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self) -> None:
        """Start the channel.

        Raises:
            ServerFailure: the server cannot be started.
        """
        await self.channel.open(self)

    @property
    def in_flight(self) -> int:
        """Requests that wait for an answer; long streams are not work."""
        return len(self._pending) - self._streams

    def is_open(self) -> bool:
        return self.failure is None

    async def wait_ended(self) -> ServerFailure:
        await self._ended.wait()
        assert self.failure is not None
        return self.failure

    async def close(self) -> None:
        """End the server; whoever still waits gets an error."""
        if self.failure is None:
            self.ended(ServerFailure("Stopped", "the server was stopped"))
        await self.channel.close()

    # To the server

    def send_request(
        self,
        exchange: Exchange,
        method: str,
        params: bytes | None,
        *,
        transform: Callable[[bytes], bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Send a client's request on; its answer and all that belongs to it goes to `exchange`.

        Returns the link's own id of it, for `cancel`.
        """
        self._next_id += 1
        number = self._next_id
        pending = _Pending(exchange, method, transform=transform)
        failure = self.failure
        if failure is None and self.channel.backlog() > MAX_BACKLOG_BYTES:
            failure = ServerFailure("Overloaded", "the server does not read what it is sent; try again later")
        if failure is not None:
            exchange.fail_with(unavailable(failure))
            return number
        if params is not None and b'"progressToken"' in params:
            token = _progress_token(params)
            if token is not None:
                pending.progress_token = token
                params = wire.with_meta(params, {"progressToken": number})
        self._pending[number] = pending
        self._streams += pending.is_stream
        self.last_used = time.monotonic()
        self.channel.send(wire.request(b"%d" % number, method, params), headers)
        return number

    async def call(self, method: str, params: bytes | None, timeout: float | None = None) -> bytes:
        """A request of our own; the result as it came.

        Raises:
            wire.RpcError: the server answered with an error, or ended.
            TimeoutError: no answer within `timeout` seconds; the request is cancelled.
        """
        exchange = Exchange(b"0")
        number = self.send_request(exchange, method, params)
        try:
            async with asyncio.timeout(timeout):
                while exchange.answer is None:
                    await exchange.ready()
                    while exchange.next_event() is not None:
                        pass
        except (TimeoutError, asyncio.CancelledError):
            self.cancel(number)
            raise
        message = wire.decode_message(exchange.answer)
        if message.error is not UNSET:
            raise decode_error(bytes(message.error))
        assert message.result is not UNSET
        return bytes(message.result)

    def cancel(self, number: int, reason: str = "the client cancelled the request") -> None:
        """Tell the server that nobody waits any more. What still comes for it is dropped."""
        pending = self._forget(number)
        if pending is not None and self.failure is None and pending.method != "initialize":
            self.notify(CANCELLED, wire.encode_json({"requestId": number, "reason": reason}))

    def notify(self, method: str, params: bytes | None) -> None:
        if self.failure is None:
            self.channel.send(wire.notification(method, params))

    def answer(self, request_id: bytes, message: wire.Message) -> None:
        """Hand over a client's response to a request of the server's."""
        if message.error is not UNSET:
            self.channel.send(wire.error_response(request_id, bytes(message.error)))
        elif message.result is not UNSET:
            self.channel.send(wire.response(request_id, bytes(message.result)))

    def answer_error(self, request_id: bytes, error: wire.RpcError) -> None:
        self.channel.send(wire.error_response(request_id, error.encode()))

    # From the server

    def received(self, data: bytes) -> None:
        try:
            message = wire.decode_message(data)
        except (msgspec.DecodeError, RecursionError):
            return  # garbage between messages harms nobody; the channel keeps it in the log
        if message.method is not UNSET:
            params = None if message.params is UNSET else bytes(message.params)
            if message.id is UNSET:
                self._on_notification(message.method, params)
            else:
                self._on_request(bytes(message.id), message.method, params)
        elif message.id is not UNSET:
            self._on_response(message)

    def ended(self, failure: ServerFailure) -> None:
        if self.failure is not None:
            return
        self.failure = failure
        for number in list(self._pending):
            pending = self._forget(number)
            if pending is not None:
                pending.exchange.fail_with(unavailable(failure))
        self._ended.set()

    def _forget(self, number: int) -> _Pending | None:
        pending = self._pending.pop(number, None)
        if pending is not None:
            self._streams -= pending.is_stream
            self.last_used = time.monotonic()
        return pending

    def _on_response(self, message: wire.Message) -> None:
        try:
            number = int(bytes(message.id))  # type: ignore[arg-type]
        except ValueError:
            return
        pending = self._forget(number)
        if pending is None:
            return  # cancelled, or answered twice
        if message.error is not UNSET:
            error = self.clean(bytes(message.error).decode(errors="replace")).encode()
            pending.exchange.fail(error, decode_error(error).code)
        elif message.result is not UNSET:
            result = bytes(message.result)
            try:
                pending.exchange.succeed(pending.transform(result) if pending.transform else result)
            except wire.RpcError as error:
                pending.exchange.fail_with(error)
            except (msgspec.DecodeError, AttributeError, TypeError, KeyError, RecursionError) as error:
                # A result of another shape than its method has. The client must not wait for a better one.
                text = f"the server's result for {pending.method} is malformed: {error}"
                pending.exchange.fail_with(wire.RpcError(wire.INTERNAL_ERROR, text))

    def _on_request(self, request_id: bytes, method: str, params: bytes | None) -> None:
        if method == "ping":
            self.channel.send(wire.response(request_id, wire.EMPTY_OBJECT))
        else:
            self.audience.asked(self, request_id, method, params)

    def _on_notification(self, method: str, params: bytes | None) -> None:
        pending, params = self._owner(method, params)
        if pending is not None:
            pending.exchange.push(wire.notification(method, params))
        elif method != PROGRESS:
            self.audience.notified(method, params)

    def _owner(self, method: str, params: bytes | None) -> tuple[_Pending | None, bytes | None]:
        """The request that a notification belongs to, and the notification's params as its client knows them."""
        if params is None:
            return None, params
        if method == PROGRESS:
            pending = self._named(_decode(params).progress_token)
            if pending is None or pending.progress_token is None:
                return None, params
            return pending, wire.with_members(params, {"progressToken": msgspec.Raw(pending.progress_token)})
        if wire.META_SUBSCRIPTION.encode() in params:
            meta = _decode(params).meta
            pending = self._named(UNSET if meta is UNSET else meta.subscription)
            if pending is None:
                return None, params
            own = {wire.META_SUBSCRIPTION: msgspec.Raw(pending.exchange.client_id)}
            return pending, wire.with_meta(params, own)
        if method == LOG:
            return self.only_pending(), params
        return None, params

    def only_pending(self) -> _Pending | None:
        """The one request in progress, if it is one: then what the server says out of turn belongs to it."""
        if self.in_flight != 1:
            return None
        return next(pending for pending in self._pending.values() if not pending.is_stream)

    def latest_exchange(self) -> Exchange | None:
        """The request that was sent last of those in progress."""
        calls = (p.exchange for p in reversed(self._pending.values()) if not p.is_stream)
        return next(calls, None)

    def _named(self, number: Any) -> _Pending | None:
        try:
            return self._pending.get(int(bytes(number)))
        except (TypeError, ValueError):
            return None


def _decode(params: bytes) -> wire.Params:
    try:
        return wire.decode_params(params)
    except msgspec.DecodeError:
        return wire.Params()


def _progress_token(params: bytes) -> bytes | None:
    meta = _decode(params).meta
    return None if meta is UNSET or meta.progress_token is UNSET else bytes(meta.progress_token)


def decode_error(raw: bytes) -> wire.RpcError:
    """The error member of a response as an exception."""
    try:
        error = wire.decode_json(raw)
        return wire.RpcError(int(error["code"]), str(error["message"]), error.get("data"))
    except (msgspec.DecodeError, TypeError, KeyError, ValueError):
        return wire.RpcError(wire.INTERNAL_ERROR, "the server answered with a malformed error")


def unavailable(failure: ServerFailure) -> wire.RpcError:
    """What a client is told when the server cannot answer."""
    return wire.RpcError(wire.SERVER_UNAVAILABLE, failure.message, {"reason": failure.reason})
