"""Where a client and a server of different protocol eras meet: what changes between 2025-11-25 and 2026-07-28."""

from collections.abc import Callable
from typing import Any, Final

from mcpfleet_serve import wire
from mcpfleet_serve.handshake import Hello

# Lists and reads carry caching hints in the modern era; a legacy server gave none, so: do not cache.
CACHEABLE: Final = frozenset(
    {"tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"}
)
# Requests that the modern era has no more. A legacy server behind it would still act on them, for all its clients.
REMOVED: Final = frozenset(
    {"initialize", "logging/setLevel", "ping", "resources/subscribe", "resources/unsubscribe"}
)
NOT_CACHED: Final = {"ttlMs": 0, "cacheScope": "private"}


def modern_result(method: str) -> Callable[[bytes], bytes]:
    """How a legacy server's result becomes a modern one: the members are put in front, the rest stays verbatim."""
    extra: dict[str, Any] = {"resultType": "complete"}
    if method in CACHEABLE:
        extra |= NOT_CACHED
    prefix = wire.encode_json(extra)[:-1]

    def transform(result: bytes) -> bytes:
        rest = result.lstrip()
        if rest[:1] != b"{":
            raise wire.RpcError(wire.INTERNAL_ERROR, "the server's result is no object")
        body = rest[1:].lstrip()
        return prefix + (b"}" if body[:1] == b"}" else b"," + body)

    return transform


def legacy_params(params: bytes | None, client: dict[str, Any]) -> bytes:
    """A legacy client's params for a modern server; `client` is what the client said in `initialize`."""
    return wire.with_meta(
        params,
        {
            wire.META_VERSION: wire.LATEST_MODERN,
            wire.META_CLIENT_INFO: client.get("clientInfo") or {"name": "unknown", "version": "unknown"},
            # It could not answer an InputRequiredResult, so it declares nothing that would cause one.
            wire.META_CLIENT_CAPABILITIES: {},
        },
    )


def legacy_result(result: bytes) -> bytes:
    """A modern server's result for a legacy client. Members that it does not know do no harm.

    Raises:
        wire.RpcError: the server wants input first, which this client has no way to give.
    """
    if b'"input_required"' in result and wire.decode_json(result).get("resultType") == "input_required":
        raise wire.RpcError(
            wire.INTERNAL_ERROR,
            "the server asks for more input in a way that this client's protocol version does not have",
        )
    return result


def discover_result(hello: Hello, name: str) -> bytes:
    """The answer to `server/discover` for a server, whichever era it speaks itself."""
    if hello.raw.get("supportedVersions"):
        return wire.encode_json(hello.raw)
    modern = {key: value for key, value in hello.capabilities.items() if key not in {"experimental", "tasks"}}
    result: dict[str, Any] = {
        "resultType": "complete",
        "supportedVersions": sorted(wire.MODERN_VERSIONS),
        "capabilities": modern,
        **NOT_CACHED,
        "_meta": {"io.modelcontextprotocol/serverInfo": hello.server_info or {"name": name, "version": "unknown"}},
    }
    if hello.instructions:
        result["instructions"] = hello.instructions
    return wire.encode_json(result)


def initialize_result(hello: Hello, requested: str, name: str) -> bytes:
    """The answer to `initialize` for a shared server, whichever era it speaks itself."""
    result: dict[str, Any] = {
        "protocolVersion": requested if requested in wire.LEGACY_VERSIONS else wire.LATEST_LEGACY,
        "capabilities": hello.capabilities,
        "serverInfo": hello.server_info or {"name": name, "version": "unknown"},
    }
    if hello.instructions:
        result["instructions"] = hello.instructions
    return wire.encode_json(result)
