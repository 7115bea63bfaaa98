"""Life and death of children: groups, stopping, crashes, sleep, and edits of a running fleet."""

import asyncio
import itertools
import json
import os
import time
from contextlib import suppress

import psutil
import pytest
import pytest_asyncio

from mcpfleet_api.serve import ServerState
from mcpfleet_serve.orphans import MARK, own_mark

pytestmark = [pytest.mark.serve, pytest.mark.asyncio(loop_scope="module")]

ERAS = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
SLEEPY = {"scaling": {"idleAfter": "1s"}}


@pytest_asyncio.fixture(loop_scope="module")
async def house(fleet):
    """The module's fleet, empty again after each test."""
    yield fleet
    await fleet.apply()
    await asyncio.gather(*fleet.host._closing)


async def who(fleet, server: str) -> dict:
    return json.loads(await fleet.call(server, "whoami"))


def hosted_children() -> list[psutil.Process]:
    """The children that a host in this process has started; test clusters have theirs here too."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.environ().get(MARK) == own_mark():
                found.append(child)
    return found


def ready_again(restarts: int):
    return lambda report: report.restarts == restarts and report.state is ServerState.READY


# Groups and endings


async def test_a_child_leads_a_process_group_of_its_own(house, odd_server):
    await house.apply(odd_server("minimal"))
    await house.ready("minimal")
    answer = await who(house, "minimal")
    assert (await house.report("minimal")).children == (answer["pid"],)
    assert answer["group"] == answer["pid"] != os.getpgid(0)
    assert os.getsid(answer["pid"]) == answer["pid"]


async def test_a_server_that_leaves_when_its_stdin_closes_gets_no_signal(house, odd_server, gone):
    await house.apply(odd_server("minimal"))
    await house.ready("minimal")
    log = house.host.log("minimal")
    pid = (await who(house, "minimal"))["pid"]
    await house.apply()
    assert await gone(pid)
    assert log.last(10) == ["minimal server starts"]


async def test_a_stubborn_server_is_asked_then_told_then_killed(house, odd_server, gone, tmp_path):
    diary = tmp_path / "diary"
    await house.apply(odd_server("stubborn", str(diary)))
    await house.ready("stubborn")
    pid = (await who(house, "stubborn"))["pid"]
    grandchild = json.loads(await house.call("stubborn", "fork"))["pid"]
    began = time.monotonic()
    await house.apply()
    assert await gone(pid)
    assert await gone(grandchild)
    assert time.monotonic() - began < 10
    (eof, asked), (term, told) = (line.split() for line in diary.read_text().splitlines())
    assert (eof, term) == ("EOF", "TERM")
    assert float(told) - float(asked) > 1


async def test_what_a_server_forked_ends_with_it(house, odd_server, gone):
    await house.apply(odd_server("minimal"))
    await house.ready("minimal")
    grandchild = json.loads(await house.call("minimal", "fork"))["pid"]
    await house.apply()
    assert await gone(grandchild)


async def test_what_a_server_forked_does_not_outlive_its_crash(house, odd_server, gone):
    await house.apply(odd_server("minimal"))
    await house.ready("minimal")
    grandchild = json.loads(await house.call("minimal", "fork"))["pid"]
    await house.modern("minimal", "tools/call", {"name": "die", "arguments": {}})
    assert await gone(grandchild)


async def test_what_a_sessions_instance_forked_does_not_outlive_its_crash(house, odd_server, gone):
    await house.apply(odd_server("minimal"))
    await house.ready("minimal")
    session = await house.initialize("minimal")

    async def call(tool: str) -> dict:
        request = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
        return (await house.post("minimal", request, mcp_session_id=session)).json()

    grandchild = json.loads((await call("fork"))["result"]["content"][0]["text"])["pid"]
    await call("die")
    assert await gone(grandchild)


async def test_nothing_remains_of_a_fleet_that_is_closed(odd_server, gone, open_fleet):
    async with open_fleet() as fleet:
        await fleet.apply(
            odd_server("minimal", name="one"),
            odd_server("minimal", name="other", isolation="PerPrincipal"),
            {"name": "python", "python": {"app": "python_apps:build"}},
        )
        await fleet.ready("one", "other", "python")
        await fleet.initialize("one")
        await fleet.call("other", "whoami", {"authorization": "Bearer x"})
        grandchild = json.loads(await fleet.call("one", "fork"))["pid"]
        pids = [pid for name in ("one", "other") for pid in (await fleet.report(name)).children]
        assert len(pids) == 4
        waiting = asyncio.create_task(fleet.call("python", "add", a=1, b=2))
    with suppress(Exception):
        await waiting
    assert [await gone(pid, 1) for pid in (*pids, grandchild)] == [True] * 5


# Crashes


async def test_a_crash_fails_the_call_at_once_and_the_server_starts_again(house, odd_server):
    await house.apply(odd_server("minimal", isolation="Shared"))
    await house.ready("minimal")
    before = await who(house, "minimal")
    waiting = asyncio.create_task(
        house.modern("minimal", "tools/call", {"name": "wait", "arguments": {"name": "other"}})
    )
    await house.logged("minimal", "call other waits")
    died = await house.modern("minimal", "tools/call", {"name": "die", "arguments": {"status": 7}})
    for response in (died, await asyncio.wait_for(waiting, 5)):
        error = response.json()["error"]
        assert (error["code"], error["data"]["reason"]) == (-32010, "ChildExited")
        assert "exited with status 7\n" in error["message"]
    report = await house.until("minimal", ready_again(1), 10)
    # The calls of the first life were not made once more in the second.
    assert (await house.logs("minimal")).count("something broke inside") == 1
    assert report.children != (before["pid"],)
    assert (report.reason, report.message) == ("", "")


async def test_a_server_killed_by_a_signal_says_which(house, odd_server):
    await house.apply(odd_server("minimal"))
    await house.ready("minimal")
    psutil.Process((await who(house, "minimal"))["pid"]).kill()
    report = await house.until("minimal", lambda report: report.state is ServerState.FAILED, 10)
    assert report.message.startswith("the server was ended by SIGKILL")


async def test_a_server_that_keeps_dying_is_started_ever_more_rarely(house, odd_server):
    await house.apply(odd_server("dies_after_a_while"))
    times = []
    for restarts in (1, 2, 3):
        await house.until("dies-after-a-while", lambda report, n=restarts: report.restarts == n, 20)
        times.append(time.monotonic())
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert sum(waits) > 2.5
    assert waits[1] > waits[0]
    report = await house.report("dies-after-a-while")
    assert (report.state, report.reason) == (ServerState.FAILED, "ChildExited")


# `patient` costs the five seconds that a server is given to answer `server/discover`.
@pytest.mark.parametrize("file", ["chatty", "strict", "patient"])
async def test_an_odd_server_starts_all_the_same(house, odd_server, file):
    await house.apply(odd_server(file))
    report = await house.until(file, lambda report: report.state is ServerState.READY, 15)
    assert report.restarts == 0
    assert await house.call(file, "variable", name="NOTHING") == "<none>"
    async with house.client(file, "legacy") as client:
        assert (await client.list_tools()).tools


# Sleep


@ERAS
async def test_an_idle_server_sleeps_and_wakes_for_a_call(house, odd_server, gone, mode):
    await house.apply(odd_server("minimal", isolation="Shared", **SLEEPY))
    await house.ready("minimal")
    first = (await who(house, "minimal"))["pid"]
    report = await house.until("minimal", lambda report: report.state is ServerState.ASLEEP, 10)
    assert (report.children, report.tools, report.reason) == ((), 15, "")
    assert await gone(first)
    async with house.client("", mode) as client:
        assert len((await client.list_tools()).tools) == 15  # from memory
        assert (await house.report("minimal")).state is ServerState.ASLEEP
        answer = json.loads((await client.call_tool("minimal__whoami")).content[0].text)
    assert answer["pid"] != first
    report = await house.report("minimal")
    assert (report.state, report.restarts) == (ServerState.READY, 0)


async def test_calls_that_come_while_a_server_falls_asleep_or_wakes_are_all_answered(house, odd_server):
    await house.apply(odd_server("minimal", isolation="Shared", **SLEEPY))
    await house.ready("minimal")
    for pause in (0.9, 1.0, 1.1, 1.3):
        await asyncio.sleep(pause)
        answers = await asyncio.gather(*(house.call("minimal", "variable", name="NOTHING") for _ in range(5)))
        assert answers == ["<none>"] * 5
    assert (await house.report("minimal")).restarts == 0


async def test_a_server_with_a_call_in_progress_or_a_minimum_of_one_stays_awake(house, odd_server):
    awake = {"scaling": {"idleAfter": "1s", "minReplicas": 1}}
    await house.apply(
        odd_server("minimal", name="busy", **SLEEPY),
        odd_server("minimal", name="warm", **awake),
    )
    await house.ready("busy", "warm")
    pids = [(await who(house, name))["pid"] for name in ("busy", "warm")]
    assert await house.call("busy", "wait", name="long", seconds=2.5) == "waited"
    assert [(await who(house, name))["pid"] for name in ("busy", "warm")] == pids


async def test_instances_beside_the_first_end_when_idle(house, odd_server, gone):
    await house.apply(
        odd_server("minimal", isolation="PerPrincipal", scaling={"idleAfter": "1s", "minReplicas": 1})
    )
    await house.ready("minimal")
    pid = json.loads(await house.call("minimal", "whoami", {"authorization": "Bearer x"}))["pid"]
    assert await gone(pid)
    assert (await house.report("minimal")).state is ServerState.READY


# Edits


async def test_an_edit_touches_only_the_servers_that_it_changes(house, odd_server, gone):
    names = ("keeps", "changes", "goes")
    keeps, changes, goes = (odd_server("minimal", name=name) for name in names)
    await house.apply(keeps, changes, goes)
    await house.ready(*names)
    before = {name: (await house.report(name)).children for name in names}
    async with house.client("keeps", "legacy") as client:
        own = json.loads((await client.call_tool("whoami")).content[0].text)["pid"]
        changed = {**changes, "env": [{"name": "REGION", "value": "eu"}]}
        await house.apply(odd_server("minimal", name="comes"), changed, keeps)
        await house.ready("comes", "changes")
        report = (await house.http.get("/-/fleet")).json()
        assert [server["name"] for server in report["servers"]] == ["comes", "changes", "keeps"]
        # The session goes on with the instance that it had.
        assert json.loads((await client.call_tool("whoami")).content[0].text)["pid"] == own
    assert before["keeps"][0] in (await house.report("keeps")).children
    assert (await house.report("changes")).children != before["changes"]
    assert await house.call("changes", "variable", name="REGION") == "eu"
    assert [await gone(before[name][0]) for name in ("changes", "goes")] == [True, True]
    assert (await house.modern("goes", "tools/list")).status_code == 404


async def test_the_same_servers_once_more_change_nothing(house, odd_server):
    servers = [odd_server("minimal", name=name) for name in ("one", "other")]
    await house.apply(*servers)
    await house.ready("one", "other")
    before = [await house.report(name) for name in ("one", "other")]
    await house.apply(*servers)
    await house.apply(*reversed(servers))
    assert [await house.report(name) for name in ("one", "other")] == before


async def test_a_server_can_be_taken_away_while_it_starts(house, odd_server, gone):
    await house.apply(odd_server("silent"))
    report = await house.until("silent", lambda report: report.state is ServerState.STARTING, 10)
    async with asyncio.timeout(10):
        while not (children := hosted_children()):
            await asyncio.sleep(0.01)
    await house.apply()
    assert report.name == "silent"
    assert all([await gone(child.pid) for child in children])


async def test_edits_in_quick_succession_end_with_the_last_one(house, odd_server):
    for number in range(8):
        env = [{"name": "NUMBER", "value": str(number)}]
        await house.apply(odd_server("minimal", env=env), odd_server("minimal", name=f"passing-{number}"))
    await house.ready("minimal", "passing-7")
    assert await house.call("minimal", "variable", name="NUMBER") == "7"
    await asyncio.gather(*house.host._closing)
    assert len(hosted_children()) == 2


async def test_a_call_in_progress_on_a_server_that_is_taken_away_is_told_so(house, odd_server):
    await house.apply(odd_server("minimal"))
    await house.ready("minimal")
    waiting = asyncio.create_task(
        house.modern("minimal", "tools/call", {"name": "wait", "arguments": {"name": "x"}})
    )
    await house.logged("minimal", "call x waits")
    await house.apply()
    error = (await asyncio.wait_for(waiting, 10)).json()["error"]
    assert (error["code"], error["data"]["reason"]) == (-32010, "Stopped")
