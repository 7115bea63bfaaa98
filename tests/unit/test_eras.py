"""Where a client and a server of different protocol eras meet."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import DiscoverResult, InitializeResult, ListToolsResult
from mcp_types.methods import CLIENT_REQUESTS

from mcpfleet_serve import eras, wire
from mcpfleet_serve.handshake import Era, Hello

LEGACY = Hello(
    era=Era.LEGACY,
    versions=("2025-11-25",),
    capabilities={"tools": {"listChanged": True}, "tasks": {}, "experimental": {"x": {}}},
    server_info={"name": "everything", "version": "2"},
    instructions="Be kind.",
    raw={"protocolVersion": "2025-11-25"},
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5), st.sampled_from(["", " ", "\t "]))
def test_a_legacy_result_becomes_modern_with_all_that_it_held(result, space):
    made = json.loads(eras.modern_result("tools/call")((space + json.dumps(result)).encode()))
    assert made == {"resultType": "complete", **result}


def test_a_translated_list_is_one_that_the_sdk_reads_and_does_not_cache():
    listed = eras.modern_result("tools/list")(b'{"tools":[]}')
    assert json.loads(listed) == {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": []}
    assert ListToolsResult.model_validate_json(listed).tools == []


@pytest.mark.parametrize("result", [b"[]", b"null", b'"text"', b""])
def test_a_result_that_is_no_object_is_the_servers_error(result):
    with pytest.raises(wire.RpcError, match="no object"):
        eras.modern_result("tools/call")(result)


def test_a_legacy_server_is_discovered_without_what_the_modern_era_lacks():
    discovered = json.loads(eras.discover_result(LEGACY, "name"))
    assert DiscoverResult.model_validate(discovered).supported_versions == ["2026-07-28"]
    assert discovered["capabilities"] == {"tools": {"listChanged": True}}
    assert discovered["instructions"] == "Be kind."
    assert discovered["_meta"]["io.modelcontextprotocol/serverInfo"] == LEGACY.server_info


def test_what_a_modern_server_said_of_itself_is_passed_on_whole():
    raw = {"supportedVersions": ["2026-07-28"], "capabilities": {}, "anything": 1}
    hello = Hello(Era.MODERN, ("2026-07-28",), {}, {}, None, raw)
    assert json.loads(eras.discover_result(hello, "name")) == raw


@pytest.mark.parametrize(
    ("requested", "agreed"),
    [
        ("2024-11-05", "2024-11-05"),
        ("2025-06-18", "2025-06-18"),
        ("2026-07-28", "2025-11-25"),
        ("x", "2025-11-25"),
    ],
)
def test_initialize_agrees_on_a_legacy_version(requested, agreed):
    result = InitializeResult.model_validate_json(eras.initialize_result(LEGACY, requested, "name"))
    assert (result.protocol_version, result.server_info.name) == (agreed, "everything")


def test_a_legacy_client_declares_no_capability_to_a_modern_server():
    client = {"clientInfo": {"name": "c", "version": "1"}, "capabilities": {"elicitation": {}}}
    params = json.loads(eras.legacy_params(b'{"name":"t","_meta":{"progressToken":7}}', client))
    assert params == {
        "name": "t",
        "_meta": {
            "progressToken": 7,
            wire.META_VERSION: "2026-07-28",
            wire.META_CLIENT_INFO: {"name": "c", "version": "1"},
            wire.META_CLIENT_CAPABILITIES: {},
        },
    }


def test_a_request_for_input_is_an_error_to_a_client_that_cannot_give_it():
    with pytest.raises(wire.RpcError, match="more input"):
        eras.legacy_result(b'{"resultType":"input_required","inputRequests":{}}')


def test_text_that_speaks_of_input_required_is_just_text():
    result = b'{"content":[{"type":"text","text":"\\"input_required\\""}]}'
    assert eras.legacy_result(result) == result


def test_what_the_modern_era_removed_is_what_the_official_sdk_says():
    of = {
        version: {method for method, since in CLIENT_REQUESTS if since == version}
        for version in ("2025-11-25", "2026-07-28")
    }
    assert of["2025-11-25"] - of["2026-07-28"] == eras.REMOVED
