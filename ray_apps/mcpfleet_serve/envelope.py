"""The envelope of a modern request: what its headers and `_meta` must say (MCP 2026-07-28, basic and transports).

A request that is fine at first sight passes without a model being built; for the rest the SDK finds the words.
"""

import msgspec
from mcp.shared import inbound
from msgspec import UNSET

from mcpfleet_serve import wire
from mcpfleet_serve.request import Request


def plain_string(raw: bytes) -> str:
    """A JSON string's value, empty if it is none."""
    if b"\\" not in raw:
        return raw[1:-1].decode()
    value = wire.decode_json(raw)
    return value if isinstance(value, str) else ""


def is_request_id(raw: bytes) -> bool:
    return raw[:1] == b'"' or raw.lstrip(b"-").isdigit()


def is_well_formed(request: Request, method: str, params: bytes | None) -> bool:
    """Whether a modern request passes all checks of its envelope at first sight; `classify` looks again."""
    if params is None or request.has_repeated_headers:
        return False
    try:
        known = wire.decode_params(params)
    except msgspec.DecodeError:
        return False
    meta = known.meta
    if meta is UNSET or meta.client_capabilities is UNSET or meta.protocol_version not in wire.MODERN_VERSIONS:
        return False
    if meta.protocol_version != request.header(b"mcp-protocol-version") or request.header(b"mcp-method") != method:
        return False
    named = known.uri if method == "resources/read" else known.name
    if method not in inbound.NAME_BEARING_METHODS or named is UNSET:
        return True
    return bytes(named) == b'"' + request.header(b"mcp-name").encode() + b'"'


def classify(request: Request, body: bytes) -> wire.RpcError | None:
    """Why a modern request is refused, in the words of the official SDK; None if it is fine after all."""
    headers = request.all_headers()
    repeated = inbound.find_duplicated_routing_header(headers)
    if repeated is not None:
        return wire.RpcError(wire.HEADER_MISMATCH, f"{repeated} header appears more than once")
    verdict = inbound.classify_inbound_request(wire.decode_json(body), headers=dict(headers))
    if isinstance(verdict, inbound.InboundLadderRejection):
        return wire.RpcError(verdict.code, verdict.message, verdict.data)
    return None
