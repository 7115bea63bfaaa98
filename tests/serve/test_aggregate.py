"""All servers of a fleet as one, at `/mcp`: what it lists, where it sends a call, and what clients hear of changes."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

pytestmark = [pytest.mark.serve, pytest.mark.asyncio(loop_scope="module")]

ERAS = ["2025-11-25", "2026-07-28"]
BOTH_ERAS = pytest.mark.parametrize("era", ERAS)
CAPABILITIES = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "completions": {},
    "logging": {},
}
LISTS = {
    "tools/list": ("tools", "name", "__"),
    "prompts/list": ("prompts", "name", "__"),
    "resources/list": ("resources", "uri", "+"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate", "+"),
}
LATER = {"name": "later", "python": {"app": "aggregate_apps:north"}}
SERVERS = [
    {"name": "broken", "python": {"app": "python_apps:fails"}},
    {"name": "north", "python": {"app": "aggregate_apps:north"}},
    {"name": "south", "python": {"app": "aggregate_apps:south"}},
    {
        "name": "east",
        "python": {"app": "aggregate_apps:east"},
        "tools": {"exclude": ["build_*", "repaint"], "rename": [{"name": "where", "to": "whereabouts"}]},
    },
    {"name": "many", "python": {"app": "aggregate_apps:many"}},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def servers(fleet):
    await fleet.apply(*SERVERS)
    await fleet.ready("north", "south", "east", "many")
    assert (await fleet.settled("broken")).state == "Failed"


@pytest_asyncio.fixture(loop_scope="module")
async def ask(fleet):
    """A request in either era; the response's JSON. A legacy one has a session of its own."""

    async def send(era: str, server: str, method: str, **params) -> dict:
        if era == "2026-07-28":
            named = {"mcp_name": params["uri"]} if "uri" in params else {}
            return (await fleet.modern(server, method, params, **named)).json()
        session = await fleet.initialize(server)
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        response = await fleet.post(server, request, mcp_session_id=session)
        await fleet.http.delete(fleet.path(server), headers={"mcp-session-id": session})
        return response.json()

    return send


@pytest_asyncio.fixture(loop_scope="module")
async def listed(ask):
    """A whole list, page by page."""

    async def follow(era: str, server: str, method: str) -> list[dict]:
        entries, cursor = [], {}
        while cursor is not None:
            response = await ask(era, server, method, **cursor)
            if response.get("error", {}).get("code") == -32601:
                return []  # the server has no such things
            result = response["result"]
            entries += result[LISTS[method][0]]
            cursor = {"cursor": result["nextCursor"]} if "nextCursor" in result else None
        return entries

    return follow


# What it is


async def test_a_legacy_client_is_told_what_the_fleet_can_do(fleet):
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    response = await fleet.post("", {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
    result = response.json()["result"]
    assert result["serverInfo"].pop("version")
    assert result == {
        "protocolVersion": "2025-06-18",
        "capabilities": CAPABILITIES,
        "serverInfo": {"name": "mcpfleet/test"},
    }


async def test_a_modern_client_discovers_what_the_fleet_can_do(fleet):
    result = (await fleet.modern("", "server/discover")).json()["result"]
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "mcpfleet/test"
    assert (result["supportedVersions"], result["capabilities"]) == (["2026-07-28"], CAPABILITIES)


# Lists


@BOTH_ERAS
@pytest.mark.parametrize("method", LISTS)
async def test_a_list_is_those_of_all_servers_in_the_order_of_the_file(listed, era, method):
    _, key, joint = LISTS[method]
    expected, taken = [], set()
    for server in ("north", "south", "east", "many"):
        for entry in await listed(era, server, method):
            prefixed = joint == "__" or entry[key] in taken
            taken.add(entry[key])
            expected.append({**entry, key: f"{server}{joint}{entry[key]}"} if prefixed else entry)
    entries = await listed(era, "", method)
    assert [entry for entry in entries if "xxx" not in entry[key]] == [
        entry for entry in expected if "xxx" not in entry[key]
    ]
    assert len(entries) == len(expected) == len({entry[key] for entry in entries})


@BOTH_ERAS
async def test_what_a_server_hides_or_renames_is_so_here_too(listed, ask, era):
    names = [tool["name"] for tool in await listed(era, "", "tools/list")]
    assert [name for name in names if name.startswith("east__")] == ["east__whereabouts"]
    answer = await ask(era, "", "tools/call", name="east__whereabouts", arguments={})
    assert answer["result"]["content"][0]["text"] == "tool in east"


@BOTH_ERAS
async def test_a_long_list_comes_in_pages(ask, era):
    sizes, cursor = [], {}
    while cursor is not None:
        result = (await ask(era, "", "tools/list", **cursor))["result"]
        sizes.append(len(result["tools"]))
        cursor = {"cursor": result["nextCursor"]} if "nextCursor" in result else None
    assert sizes[:2] == [1000, 1000]
    assert sum(sizes) >= 2500


@BOTH_ERAS
@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "²", "9" * 5000, 7, None, [0]])
async def test_a_cursor_that_we_did_not_give_is_refused(ask, era, cursor):
    assert (await ask(era, "", "tools/list", cursor=cursor))["error"]["code"] == -32602


@BOTH_ERAS
async def test_a_cursor_past_the_end_gives_an_empty_page(ask, era):
    result = (await ask(era, "", "tools/list", cursor="999999"))["result"]
    assert (result["tools"], "nextCursor" in result) == ([], False)


@BOTH_ERAS
async def test_a_name_too_long_for_models_is_shortened_and_still_found(listed, ask, era):
    (name,) = (tool["name"] for tool in await listed(era, "", "tools/list") if "xxx" in tool["name"])
    assert len(name) == 64
    answer = await ask(era, "", "tools/call", name=name, arguments={})
    assert answer["result"]["content"][0]["text"] == "called a.name-" + "x" * 100


# Where a call goes

PROMPT = {"type": "ref/prompt"}
TEMPLATE = {"type": "ref/resource"}
TO_SOUTH = [
    ("tools/call", {"name": "south__where", "arguments": {}}, "tool in south"),
    ("prompts/get", {"name": "south__greet", "arguments": {"who": "Ada"}}, "Greet Ada in south."),
    ("resources/read", {"uri": "south+place://here"}, "resource in south"),
    ("resources/read", {"uri": "south+place://rooms/7"}, "room 7 in south"),
    (
        "completion/complete",
        {"ref": {**PROMPT, "name": "south__greet"}, "argument": {"name": "who", "value": "A"}},
        "A in south",
    ),
    (
        "completion/complete",
        {
            "ref": {**TEMPLATE, "uri": "south+place://rooms/{room}"},
            "argument": {"name": "room", "value": "7"},
        },
        "7 in south",
    ),
]
# Whose server is first in the file is asked under the plain URI.
TO_NORTH = [
    (
        method,
        json.loads(json.dumps(params).replace("south+", "").replace("south", "north")),
        answer.replace("south", "north"),
    )
    for method, params, answer in TO_SOUTH
]


@BOTH_ERAS
@pytest.mark.parametrize(("method", "params", "expected"), [*TO_NORTH, *TO_SOUTH])
async def test_a_call_goes_to_the_server_that_is_named(ask, era, method, params, expected):
    result = (await ask(era, "", method, **params))["result"]
    assert f'"{expected}"' in json.dumps(result)


UNKNOWN = [
    ("tools/call", {"name": "where", "arguments": {}}, -32602, None),
    ("tools/call", {"name": "south__nowhere", "arguments": {}}, -32602, None),
    ("tools/call", {"name": "east__build_more", "arguments": {}}, -32602, None),
    ("tools/call", {"name": "east__where", "arguments": {}}, -32602, None),
    ("prompts/get", {"name": "greet"}, -32602, None),
    ("completion/complete", {"ref": {**PROMPT, "name": "greet"}, "argument": {}}, -32602, None),
    ("completion/complete", {"ref": {"type": "ref/else"}, "argument": {}}, -32602, None),
    ("completion/complete", {"ref": "greet", "argument": {}}, -32602, None),
    ("resources/read", {"uri": "nowhere://"}, {"2025-11-25": -32002, "2026-07-28": -32602}, {"uri": "nowhere://"}),
    ("vendor/thing", {}, -32601, None),
    ("tasks/list", {}, -32601, None),
    ("server/discover", {}, {"2025-11-25": -32601}, None),
    ("subscriptions/listen", {"notifications": {}}, {"2025-11-25": -32601}, None),
    ("ping", {}, {"2026-07-28": -32601}, None),
    ("logging/setLevel", {"level": "info"}, {"2026-07-28": -32601}, None),
    ("resources/subscribe", {"uri": "place://here"}, {"2026-07-28": -32601}, None),
    ("resources/unsubscribe", {"uri": "place://here"}, {"2026-07-28": -32601}, None),
]


@pytest.mark.parametrize(
    ("era", "method", "params", "expected"),
    [
        (era, method, params, (codes[era] if isinstance(codes, dict) else codes, data))
        for method, params, codes, data in UNKNOWN
        for era in ERAS
        if not isinstance(codes, dict) or era in codes
    ],
)
async def test_what_nobody_has_is_refused(ask, era, method, params, expected):
    error = (await ask(era, "", method, **params))["error"]
    assert (error["code"], error.get("data")) == expected


# What clients hear


class Ears:
    """Counts notifications by their method."""

    def __init__(self) -> None:
        self.heard = []

    async def __call__(self, message) -> None:
        if (method := getattr(message, "method", None)) is not None:
            self.heard.append(method)

    async def settled(self) -> list[str]:
        """What came, once nothing more comes."""
        async with asyncio.timeout(15):
            while not self.heard:
                await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        heard, self.heard = self.heard, []
        return sorted(heard)


def changed(*kinds: str) -> list[str]:
    return [f"notifications/{kind}/list_changed" for kind in kinds]


@asynccontextmanager
async def listening(fleet):
    """Clients of both eras that hear of every change."""
    legacy, modern = Ears(), Ears()

    async def listen(changes) -> None:
        async for change in changes:
            modern.heard.append(type(change).__name__)

    async with (
        fleet.client("", "legacy", message_handler=legacy),
        fleet.client("", "2026-07-28") as client,
        client.listen(tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True) as changes,
    ):
        await asyncio.sleep(0.3)  # the legacy client's stream opens beside the handshake
        hearing = asyncio.create_task(listen(changes))
        yield legacy, modern
        hearing.cancel()


async def test_a_change_of_one_servers_tools_is_told_once(fleet):
    async with listening(fleet) as (legacy, modern):
        await fleet.call("", "north__build_more")
        assert await legacy.settled() == changed("tools")
        assert await modern.settled() == ["ToolsListChanged"]


async def test_a_server_that_comes_or_goes_changes_each_list_once(fleet):
    async with listening(fleet) as (legacy, modern):
        for servers in ([*SERVERS, LATER], SERVERS):
            await fleet.apply(*servers)
            assert await legacy.settled() == changed("prompts", "resources", "tools")
            assert await modern.settled() == ["PromptsListChanged", "ResourcesListChanged", "ToolsListChanged"]


@pytest.mark.parametrize(("server", "uri"), [("north", "place://here"), ("south", "south+place://here")])
async def test_an_update_is_told_to_those_who_subscribed_to_that_servers_resource(fleet, server, uri):
    async with (
        fleet.client("", "2026-07-28") as one,
        one.listen(resource_subscriptions=[uri]) as updates,
        fleet.client("", "2026-07-28") as other,
        other.listen(resource_subscriptions=["place://here", "south+place://here"]) as all_updates,
    ):
        for name in ("north", "south"):
            await fleet.call("", f"{name}__repaint", uri="place://here")
        assert (await asyncio.wait_for(anext(aiter(updates)), 10)).uri == uri
        both = aiter(all_updates)
        told = [(await asyncio.wait_for(anext(both), 10)).uri for _ in range(2)]
        assert sorted(told) == ["place://here", "south+place://here"]


async def test_a_subscription_to_nothing_leaves_nothing_behind(fleet, ask):
    listeners = fleet.host.aggregate.endpoint.listeners
    before = set(listeners)
    response = await fleet.modern(
        "", "subscriptions/listen", {"notifications": {"resourceSubscriptions": ["nowhere://"]}}
    )
    assert '"error"' in response.text
    assert listeners == before
