"""Streamable HTTP, both eras, as an ASGI application in front of one endpoint.

MCP: basic/transports of 2025-11-25 (sessions) and 2026-07-28 (one POST, one answer). The era follows from the
`MCP-Protocol-Version` header, as in the official SDKs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from mcp.shared import inbound
from msgspec import UNSET

from mcpfleet_serve import eras, wire
from mcpfleet_serve.call import Call
from mcpfleet_serve.channel import ServerFailure
from mcpfleet_serve.endpoint import Endpoint
from mcpfleet_serve.envelope import classify, is_request_id, is_well_formed, plain_string
from mcpfleet_serve.exchange import Exchange
from mcpfleet_serve.handshake import Era
from mcpfleet_serve.link import LISTEN
from mcpfleet_serve.request import HttpError, Request
from mcpfleet_serve.session import Session
from mcpfleet_serve.streams import Watch, send_stream

SESSION_IDLE_SECONDS: Final = 600.0
MAX_SESSIONS: Final = 10_000

JSON_HEADER: Final = (b"content-type", b"application/json")


class McpApp:
    """One MCP endpoint over HTTP."""

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        self._name = name
        self.endpoint = endpoint
        self.sessions: dict[str, Session] = {}
        self._ending: set[asyncio.Future[None]] = set()
        self._streams: set[Exchange] = set()

    async def __call__(self, request: Request) -> None:
        if request.method == "POST":
            await self._post(request)
        elif request.method == "GET":
            await self._get(request)
        elif request.method == "DELETE":
            await self._delete(request)
        else:
            await request.respond(405, b"", [(b"allow", b"GET, POST, DELETE")])

    # POST

    async def _post(self, request: Request) -> None:
        kind = request.header(b"content-type").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HttpError(415, "Content-Type must be application/json")
        accept = request.header(b"accept")
        if "*/*" not in accept and not ("application/json" in accept and "text/event-stream" in accept):
            raise HttpError(406, "Accept must list both application/json and text/event-stream")
        body = await request.body()
        try:
            message = wire.decode_message(body)
        except (msgspec.ValidationError, RecursionError):
            await refuse(request, wire.RpcError(wire.INVALID_REQUEST, "the body must be one JSON-RPC message"))
            return
        except msgspec.DecodeError as error:
            await refuse(request, wire.RpcError(wire.PARSE_ERROR, f"the body is not JSON: {error}"))
            return
        version = request.header(b"mcp-protocol-version")
        if version and version not in wire.LEGACY_VERSIONS:
            await self._modern(request, body, message)
        else:
            await self._legacy(request, message)

    # The modern era

    async def _modern(self, request: Request, body: bytes, message: wire.Message) -> None:
        if message.id is UNSET:
            # A notification: nothing in this era acts on one, and a client may send it all the same.
            version = inbound.unsupported_protocol_version_rejection(request.header(b"mcp-protocol-version"))
            if version is not None:
                await refuse(request, wire.RpcError(version.code, version.message, version.data))
            elif message.method is UNSET or message.jsonrpc != "2.0":
                await refuse(request, wire.RpcError(wire.INVALID_REQUEST, "the body must be one JSON-RPC message"))
            else:
                await request.respond(202, b"")
            return
        client_id = bytes(message.id)
        if message.method is UNSET or message.jsonrpc != "2.0" or not is_request_id(client_id):
            await refuse(request, wire.RpcError(wire.INVALID_REQUEST, "the body must be one JSON-RPC request"))
            return
        params = None if message.params is UNSET else bytes(message.params)
        if not is_well_formed(request, message.method, params):
            rejection = classify(request, body)
            if rejection is not None:
                await refuse(request, rejection, client_id)
                return
        if message.method in eras.REMOVED:
            error = wire.RpcError(wire.METHOD_NOT_FOUND, f"Method not found: {message.method}")
            await refuse(request, error, client_id)
            return
        call = Call(Exchange(client_id), message.method, params, Era.MODERN, request.principal())
        if message.method == "tools/call":
            call.headers = request.headers_with_prefix(b"mcp-param-")
            rejection = self._check_parameters(call)
            if rejection is not None:
                await refuse(request, rejection, client_id)
                return
        await self._run(request, call, lambda code: inbound.ERROR_CODE_HTTP_STATUS.get(code, 200))

    def _check_parameters(self, call: Call) -> wire.RpcError | None:
        """The `Mcp-Param-*` headers against the arguments that they repeat."""
        name = wire.decode_params(call.params or wire.EMPTY_OBJECT).name
        schema = None if name is UNSET else self.endpoint.header_schema(plain_string(bytes(name)))
        if schema is None:
            return None
        arguments = wire.decode_json(call.params or wire.EMPTY_OBJECT).get("arguments") or {}
        rejection = inbound.validate_mcp_param_headers(schema, arguments, call.headers)
        return None if rejection is None else wire.RpcError(rejection.code, rejection.message, rejection.data)

    # The legacy era

    async def _legacy(self, request: Request, message: wire.Message) -> None:
        if message.jsonrpc != "2.0" or (message.id is not UNSET and not is_request_id(bytes(message.id))):
            await refuse(request, wire.RpcError(wire.INVALID_REQUEST, "the body must be one JSON-RPC message"))
            return
        if message.method == "initialize" and message.id is not UNSET:
            await self._initialize(request, message)
            return
        session = self._session(request)
        params = None if message.params is UNSET else bytes(message.params)
        if message.id is UNSET:
            if message.method == "notifications/cancelled":
                _cancel_named(session, params)
            elif message.method is not UNSET:
                self.endpoint.heard(session, message.method, params)
            await request.respond(202, b"")
        elif message.method is UNSET:
            session.hear_answer(message)
            await request.respond(202, b"")
        else:
            exchange = Exchange(bytes(message.id))
            call = Call(exchange, message.method, params, Era.LEGACY, session.principal, session)
            session.open_requests += 1
            try:
                await self._run(request, call, lambda _: 200)
            finally:
                session.open_requests -= 1
                session.last_used = time.monotonic()

    async def _initialize(self, request: Request, message: wire.Message) -> None:
        if request.header(b"mcp-session-id"):
            raise HttpError(400, "initialize opens a session; it takes no Mcp-Session-Id")
        if len(self.sessions) >= MAX_SESSIONS:
            raise HttpError(503, "too many open sessions", [(b"retry-after", b"10")])
        params = None if message.params is UNSET else bytes(message.params)
        client = wire.decode_json(params) if params else None
        client_id = bytes(message.id)  # type: ignore[arg-type]
        if not isinstance(client, dict) or "protocolVersion" not in client:
            error = wire.RpcError(wire.INVALID_PARAMS, "params.protocolVersion is missing")
            await refuse(request, error, client_id)
            return
        session = Session(request.principal(), client)
        call = Call(Exchange(client_id), "initialize", params, Era.LEGACY, session.principal, session)
        try:
            await self._attempt(call, self.endpoint.initialize(session, call))
            if call.exchange.error_code is None:
                self.sessions[session.id] = session
        finally:
            if session.id not in self.sessions:
                await session.close()
        headers: list[tuple[bytes, bytes]] = [JSON_HEADER]
        if session.id in self.sessions:
            headers.append((b"mcp-session-id", session.id.encode()))
        await request.respond(200, call.exchange.answer or b"", headers)

    def _session(self, request: Request) -> Session:
        session_id = request.header(b"mcp-session-id")
        if not session_id:
            raise HttpError(400, "Mcp-Session-Id is missing; open a session with initialize")
        session = self.sessions.get(session_id)
        # Another caller's session looks like one that never was.
        if session is None or session.principal != request.principal():
            raise HttpError(404, "Session not found")
        if session.is_lost:
            self._end(session)
            raise HttpError(404, "Session not found: the server instance that held it has ended")
        session.last_used = time.monotonic()
        return session

    async def _get(self, request: Request) -> None:
        if "text/event-stream" not in request.header(b"accept"):
            raise HttpError(406, "Accept must list text/event-stream")
        if request.header(b"mcp-protocol-version") in wire.MODERN_VERSIONS:
            raise HttpError(405, "this protocol version has no GET stream", [(b"allow", b"POST")])
        session = self._session(request)
        if session.standalone in self._streams:
            raise HttpError(409, "the session has a GET stream already")
        session.open_requests += 1
        self._streams.add(session.standalone)
        watch = Watch(request, session.standalone, after=0)
        try:
            await send_stream(request, session.standalone)
        finally:
            watch.stop()
            self._streams.discard(session.standalone)
            session.standalone.gone = False
            session.open_requests -= 1
            session.last_used = time.monotonic()

    async def _delete(self, request: Request) -> None:
        self._end(self._session(request))
        await request.respond(200, b"")

    def _end(self, session: Session) -> None:
        self.sessions.pop(session.id, None)
        task = asyncio.ensure_future(session.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def end_idle(self, now: float) -> None:
        """End the sessions that nobody has used for long."""
        for session in list(self.sessions.values()):
            if not session.open_requests and now - session.last_used > SESSION_IDLE_SECONDS:
                self._end(session)

    def hang_up(self) -> None:
        """End the streams that would stay open for ever; clients open them anew, elsewhere."""
        for exchange in list(self._streams):
            own_id = wire.decode_json(exchange.client_id)
            exchange.succeed(
                wire.encode_json({"resultType": "complete", "_meta": {wire.META_SUBSCRIPTION: own_id}})
            )

    async def close(self) -> None:
        self.hang_up()
        sessions, self.sessions = list(self.sessions.values()), {}
        await asyncio.gather(*(session.close() for session in sessions), *self._ending)

    # Answers

    async def _attempt(self, call: Call, work: Awaitable[None]) -> None:
        try:
            await work
        except wire.RpcError as error:
            call.exchange.fail_with(error)
        except msgspec.DecodeError as error:
            call.exchange.fail_with(wire.RpcError(wire.INVALID_PARAMS, str(error)))
        except ServerFailure as failure:
            error = wire.RpcError(
                wire.SERVER_UNAVAILABLE,
                f"{self._name}: {failure.message}",
                {"server": self._name, "reason": failure.reason},
            )
            call.exchange.fail_with(error)

    async def _run(self, request: Request, call: Call, status_of: Callable[[int], int]) -> None:
        """Send a request on and its answer back: as JSON if nothing precedes it, else as a stream."""
        exchange, session = call.exchange, call.session
        watch = Watch(request, exchange)
        if session is not None:
            session.calls[exchange.client_id] = lambda: _cancel(call)
        if call.method == LISTEN:
            self._streams.add(exchange)
        try:
            await self._attempt(call, self.endpoint.dispatch(call))
            await exchange.ready()
            if exchange.answer is not None and not exchange.has_events():
                code = exchange.error_code
                await request.respond(200 if code is None else status_of(code), exchange.answer, [JSON_HEADER])
            else:
                await send_stream(request, exchange)
        finally:
            watch.stop()
            self._streams.discard(exchange)
            if exchange.answer is not None:
                if session is not None:
                    session.calls.pop(exchange.client_id, None)
                if call.method == LISTEN:
                    _cancel(call)
            elif session is None:
                # In the modern era a client cancels by leaving. In the legacy one it says so, and may come back.
                _cancel(call)


def _cancel_named(session: Session, params: bytes | None) -> None:
    named = wire.decode_params(params or b"{}").request_id
    cancel = None if named is UNSET else session.calls.get(bytes(named))
    if cancel is not None:
        cancel()


def _cancel(call: Call) -> None:
    if call.cancel is not None:
        call.cancel()
    call.exchange.abandon()


async def refuse(request: Request, error: wire.RpcError, client_id: bytes = b"null") -> None:
    """Answer with an error that the request itself is to blame for."""
    status = inbound.ERROR_CODE_HTTP_STATUS.get(error.code, 400)
    await request.respond(status, wire.error_response(client_id, error.encode()), [JSON_HEADER])
