"""The HTTP site of a replica: its MCP endpoints, the catalog, health, the fleet's report, logs."""

import asyncio
import html
import logging
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

from mcpfleet_api.serve import FleetReport, HostArgs
from mcpfleet_serve import wire
from mcpfleet_serve.request import HttpError, Receive, Request, Send
from mcpfleet_serve.stderr import StderrLog
from mcpfleet_serve.streamable import JSON_HEADER, McpApp

logger = logging.getLogger(__name__)

HTML: Final = (b"content-type", b"text/html; charset=utf-8")
TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
DEFAULT_TAIL: Final = 200


class Fleet(Protocol):
    """What the site shows."""

    @property
    def aggregate(self) -> McpApp: ...

    @property
    def apps(self) -> Mapping[str, McpApp]: ...

    def report(self) -> FleetReport: ...

    def log(self, server: str) -> StderrLog | None: ...


class Site:
    """The ASGI application of one replica."""

    def __init__(self, args: HostArgs, fleet: Fleet) -> None:
        self._fleet = fleet
        self._hosts = frozenset(args.allowed_hosts)
        self._origins = frozenset(args.allowed_origins)
        self._max_body_bytes = args.max_body_bytes

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        request = Request(scope, receive, send, self._max_body_bytes)
        try:
            self._check_caller(request)
            await self._route(request)
        except HttpError as error:
            if not request.started:
                body = wire.error_response(b"null", wire.RpcError(wire.INVALID_REQUEST, error.message).encode())
                await request.respond(error.status, body, [JSON_HEADER, *error.headers])
        except Exception:
            # The last net: one request fails, the door stays open, the log says why.
            logger.exception("%s %s failed", request.method, request.path)
            if not request.started:
                body = wire.error_response(b"null", wire.RpcError(wire.INTERNAL_ERROR, "internal error").encode())
                await request.respond(500, body, [JSON_HEADER])

    def _check_caller(self, request: Request) -> None:
        """Refuse pages of other sites that a name server was made to point here (DNS rebinding)."""
        if not self._hosts:
            return
        if _hostname("//" + request.header(b"host")) not in self._hosts:
            raise HttpError(421, "this Host is not served here")
        origin = request.header(b"origin")
        if origin and _hostname(origin) not in self._hosts and origin not in self._origins:
            raise HttpError(403, "this Origin is not allowed")

    async def _route(self, request: Request) -> None:
        path = request.path.rstrip("/")
        if path == "/mcp":
            await self._fleet.aggregate(request)
            return
        first, _, rest = path[1:].partition("/")
        if first == "servers" and rest.endswith("/mcp"):
            name = rest.removesuffix("/mcp")
            app = self._fleet.apps.get(name)
            if app is None:
                raise HttpError(404, f"there is no server {name!r}; GET / lists them")
            await app(request)
        elif request.method not in {"GET", "HEAD"}:
            raise HttpError(404, "not found; GET / lists what is here")
        elif path == "":
            await self._catalog(request)
        elif path == "/-/healthz":
            await request.respond(200, b"ok\n", [TEXT])
        elif path == "/-/fleet":
            report = self._fleet.report().model_dump_json(by_alias=True, indent=2)
            await request.respond(200, report.encode(), [JSON_HEADER])
        elif path.startswith("/-/logs/"):
            await self._logs(request, path.removeprefix("/-/logs/"))
        else:
            raise HttpError(404, "not found; GET / lists what is here")

    async def _catalog(self, request: Request) -> None:
        report = self._fleet.report()
        if "text/html" in request.header(b"accept"):
            await request.respond(200, page(report).encode(), [HTML])
        else:
            await request.respond(200, wire.encode_json(catalog(report)), [JSON_HEADER])

    async def _logs(self, request: Request, name: str) -> None:
        log = self._fleet.log(name)
        if log is None:
            raise HttpError(404, f"there is no server {name!r}; GET / lists them")
        query = {key: values[-1] for key, values in parse_qs(request.query.decode("latin-1")).items()}
        tail = int(query["tail"]) if re.fullmatch("[0-9]{1,9}", query.get("tail", "")) else DEFAULT_TAIL
        if query.get("follow") not in {"1", "true"}:
            lines = "".join(f"{line}\n" for line in log.last(tail))
            await request.respond(200, lines.encode(), [TEXT])
            return
        await request.start(200, [TEXT])
        sending = asyncio.ensure_future(_send_lines(request, log.follow(tail)))
        leaving = asyncio.ensure_future(request.disconnected())
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
        await request.finish(b"")


async def _send_lines(request: Request, lines: AsyncGenerator[str]) -> None:
    async with aclosing(lines):
        async for line in lines:
            await request.send(f"{line}\n".encode())


def _hostname(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


def catalog(report: FleetReport) -> dict[str, Any]:
    """What the fleet offers, for programs."""
    return {
        "fleet": report.fleet,
        "endpoint": report.endpoint,
        "servers": [
            {"name": s.name, "endpoint": s.endpoint, "state": s.state.value, "tools": s.tools, "source": s.source}
            for s in report.servers
        ],
    }


def page(report: FleetReport) -> str:
    """What the fleet offers, for a person with a browser."""
    rows = "".join(
        f"<tr><td>{html.escape(s.name)}</td><td>{s.state.value}</td><td>{s.tools}</td>"
        f"<td><code>{html.escape(s.endpoint)}</code></td><td>{html.escape(s.source)}</td>"
        f"<td>{html.escape(s.message)}</td></tr>"
        for s in report.servers
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{html.escape(report.fleet)} · MCPFleet</title>"
        "<style>body{font:16px/1.5 system-ui;margin:2rem;color:#222}table{border-collapse:collapse}"
        "td,th{padding:.3rem .9rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}"
        "td:last-child{white-space:pre-wrap}</style>"
        f"<h1>{html.escape(report.fleet)}</h1>"
        f"<p>All servers as one: <code>{html.escape(report.endpoint)}</code></p>"
        "<table><tr><th>Server<th>State<th>Tools<th>Endpoint<th>Source<th>Message</tr>"
        f"{rows}</table></html>"
    )
