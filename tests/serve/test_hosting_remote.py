"""A server elsewhere: what happens when it goes away, comes back, or forgets a session."""

import asyncio
import json
import time
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from mcpfleet_api.serve import ServerState

pytestmark = [pytest.mark.serve, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def elsewhere(fleet, open_fleet, odd_server):
    """Another fleet, of whose server `far` the module's fleet makes its own `remote`."""
    async with open_fleet() as other:
        await other.apply(odd_server("minimal", name="far"))
        await other.ready("far")
        await fleet.apply({"name": "remote", "remote": {"url": f"{other.url}/servers/far/mcp"}})
        await fleet.ready("remote")
        yield other
        await fleet.apply()


async def session_call(fleet, session: str, tool: str):
    params = {"name": tool, "arguments": {}}
    request = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
    return await fleet.post("remote", request, mcp_session_id=session)


async def test_a_remote_server_that_goes_away_fails_at_once_and_is_back_when_it_is(fleet, open_fleet, odd_server):
    async with open_fleet() as other:
        await other.apply(odd_server("minimal", name="far"))
        await other.ready("far")
        port = int(other.url.rpartition(":")[2])
        await fleet.apply({"name": "remote", "remote": {"url": f"{other.url}/servers/far/mcp"}})
        await fleet.ready("remote")
    began = time.monotonic()
    error = (await fleet.modern("remote", "tools/call", {"name": "whoami", "arguments": {}})).json()["error"]
    assert time.monotonic() - began < 5
    assert error["data"]["reason"] == "RemoteUnreachable"
    await fleet.until("remote", lambda report: report.state is ServerState.FAILED)
    async with open_fleet(port=port) as other:
        await other.apply(odd_server("minimal", name="far"))
        await fleet.until("remote", lambda report: report.state is ServerState.READY, 20)
        assert "pid" in await fleet.call("remote", "whoami")
        await fleet.apply()


async def test_a_call_in_progress_outlives_the_door_of_the_remote_server(fleet, open_fleet, odd_server):
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(open_fleet())
        await other.apply(odd_server("minimal", name="far"))
        await other.ready("far")
        await fleet.apply({"name": "remote", "remote": {"url": f"{other.url}/servers/far/mcp"}})
        await fleet.ready("remote")
        waiting = asyncio.create_task(fleet.call("remote", "wait", name="long", seconds=2))
        await other.logged("far", "call long waits")
        closing = asyncio.create_task(stack.aclose())
        await asyncio.sleep(0.5)
        refused = await fleet.modern("remote", "tools/call", {"name": "whoami", "arguments": {}})
        assert "cannot be reached" in refused.json()["error"]["message"]
        assert await waiting == "waited"
        await closing
    await fleet.apply()


async def test_a_session_is_one_with_the_remote_server_too(fleet, elsewhere):
    one, other = await fleet.initialize("remote"), await fleet.initialize("remote")
    pids = [
        json.loads((await session_call(fleet, s, "whoami")).json()["result"]["content"][0]["text"])["pid"]
        for s in (one, other, one)
    ]
    assert pids[0] == pids[2] != pids[1]
    assert (await elsewhere.report("far")).sessions == 2
    await fleet.http.delete(fleet.path("remote"), headers={"mcp-session-id": one})
    await elsewhere.until("far", lambda report: report.sessions == 1, 10)


async def test_a_session_that_the_remote_server_has_forgotten_is_lost_here_too(fleet, elsewhere):
    session = await fleet.initialize("remote")
    for app in elsewhere.host.apps.values():
        app.sessions.clear()
    lost = (await session_call(fleet, session, "whoami")).json()
    assert lost["error"]["data"]["reason"] == "SessionLost"
    assert (await session_call(fleet, session, "whoami")).status_code == 404
    again = await fleet.initialize("remote")
    assert "result" in (await session_call(fleet, again, "whoami")).json()
    assert (await fleet.report("remote")).restarts == 0


async def test_a_failure_of_the_remote_servers_own_server_is_passed_on(fleet, elsewhere):
    response = await fleet.modern("remote", "tools/call", {"name": "die", "arguments": {}})
    assert response.json()["error"]["data"] == {"reason": "ChildExited"}
    await elsewhere.until("far", lambda report: report.restarts == 1 and report.state is ServerState.READY, 10)
    assert "pid" in await fleet.call("remote", "whoami")
    assert (await fleet.report("remote")).restarts == 0


async def test_a_hundred_calls_at_once_reach_the_remote_server(fleet, elsewhere):
    answers = await asyncio.gather(*(fleet.call("remote", "variable", name="NOTHING") for _ in range(100)))
    assert answers == ["<none>"] * 100
