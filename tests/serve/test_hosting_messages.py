"""What passes between a client and its server besides answers, and who hears it."""

import asyncio
import json
from contextlib import suppress

import pytest
import pytest_asyncio
from mcp import MCPError
from mcp.types import CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent

pytestmark = [pytest.mark.serve, pytest.mark.asyncio(loop_scope="module")]

MODES = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def servers(fleet, odd_server):
    await fleet.apply(
        odd_server("minimal", name="own"),
        odd_server("minimal", name="shared", isolation="Shared"),
        odd_server("minimal", name="principals", isolation="PerPrincipal"),
        odd_server("slow_lists", isolation="Shared"),
        {
            "name": "everything",
            "npm": {"package": "@modelcontextprotocol/server-everything", "version": "2026.8.31"},
        },
        {"name": "remote", "remote": {"url": f"{fleet.url}/servers/own/mcp"}},
    )
    await fleet.ready("own", "shared", "principals", "slow-lists", "everything")
    await fleet.until("remote", lambda report: report.state == "Ready")


def text_of(result) -> str:
    assert not result.is_error, result
    return result.content[0].text


async def eventually(condition, seconds: float = 10):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


# Progress and logs


@MODES
@pytest.mark.parametrize("server", ["own", "shared", ""])
async def test_progress_reaches_the_call_that_it_is_about(fleet, mode, server):
    tool = "report" if server else "shared__report"

    async def call(client, name: str) -> list[tuple]:
        seen = []

        async def on_progress(progress, total, message):
            seen.append((progress, message))

        await client.call_tool(tool, {"name": name, "steps": 5, "pause": 0.02}, progress_callback=on_progress)
        return seen

    async with fleet.client(server, mode) as one, fleet.client(server, mode) as other:
        seen = await asyncio.gather(call(one, "a"), call(one, "b"), call(other, "c"))
    assert seen == [[(step, name) for step in range(5)] for name in "abc"]


@pytest.mark.parametrize("token", ["text", 7, "9", 2**40])
async def test_a_progress_token_comes_back_as_the_client_wrote_it(fleet, token):
    session = await fleet.initialize("shared")
    params = {"name": "report", "arguments": {"name": "a", "steps": 1}, "_meta": {"progressToken": token}}
    request = {"jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": params}
    response = await fleet.post("shared", request, mcp_session_id=session)
    messages = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    tokens = [
        message["params"]["progressToken"]
        for message in messages
        if message.get("method", "").endswith("progress")
    ]
    assert tokens == [token]
    assert messages[-1]["id"] == "x"


async def test_the_server_never_sees_a_token_that_its_client_did_not_give(fleet):
    assert json.loads(await fleet.call("shared", "report", name="a", steps=0)).get("progressToken") is None


@pytest.mark.filterwarnings("ignore:The logging capability is deprecated")
@pytest.mark.parametrize("server", ["own", "everything", ""])
async def test_log_messages_reach_the_session_they_belong_to(fleet, server):
    heard = {"one": [], "other": []}

    def listener(name):
        async def on_log(params):
            heard[name].append(params.data)

        return on_log

    tool = {"own": "report", "everything": "trigger-long-running-operation", "": "own__report"}[server]
    arguments = {"name": "mine", "steps": 3, "duration": 0.1}
    async with (
        fleet.client(server, "legacy", logging_callback=listener("one")) as one,
        fleet.client(server, "legacy", logging_callback=listener("other")) as other,
    ):
        await one.set_logging_level("debug")
        await other.set_logging_level("debug")
        await other.list_tools()
        await one.call_tool(tool, arguments)
        if server != "everything":
            await eventually(lambda: heard["one"])
            assert heard["one"] == ["mine 0", "mine 1", "mine 2"]
        assert heard["other"] == []


@pytest.mark.parametrize("server", ["shared", "principals"])
async def test_what_one_clients_call_logs_on_a_shared_server_reaches_no_other_client(fleet, server):
    heard = {"one": [], "other": []}

    def listener(name):
        async def on_log(params):
            heard[name].append(params.data)

        return on_log

    one_key, other_key = ({"authorization": f"Bearer {key}"} for key in ("one", "other"))
    async with (
        fleet.client(server, "legacy", one_key, logging_callback=listener("one")) as one,
        fleet.client(server, "legacy", other_key, logging_callback=listener("other")) as other,
    ):
        await other.call_tool("whoami")
        # Alone, then beside another call of its own: then nobody can say which of the two it belongs to.
        await one.call_tool("report", {"name": "secret", "steps": 3})
        await asyncio.gather(
            one.call_tool("report", {"name": "secret", "steps": 5, "pause": 0.05}),
            one.call_tool("wait", {"seconds": 0.4, "name": "beside"}),
        )
        await asyncio.sleep(0.2)
    assert heard["one"][:3] == ["secret 0", "secret 1", "secret 2"]
    assert heard["other"] == []


# Cancelling


@MODES
@pytest.mark.parametrize("server", ["own", "shared", "remote", ""])
async def test_a_cancelled_call_is_cancelled_at_the_server(fleet, mode, server):
    name = f"{server or 'all'}-{mode}"
    tool = "wait" if server else "shared__wait"
    logs = {"": "shared", "remote": "own"}.get(server, server)
    async with fleet.client(server, mode) as client:
        call = asyncio.create_task(client.call_tool(tool, {"name": name}))
        await fleet.logged(logs, f"call {name} waits")
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
        await fleet.logged(logs, f"call {name} was cancelled")
        # The connection goes on.
        assert (await client.list_tools()).tools


async def test_a_session_cancels_by_its_own_request_id(fleet):
    session = await fleet.initialize("own")
    params = {"name": "wait", "arguments": {"name": "by-id"}}
    request = {"jsonrpc": "2.0", "id": "call-7", "method": "tools/call", "params": params}
    waiting = asyncio.create_task(fleet.post("own", request, mcp_session_id=session))
    await fleet.logged("own", "call by-id waits")
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "call-7"}}
    assert (await fleet.post("own", cancel, mcp_session_id=session)).status_code == 202
    response = await asyncio.wait_for(waiting, 10)
    assert "call-7" not in response.text
    await fleet.logged("own", "call by-id was cancelled")


async def test_one_client_cannot_cancel_anothers_call(fleet):
    one, other = await fleet.initialize("shared"), await fleet.initialize("shared")
    params = {"name": "wait", "arguments": {"name": "safe", "seconds": 0.6}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    waiting = asyncio.create_task(fleet.post("shared", request, mcp_session_id=one))
    await fleet.logged("shared", "call safe waits")
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    await fleet.post("shared", cancel, mcp_session_id=other)
    assert "waited" in (await waiting).text


# The server asks


async def sample(context, params):
    return CreateMessageResult(
        role="assistant",
        content=TextContent(type="text", text=f"about {params.messages[0].content.text}"),
        model="m",
    )


async def elicit(context, params):
    return ElicitResult(action="accept", content={"answer": params.message.upper()})


async def roots(context):
    return ListRootsResult(roots=[Root(uri="file:///of-this-client")])


ASKING = {"sampling_callback": sample, "elicitation_callback": elicit, "list_roots_callback": roots}
MESSAGES = [{"role": "user", "content": {"type": "text", "text": "rain"}}]


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("sampling/createMessage", {"messages": MESSAGES, "maxTokens": 10}, "about rain"),
        ("elicitation/create", {"message": "why", "requestedSchema": {"type": "object", "properties": {}}}, "WHY"),
        ("roots/list", {}, "file:///of-this-client"),
        ("ping", {}, '"result": {}'),
    ],
)
@pytest.mark.parametrize("server", ["own", ""])
async def test_a_server_asks_its_own_sessions_client(fleet, server, method, params, expected):
    tool = "ask_client" if server else "own__ask_client"
    async with fleet.client(server, "legacy", **ASKING) as client:
        assert expected in text_of(await client.call_tool(tool, {"method": method, "params": params}))


async def test_the_reference_server_samples_and_elicits_through_its_session(fleet):
    async with fleet.client("everything", "legacy", **ASKING) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"trigger-sampling-request", "trigger-elicitation-request", "get-roots-list"} <= names
        sampled = await client.call_tool("trigger-sampling-request", {"prompt": "snow", "maxTokens": 5})
        assert "about" in text_of(sampled)
        assert "snow" in text_of(sampled)


async def test_each_client_is_asked_for_its_own_roots(fleet):
    def of(name):
        async def answer(context):
            return ListRootsResult(roots=[Root(uri=f"file:///{name}")])

        return answer

    async with (
        fleet.client("own", "legacy", list_roots_callback=of("a")) as one,
        fleet.client("own", "legacy", list_roots_callback=of("b")) as other,
    ):
        answers = await asyncio.gather(
            *(client.call_tool("ask_client", {"method": "roots/list"}) for client in (one, other))
        )
    assert ["file:///a" in text_of(answers[0]), "file:///b" in text_of(answers[1])] == [True, True]


@pytest.mark.parametrize(
    ("server", "mode"), [("shared", "legacy"), ("shared", "2026-07-28"), ("own", "2026-07-28")]
)
async def test_a_question_that_no_client_can_get_is_answered_with_an_error(fleet, server, mode):
    async with fleet.client(server, mode) as client:
        call = client.call_tool("ask_client", {"method": "roots/list"})
        answer = json.loads(text_of(await asyncio.wait_for(call, 10)))
    assert answer["error"]["code"] == -32601
    assert "isolation: PerSession" in answer["error"]["message"]


# Lists that change


async def test_a_legacy_client_hears_that_the_tools_have_changed(fleet):
    heard = []

    async def on_message(message):
        heard.append(getattr(message, "method", None))

    async with fleet.client("own", "legacy", message_handler=on_message) as client:
        before = {tool.name for tool in (await client.list_tools()).tools}
        await client.call_tool("grow", {"name": "sprout"})
        await eventually(lambda: "notifications/tools/list_changed" in heard)
        assert {tool.name for tool in (await client.list_tools()).tools} - before == {"sprout"}


@MODES
@pytest.mark.parametrize("server", ["shared", ""])
async def test_a_change_of_a_shared_servers_tools_reaches_all_who_listen(fleet, mode, server):
    heard, tool = [], f"sprout-{mode[:4]}-{server}"

    async def on_message(message):
        heard.append(getattr(message, "method", None))

    prefix = "" if server else "shared__"
    async with fleet.client(server, mode, message_handler=on_message) as client:
        if mode == "legacy":
            await asyncio.sleep(0.3)  # its GET stream opens beside the handshake
            await fleet.call("shared", "grow", name=tool)
            await eventually(lambda: "notifications/tools/list_changed" in heard)
        else:
            async with client.listen(tools_list_changed=True) as changes:
                await fleet.call("shared", "grow", name=tool)
                await asyncio.wait_for(anext(aiter(changes)), 10)
        listed = {entry.name for entry in (await client.list_tools()).tools}
        assert prefix + tool in listed
        assert text_of(await client.call_tool(prefix + tool)) == "grown"


async def test_a_list_that_changes_while_it_is_read_is_read_again(fleet):
    before = (await fleet.report("slow-lists")).tools
    await fleet.call("slow-lists", "grow", name="first")
    await asyncio.sleep(0.3)
    await fleet.call("slow-lists", "grow", name="second")
    await fleet.until("slow-lists", lambda report: report.tools == before + 2, 10)


# All else passes as it is


@MODES
async def test_an_error_keeps_its_code_message_and_data(fleet, mode):
    async with fleet.client("shared", mode) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("fail")
    error = raised.value.error
    assert (error.code, error.message, error.data) == (-32042, "not today", {"until": "tomorrow"})


async def test_members_that_no_specification_knows_pass(fleet):
    result = (await fleet.modern("shared", "tools/call", {"name": "odd", "arguments": {}})).json()["result"]
    assert result["x-unknown"] == {"deep": [1, None, "ü"]}
    assert result["structuredContent"] == {"big": 2**60}


async def test_a_method_that_nobody_knows_is_the_servers_to_refuse(fleet):
    response = await fleet.modern("shared", "vendor/thing")
    assert response.json()["error"] == {
        "code": -32601,
        "message": "Method not found",
        "data": {"method": "vendor/thing"},
    }


async def test_what_the_modern_era_removed_never_reaches_a_legacy_server(fleet):
    before = await fleet.call("shared", "hears")
    for method, params in (
        ("logging/setLevel", {"level": "debug"}),
        ("resources/subscribe", {"uri": "x://"}),
        ("ping", {}),
    ):
        response = await fleet.modern("shared", method, params)
        assert (response.status_code, response.json()["error"]["code"]) == (404, -32601)
    assert await fleet.call("shared", "hears") == before


@pytest.mark.parametrize("request_id", [0, -1, 2**53, 2**62, "x", "", "ü\n"])
async def test_any_request_id_comes_back_as_it_was(fleet, request_id):
    session = await fleet.initialize("everything")
    request = {"jsonrpc": "2.0", "id": request_id, "method": "tools/list"}
    response = await fleet.post("everything", request, mcp_session_id=session)
    assert response.json()["id"] == request_id
    assert response.json()["result"]["tools"]


async def test_a_second_answer_and_garbage_on_stdout_disturb_nobody(fleet):
    assert await fleet.call("shared", "answer_twice") == "first"
    assert await fleet.call("shared", "garbage") == "done"
    assert await fleet.call("shared", "variable", name="NOTHING") == "<none>"
    assert "[stdout] Listening..." in await fleet.logs("shared")


async def test_a_flood_on_stderr_is_drained_and_its_end_kept(fleet):
    assert await asyncio.wait_for(fleet.call("shared", "flood", lines=20_000), 30) == "done"
    async with asyncio.timeout(10):
        while not (await fleet.logs("shared"))[-1].startswith("line 19999 "):
            await asyncio.sleep(0.05)
    assert len(await fleet.logs("shared", tail="5000")) == 1000
