"""JSON-RPC as bytes: decode only the envelope, keep params, result and error as they came.

The source of the message shapes is JSON-RPC 2.0 and the MCP specification, 2024-11-05 to 2026-07-28.
"""

from typing import Any, Final

import msgspec
from mcp_types import version as protocol
from msgspec import UNSET, Raw, UnsetType

LEGACY_VERSIONS: Final = frozenset(protocol.HANDSHAKE_PROTOCOL_VERSIONS)
MODERN_VERSIONS: Final = frozenset(protocol.MODERN_PROTOCOL_VERSIONS)
LATEST_LEGACY: Final = protocol.LATEST_HANDSHAKE_VERSION
LATEST_MODERN: Final = protocol.LATEST_MODERN_VERSION

META_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
META_CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
META_CLIENT_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
META_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
# In the band that JSON-RPC leaves to implementations: the server behind the endpoint cannot answer now.
SERVER_UNAVAILABLE: Final = -32010


class Message(msgspec.Struct):
    """Any JSON-RPC message; what it is follows from the members that are set."""

    jsonrpc: str | UnsetType = UNSET
    id: Raw | UnsetType = UNSET
    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


class Meta(msgspec.Struct):
    """The members of `params._meta` that the relay acts on."""

    protocol_version: str | UnsetType = msgspec.field(name=META_VERSION, default=UNSET)
    client_capabilities: Raw | UnsetType = msgspec.field(name=META_CLIENT_CAPABILITIES, default=UNSET)
    progress_token: Raw | UnsetType = msgspec.field(name="progressToken", default=UNSET)
    subscription: Raw | UnsetType = msgspec.field(name=META_SUBSCRIPTION, default=UNSET)


class Params(msgspec.Struct):
    """The members of `params` that the relay acts on."""

    meta: Meta | UnsetType = msgspec.field(name="_meta", default=UNSET)
    name: Raw | UnsetType = UNSET
    uri: Raw | UnsetType = UNSET
    progress_token: Raw | UnsetType = msgspec.field(name="progressToken", default=UNSET)
    request_id: Raw | UnsetType = msgspec.field(name="requestId", default=UNSET)


decode_message: Final = msgspec.json.Decoder(Message).decode
decode_params: Final = msgspec.json.Decoder(Params).decode
decode_json: Final = msgspec.json.Decoder().decode
encode_json: Final = msgspec.json.Encoder().encode

EMPTY_OBJECT: Final = b"{}"


class RpcError(Exception):
    """An answer that is an error, whoever found it.

    Attributes:
        code: JSON-RPC error code.
        data: More for a program, or None.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def encode(self) -> bytes:
        """The `error` member of a response."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return encode_json(error)


def request(request_id: bytes, method: str, params: bytes | None) -> bytes:
    """A request, or with an empty id a notification."""
    head = b'{"jsonrpc":"2.0",' + (b'"id":' + request_id + b"," if request_id else b"")
    tail = b',"params":' + params + b"}" if params is not None else b"}"
    return head + b'"method":' + encode_json(method) + tail


def notification(method: str, params: bytes | None) -> bytes:
    return request(b"", method, params)


def response(request_id: bytes, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":' + request_id + b',"result":' + result + b"}"


def error_response(request_id: bytes, error: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":' + request_id + b',"error":' + error + b"}"


def with_members(raw: bytes, members: dict[str, Any]) -> bytes:
    """The JSON object `raw` with `members` set; members that it has already are replaced."""
    value = decode_json(raw)
    return encode_json({**value, **members}) if isinstance(value, dict) else raw


def with_meta(raw: bytes | None, meta: dict[str, Any]) -> bytes:
    """The params `raw` with the members of `meta` set in their `_meta`."""
    params = decode_json(raw) if raw else {}
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "params must be an object")
    old = params.get("_meta")
    return encode_json({**params, "_meta": {**(old if isinstance(old, dict) else {}), **meta}})
