"""Who shares a running instance of a server with whom, told by process ids."""

import asyncio
import json
import time
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from mcpfleet_serve.streamable import SESSION_IDLE_SECONDS

pytestmark = [pytest.mark.serve, pytest.mark.asyncio(loop_scope="module")]

ONE, OTHER = {"authorization": "Bearer one"}, {"authorization": "Bearer other"}
ERAS = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def servers(fleet, odd_server):
    await fleet.apply(
        odd_server("minimal", name="shared", isolation="Shared"),
        odd_server("minimal", name="sessions"),
        odd_server("minimal", name="principals", isolation="PerPrincipal"),
        {
            "name": "time",
            "pypi": {"package": "mcp-server-time", "version": "2026.10.19"},
            "isolation": "Shared",
        },
        {"name": "memory", "npm": {"package": "@modelcontextprotocol/server-everything", "version": "2026.8.31"}},
        {
            "name": "remote",
            "remote": {
                "url": f"{fleet.url}/servers/principals/mcp",
                "headersFrom": [{"name": "Authorization", "value": "Bearer of-the-fleet"}],
            },
            "isolation": "Shared",
        },
    )
    await fleet.ready("shared", "sessions", "principals", "time")
    await fleet.until("remote", lambda report: report.state == "Ready")


async def pid_of(client, tool: str = "whoami") -> int:
    return json.loads((await client.call_tool(tool)).content[0].text)["pid"]


async def pids(fleet, server: str, mode: str, *headers: dict | None, tool: str = "whoami") -> list[int]:
    """The process that answers each of these clients, all of them connected at once."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(fleet.client(server, mode, each)) for each in headers]
        first = [await pid_of(client, tool) for client in clients]
        again = [await pid_of(client, tool) for client in clients]
    assert again == first
    return first


@ERAS
async def test_all_clients_share_the_one_instance_of_a_shared_server(fleet, mode):
    seen = set(await pids(fleet, "shared", mode, None, None, ONE, OTHER))
    assert tuple(seen) == (await fleet.report("shared")).children


async def test_each_legacy_session_has_an_instance_of_its_own(fleet):
    (first,) = (await fleet.report("sessions")).children
    seen = await pids(fleet, "sessions", "legacy", None, None, ONE, ONE)
    assert len({first, *seen}) == 5


async def test_modern_clients_have_no_session_and_share_the_first_instance(fleet):
    (first,) = (await fleet.report("sessions")).children
    assert set(await pids(fleet, "sessions", "2026-07-28", None, ONE)) == {first}


async def test_an_instance_ends_with_its_session(fleet, gone):
    async with fleet.client("sessions", "legacy") as client:
        pid = await pid_of(client)
        report = await fleet.report("sessions")
        assert (report.sessions, pid in report.children) == (1, True)
    assert await gone(pid)
    report = await fleet.until("sessions", lambda report: report.sessions == 0)
    assert len(report.children) == 1


async def test_a_session_that_nobody_uses_ends_with_its_instance(fleet, gone):
    app = fleet.host.apps["sessions"]
    idle, streaming = await fleet.initialize("sessions"), await fleet.initialize("sessions")
    report = await fleet.report("sessions")
    headers = {"accept": "text/event-stream", "mcp-session-id": streaming}
    async with fleet.http.stream("GET", fleet.path("sessions"), headers=headers):
        app.end_idle(time.monotonic() + SESSION_IDLE_SECONDS - 60)
        assert set(app.sessions) >= {idle, streaming}
        app.end_idle(time.monotonic() + SESSION_IDLE_SECONDS + 1)
        assert set(app.sessions) == {streaming}
        left = await fleet.until("sessions", lambda report: report.sessions == 1, 10)
    (ended,) = set(report.children) - set(left.children)
    assert await gone(ended)
    await fleet.http.delete(fleet.path("sessions"), headers={"mcp-session-id": streaming})
    await fleet.until("sessions", lambda report: len(report.children) == 1, 10)


async def test_the_client_shakes_hands_with_its_own_instance(fleet):
    async with fleet.client("sessions", "legacy") as client:
        answer = json.loads((await client.call_tool("whoami")).content[0].text)
        assert answer["client"] == "mcp"
        heard = json.loads((await client.call_tool("hears")).content[0].text)
    assert heard == ["notifications/initialized"]


@ERAS
async def test_each_credential_has_an_instance_of_its_own(fleet, mode):
    one, again, other, none = await pids(fleet, "principals", mode, ONE, ONE, OTHER, None)
    assert one == again
    assert len({one, other, none}) == 3


async def test_a_credential_has_the_same_instance_in_both_eras(fleet):
    # The server speaks only one of them, so that a second instance would have nothing to add.
    assert await pids(fleet, "principals", "legacy", ONE) == await pids(fleet, "principals", "2026-07-28", ONE)


async def test_many_first_calls_of_one_credential_start_one_instance(fleet):
    before = set((await fleet.report("principals")).children)
    headers = {"authorization": "Bearer many"}
    answers = await asyncio.gather(*(fleet.call("principals", "whoami", headers) for _ in range(20)))
    assert len(set(answers)) == 1
    assert len(set((await fleet.report("principals")).children) - before) == 1


async def test_a_server_that_speaks_both_eras_has_one_instance_for_each(fleet):
    for mode in ("legacy", "2026-07-28", "legacy", "2026-07-28"):
        async with fleet.client("time", mode) as client:
            assert (await client.list_tools()).tools
    assert len((await fleet.report("time")).children) == 2


async def test_the_fleets_own_credential_reaches_a_remote_server_and_the_callers_does_not(fleet):
    headers = {"authorization": "Bearer of-the-fleet"}
    own = await pids(fleet, "principals", "2026-07-28", headers)
    assert await pids(fleet, "remote", "2026-07-28", ONE, OTHER) == own * 2


async def test_on_the_aggregated_endpoint_a_session_has_its_own_instances_too(fleet, gone):
    async with fleet.client("", "legacy") as one, fleet.client("", "legacy") as other:
        children = (await fleet.report("sessions")).children
        assert len(children) == 1  # nothing is started before it is called
        first = await asyncio.gather(*(pid_of(client, "sessions__whoami") for client in (one, other, one, other)))
        assert first[:2] == first[2:]
        assert len({*first, *children}) == 3
        assert await pid_of(one, "shared__whoami") == await pid_of(other, "shared__whoami")
    assert [await gone(pid) for pid in first] == [True] * 4


async def test_an_instance_that_dies_takes_only_its_own_session(fleet):
    async with fleet.client("sessions", "legacy") as survivor:
        pid = await pid_of(survivor)
        session = await fleet.initialize("sessions")
        die = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "die", "arguments": {}}}
        await fleet.post("sessions", die, mcp_session_id=session)
        assert await pid_of(survivor) == pid
    assert (await fleet.report("sessions")).restarts == 0


async def test_on_the_aggregated_endpoint_a_dead_instance_is_started_again(fleet):
    async with fleet.client("", "legacy") as client:
        pid = await pid_of(client, "sessions__whoami")
        result = client.call_tool("sessions__die")
        with pytest.raises(Exception, match="something broke inside"):
            await result
        assert await pid_of(client, "sessions__whoami") != pid
