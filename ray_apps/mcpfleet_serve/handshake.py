"""Getting to know a server: which protocol era it speaks, who it is, and what it offers.

A server is asked `server/discover` (2026-07-28) first. One that does not know it answers with an error, or not
at all; then follows `initialize` on the same channel. MCP: basic/lifecycle of either era.
"""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from mcpfleet_serve import wire
from mcpfleet_serve.channel import ServerFailure
from mcpfleet_serve.link import Link

# Servers of the legacy era may leave an unknown first request unanswered; slow starters answer late.
DISCOVER_PATIENCE_SECONDS: Final = 5.0
MAX_PAGES: Final = 200
CLIENT_INFO: Final = {"name": "mcpfleet", "version": "0.1.0"}


class Era(StrEnum):
    """How a running instance is spoken to; an instance locks to one."""

    MODERN = "modern"
    LEGACY = "legacy"


MODERN_META: Final = {
    wire.META_VERSION: wire.LATEST_MODERN,
    wire.META_CLIENT_INFO: CLIENT_INFO,
    wire.META_CLIENT_CAPABILITIES: {},
}


@dataclass(frozen=True)
class Hello:
    """What a server said of itself."""

    era: Era
    versions: tuple[str, ...]
    capabilities: dict[str, Any]
    server_info: dict[str, Any]
    instructions: str | None
    raw: dict[str, Any] = field(repr=False)


async def introduce(link: Link, wanted: Era | None = None) -> Hello:
    """Shake hands on a fresh link; `wanted` asks for one era only, None finds out.

    Raises:
        ServerFailure: the server does not speak MCP (or not that era), or ended.
    """
    try:
        if wanted is Era.LEGACY:
            return await _initialize(link)
        discovering = asyncio.ensure_future(link.call("server/discover", wire.encode_json({"_meta": MODERN_META})))
        try:
            return await _discover_or_initialize(link, discovering, wanted)
        finally:
            discovering.cancel()
    except wire.RpcError as error:
        if link.failure is not None:
            raise link.failure from None
        raise ServerFailure("HandshakeFailed", f"the server refused the handshake: {error.message}") from None


async def _discover_or_initialize(link: Link, discovering: asyncio.Future[bytes], wanted: Era | None) -> Hello:
    patience = None if wanted is Era.MODERN else DISCOVER_PATIENCE_SECONDS
    await asyncio.wait({discovering}, timeout=patience)
    if not discovering.done():
        initializing = asyncio.ensure_future(_initialize(link))
        try:
            # Whichever comes first tells the era: a slow modern server answers the discovery after all.
            await asyncio.wait({discovering, initializing}, return_when=asyncio.FIRST_COMPLETED)
            if not discovering.done() or discovering.exception() is not None:
                return await initializing
        finally:
            initializing.cancel()
    error = discovering.exception()
    if error is None:
        hello = _from_discover(discovering.result())
        if hello is not None:
            return hello
    if not isinstance(error, wire.RpcError | None):
        raise error
    if wanted is Era.MODERN or link.failure is not None:
        raise error or wire.RpcError(wire.METHOD_NOT_FOUND, "the server speaks no modern protocol version")
    return await _initialize(link)


def _from_discover(raw: bytes) -> Hello | None:
    result = wire.decode_json(raw)
    versions = tuple(str(v) for v in result.get("supportedVersions", ()))
    if not wire.MODERN_VERSIONS.intersection(versions):
        return None
    meta = result.get("_meta") or {}
    return Hello(
        era=Era.MODERN,
        versions=versions,
        capabilities=result.get("capabilities") or {},
        server_info=meta.get("io.modelcontextprotocol/serverInfo") or result.get("serverInfo") or {},
        instructions=result.get("instructions"),
        raw=result,
    )


async def _initialize(link: Link) -> Hello:
    params = {"protocolVersion": wire.LATEST_LEGACY, "capabilities": {}, "clientInfo": CLIENT_INFO}
    hello = read_initialize(await link.call("initialize", wire.encode_json(params)))
    link.notify("notifications/initialized", None)
    return hello


def read_initialize(raw: bytes) -> Hello:
    """The result of `initialize`.

    Raises:
        ServerFailure: it is none.
    """
    result = wire.decode_json(raw)
    if not isinstance(result, dict) or "protocolVersion" not in result:
        raise ServerFailure("HandshakeFailed", "the server's answer to initialize has no protocolVersion")
    return Hello(
        era=Era.LEGACY,
        versions=(str(result["protocolVersion"]),),
        capabilities=result.get("capabilities") or {},
        server_info=result.get("serverInfo") or {},
        instructions=result.get("instructions"),
        raw=result,
    )


@dataclass(frozen=True)
class Catalog:
    """What a server offers, each entry as the server wrote it."""

    tools: tuple[dict[str, Any], ...] = ()
    resources: tuple[dict[str, Any], ...] = ()
    templates: tuple[dict[str, Any], ...] = ()
    prompts: tuple[dict[str, Any], ...] = ()


async def read_catalog(link: Link, hello: Hello) -> Catalog:
    """Read all lists that the server's capabilities promise.

    Raises:
        ServerFailure: a list cannot be read.
    """
    offered = hello.capabilities
    try:
        return Catalog(
            tools=await _read_list(link, hello, "tools/list", "tools") if "tools" in offered else (),
            resources=(
                await _read_list(link, hello, "resources/list", "resources") if "resources" in offered else ()
            ),
            templates=(
                await _read_list(link, hello, "resources/templates/list", "resourceTemplates", optional=True)
                if "resources" in offered
                else ()
            ),
            prompts=await _read_list(link, hello, "prompts/list", "prompts") if "prompts" in offered else (),
        )
    except wire.RpcError as error:
        if link.failure is not None:
            raise link.failure from None
        raise ServerFailure("ListFailed", f"the server's lists cannot be read: {error.message}") from None


async def _read_list(
    link: Link, hello: Hello, method: str, member: str, *, optional: bool = False
) -> tuple[dict[str, Any], ...]:
    entries: list[dict[str, Any]] = []
    params: dict[str, Any] = {"_meta": MODERN_META} if hello.era is Era.MODERN else {}
    for _ in range(MAX_PAGES):
        try:
            page = wire.decode_json(await link.call(method, wire.encode_json(params)))
        except wire.RpcError as error:
            # `resources` promises no templates; many servers do not know the method.
            if optional and error.code == wire.METHOD_NOT_FOUND:
                return ()
            raise
        entries += [entry for entry in page.get(member) or () if isinstance(entry, dict)]
        cursor = page.get("nextCursor")
        if not isinstance(cursor, str):
            break
        params = {**params, "cursor": cursor}
    return tuple(entries)
