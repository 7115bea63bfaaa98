"""The door as plain HTTP sees it: who is let in, what is refused and how, sessions, logs, the catalog."""

import asyncio
import json

import httpx2
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.serve, pytest.mark.asyncio(loop_scope="module")]

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
MODERN = {"mcp_protocol_version": "2026-07-28"}


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def servers(fleet, odd_server):
    await fleet.apply(
        odd_server("minimal", name="shared", isolation="Shared"),
        odd_server("minimal", name="own"),
        {"name": "failed", "command": {"command": ["no-such-program", "<script>"]}},
    )
    await fleet.ready("shared", "own")
    await fleet.settled("failed")


def error_of(response: httpx2.Response) -> tuple[int, int]:
    return response.status_code, response.json()["error"]["code"]


# Who is let in


@pytest.mark.parametrize("path", ["/", "/mcp", "/servers/shared/mcp", "/-/fleet", "/-/logs/shared", "/nowhere"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": ""}, 421),
        ({"host": "[::1"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost.evil.example:80"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_a_caller_from_elsewhere_is_refused_everywhere(fleet, path, headers, status):
    for method in ("GET", "POST"):
        assert (await fleet.http.request(method, path, headers=headers)).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:1234"},
        {"host": "LOCALHOST"},
        {"origin": "http://localhost:6274"},
        {"origin": "https://127.0.0.1"},
    ],
)
async def test_a_caller_of_this_machine_is_let_in(fleet, headers):
    assert (await fleet.http.get("/-/healthz", headers=headers)).text == "ok\n"


# What is refused


async def test_a_body_beyond_the_limit_is_refused(fleet):
    assert (await fleet.post("shared", b" " * (4 * 1024 * 1024 + 1))).status_code == 413
    assert (await fleet.post("shared", json.dumps(LIST).encode() + b" " * (1024 * 1024))).status_code == 400


async def test_a_body_of_unknown_length_is_refused_at_the_limit(fleet):
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 100:
            sent += 1
            yield b" " * (1024 * 1024)

    try:
        response = await fleet.http.post(
            "/mcp", content=endless(), headers={"content-type": "application/json", "accept": "*/*"}
        )
        assert response.status_code == 413
    except (httpx2.WriteError, httpx2.ReadError, httpx2.RemoteProtocolError):
        pass  # hung up on while it was still writing
    assert sent < 100


async def test_a_method_that_no_endpoint_has_is_refused(fleet):
    for method in ("PUT", "PATCH", "OPTIONS", "HEAD"):
        response = await fleet.http.request(method, "/servers/shared/mcp")
        assert (response.status_code, response.headers["allow"]) == (405, "GET, POST, DELETE")


@pytest.mark.parametrize(
    "path", ["/nowhere", "/servers/nobody/mcp", "/servers/shared", "/-/logs/nobody", "/-/", "/servers//mcp"]
)
async def test_what_is_not_there_is_not_found(fleet, path):
    for method in ("GET", "POST"):
        response = await fleet.http.request(method, path)
        assert response.status_code == 404
        assert "GET / lists" in response.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", None])
async def test_a_body_that_is_not_said_to_be_json_is_refused(fleet, kind):
    assert (await fleet.post("shared", LIST, content_type=kind)).status_code == 415


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "text/html"])
async def test_a_client_that_cannot_take_both_kinds_of_answer_is_refused(fleet, accept):
    assert (await fleet.post("shared", LIST, accept=accept)).status_code == 406


@pytest.mark.parametrize("headers", [{}, MODERN], ids=["legacy", "modern"])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff", -32700),
        (b"null", -32600),
        (b"7", -32600),
        (b'"text"', -32600),
        (b"[]", -32600),
        (json.dumps([LIST, LIST]).encode(), -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}', -32600),
        (b'{"jsonrpc":"2.0","id":{"a":1},"method":"tools/list"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600),
        (b"[" * 5000, -32700),
    ],
)
async def test_a_body_that_is_no_message_is_refused(fleet, headers, body, code):
    response = await fleet.post("shared", body, **headers)
    assert error_of(response) in {(400, code), (400, -32600)}
    assert response.json()["id"] is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"mcp_method": "tools/call"}, (400, -32020)),
        ({"mcp_method": None}, (400, -32020)),
        ({"mcp_protocol_version": "2027-01-01"}, (400, -32020)),
    ],
)
async def test_headers_that_contradict_the_body_are_refused(fleet, headers, expected):
    assert error_of(await fleet.modern("shared", "tools/list", **headers)) == expected


@pytest.mark.parametrize("name", ["other", None, ""])
async def test_a_name_in_the_headers_must_be_the_one_in_the_body(fleet, name):
    response = await fleet.modern("shared", "tools/call", {"name": "whoami", "arguments": {}}, mcp_name=name)
    assert error_of(response) == (400, -32020)


async def test_a_header_with_a_name_beyond_ascii_is_encoded(fleet):
    response = await fleet.modern(
        "shared", "tools/call", {"name": "ünknown", "arguments": {}}, mcp_name="=?base64?w7xua25vd24=?="
    )
    assert response.json()["error"]["code"] != -32020


async def test_a_version_that_nobody_speaks_is_answered_with_those_that_are_spoken(fleet):
    request = {
        **LIST,
        "params": {
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2099-01-01",
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        },
    }
    response = await fleet.post("shared", request, mcp_protocol_version="2099-01-01", mcp_method="tools/list")
    assert response.status_code == 400
    assert "2026-07-28" in response.json()["error"]["data"]["supported"]


async def test_initialize_is_unknown_to_the_modern_era(fleet):
    assert error_of(await fleet.modern("shared", "initialize")) == (404, -32601)


async def test_a_modern_method_that_the_server_does_not_know_is_404(fleet):
    assert error_of(await fleet.modern("shared", "vendor/thing")) == (404, -32601)
    assert error_of(await fleet.modern("", "vendor/thing")) == (404, -32601)


async def test_a_modern_notification_is_accepted(fleet):
    body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert (await fleet.post("shared", body, **MODERN)).status_code == 202


BODY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | BODY,
        "id": st.integers() | st.text(max_size=5) | BODY,
        "method": st.sampled_from(
            [
                "tools/list",
                "tools/call",
                "resources/read",
                "prompts/get",
                "completion/complete",
                "server/discover",
                "logging/setLevel",
                "notifications/cancelled",
                "resources/subscribe",
                "initialize",
                "ping",
            ]
        )
        | BODY,
        "params": st.fixed_dictionaries(
            {},
            optional={
                "name": BODY,
                "uri": BODY,
                "ref": BODY,
                "cursor": BODY,
                "requestId": BODY,
                "_meta": BODY,
                "arguments": BODY,
                "protocolVersion": BODY,
                "clientInfo": BODY,
            },
        )
        | BODY,
        "result": BODY,
        "error": BODY,
    },
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MESSAGE, st.sampled_from(["shared", ""]), st.sampled_from(["modern", "legacy", "session"]))
async def test_no_message_is_too_strange_to_be_answered(fleet, message, server, era):
    headers = {
        "modern": {**MODERN, "mcp_method": str(message.get("method")).encode("ascii", "replace").decode()}
    }.get(era, {})
    if era == "session":
        headers = {"mcp_session_id": await fleet.initialize(server)}
    response = await asyncio.wait_for(fleet.post(server, message, **headers), 10)
    assert response.status_code in {200, 202, 400, 404}
    assert (await fleet.report("shared")).restarts == 0


# Sessions


async def test_a_legacy_request_without_a_session_is_refused(fleet):
    response = await fleet.post("shared", LIST)
    assert response.status_code == 400
    assert "Mcp-Session-Id" in response.json()["error"]["message"]


async def test_an_unknown_session_is_not_found(fleet):
    assert (await fleet.post("shared", LIST, mcp_session_id="guess")).status_code == 404


@pytest.mark.parametrize("server", ["shared", "own", ""])
async def test_a_session_is_its_callers_alone(fleet, server):
    mine, yours = "Bearer mine", "Bearer yours"
    session = await fleet.initialize(server, authorization=mine)
    for method in ("POST", "GET", "DELETE"):
        for authorization in (yours, None):
            headers = {"mcp-session-id": session, "accept": "application/json, text/event-stream"}
            headers |= {"authorization": authorization} if authorization else {}
            response = await fleet.http.request(method, fleet.path(server), json=LIST, headers=headers)
            assert response.status_code == 404
    assert (await fleet.post(server, LIST, mcp_session_id=session, authorization=mine)).status_code == 200


async def test_a_session_of_one_server_is_none_of_anothers(fleet):
    session = await fleet.initialize("shared")
    assert (await fleet.post("own", LIST, mcp_session_id=session)).status_code == 404


async def test_a_session_that_was_ended_is_not_found(fleet):
    session = await fleet.initialize("own")
    headers = {"mcp-session-id": session}
    assert (await fleet.http.delete(fleet.path("own"), headers=headers)).status_code == 200
    assert (await fleet.post("own", LIST, mcp_session_id=session)).status_code == 404
    assert (await fleet.http.delete(fleet.path("own"), headers=headers)).status_code == 404


async def test_a_session_whose_child_died_is_not_found_and_a_new_one_works(fleet):
    session = await fleet.initialize("own")
    die = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "die", "arguments": {}}}
    answer = (await fleet.post("own", die, mcp_session_id=session)).json()
    assert answer["error"]["data"]["reason"] == "ChildExited"
    assert "something broke inside" in answer["error"]["message"]
    assert (await fleet.post("own", LIST, mcp_session_id=session)).status_code == 404
    again = await fleet.initialize("own")
    assert (await fleet.post("own", LIST, mcp_session_id=again)).json()["result"]["tools"]


async def test_initialize_takes_no_session(fleet):
    session = await fleet.initialize("shared")
    request = {**LIST, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}}}
    assert (await fleet.post("shared", request, mcp_session_id=session)).status_code == 400


async def test_initialize_without_a_version_is_refused(fleet):
    assert error_of(await fleet.post("shared", {**LIST, "method": "initialize", "params": {}})) == (400, -32602)


async def test_the_get_stream_is_for_sessions_of_the_legacy_era(fleet):
    path, stream = fleet.path("shared"), {"accept": "text/event-stream"}
    assert (await fleet.http.get(path, headers={"accept": "application/json"})).status_code == 406
    assert (await fleet.http.get(path, headers=stream)).status_code == 400
    assert (
        await fleet.http.get(path, headers={**stream, "mcp-protocol-version": "2026-07-28"})
    ).status_code == 405
    assert (await fleet.http.get(path, headers={**stream, "mcp-session-id": "guess"})).status_code == 404


async def test_a_stream_that_is_dropped_can_be_opened_again(fleet):
    session = await fleet.initialize("own")
    headers = {"accept": "text/event-stream", "mcp-session-id": session}
    for name in ("one", "two"):
        async with asyncio.timeout(10):
            while True:
                async with fleet.http.stream("GET", fleet.path("own"), headers=headers) as response:
                    if response.status_code == 409:  # the end of the last one is not noticed yet
                        await asyncio.sleep(0.02)
                        continue
                    grow = {
                        "jsonrpc": "2.0",
                        "id": 2,
                        "method": "tools/call",
                        "params": {"name": "grow", "arguments": {"name": name}},
                    }
                    await fleet.post("own", grow, mcp_session_id=session)
                    async for line in response.aiter_lines():
                        if line.startswith("data: "):
                            assert json.loads(line[6:])["method"] == "notifications/tools/list_changed"
                            break
                    break


async def drain(lines) -> None:
    async for _ in lines:
        continue


# What the site shows


async def test_the_catalog_is_json_for_programs(fleet):
    assert (await fleet.http.get("/")).json() == {
        "fleet": "test",
        "endpoint": "/mcp",
        "servers": [
            {
                "name": report.name,
                "endpoint": f"/servers/{report.name}/mcp",
                "state": report.state.value,
                "tools": report.tools,
                "source": report.source,
            }
            for report in [await fleet.report(name) for name in ("shared", "own", "failed")]
        ],
    }


async def test_the_catalog_is_a_page_for_people_and_nothing_in_it_is_markup(fleet):
    response = await fleet.http.get("/", headers={"accept": "text/html,*/*"})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "<td>shared</td><td>Ready</td>" in response.text
    assert "/servers/own/mcp" in response.text
    assert "no-such-program" in response.text
    assert "<script>" not in response.text


async def test_the_report_says_whose_it_is(fleet):
    report = (await fleet.http.get("/-/fleet")).json()
    assert (report["fleet"], report["replica"], report["endpoint"]) == ("test", "local", "/mcp")
    assert [server["name"] for server in report["servers"]] == ["shared", "own", "failed"]


async def test_the_last_lines_of_a_log_are_shown(fleet):
    for number in range(5):
        await fleet.call("shared", "complain", text=f"line {number}")
    await fleet.logged("shared", "line 4")
    assert await fleet.logs("shared", tail="2") == ["line 3", "line 4"]
    assert await fleet.logs("shared", tail="0") == []


@pytest.mark.parametrize("tail", ["x", "-1", "", "²", "9" * 5000])
async def test_a_tail_that_is_no_number_is_taken_for_none(fleet, tail):
    assert (await fleet.http.get("/-/logs/shared", params={"tail": tail})).status_code == 200


async def test_a_log_is_followed_until_the_client_leaves(fleet):
    log = fleet.host.log("shared")
    await fleet.call("shared", "complain", text="before")
    await fleet.logged("shared", "before")
    query = {"follow": "1", "tail": "1"}
    async with fleet.http.stream("GET", "/-/logs/shared", params=query) as response:
        lines = response.aiter_lines()
        assert await asyncio.wait_for(anext(lines), 10) == "before"
        await fleet.call("shared", "complain", text="after")
        assert await asyncio.wait_for(anext(lines), 10) == "after"
        assert len(log._followers) == 1
    async with asyncio.timeout(10):
        while log._followers:
            await asyncio.sleep(0.02)


async def test_following_ends_when_the_server_is_taken_away(fleet, odd_server):
    before = [endpoint.server.spec for endpoint in fleet.host._endpoints.values()]
    specs = [spec.manifest() for spec in before]
    await fleet.apply(*specs, odd_server("minimal", name="passing"))
    await fleet.ready("passing")
    async with fleet.http.stream("GET", "/-/logs/passing", params={"follow": "1"}) as response:
        lines = response.aiter_lines()
        await asyncio.wait_for(anext(lines), 10)
        await fleet.apply(*specs)
        await asyncio.wait_for(drain(lines), 10)
