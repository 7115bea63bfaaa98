"""Every kind of source, with real reference servers, to clients of both eras."""

import asyncio
import base64
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from mcp import MCPError
from mcp.types import PromptReference, ResourceTemplateReference

from mcpfleet_api.serve import ServerState

pytestmark = [pytest.mark.serve, pytest.mark.asyncio(loop_scope="module")]

BOTH_ERAS = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
TOOLS = {"everything": 13, "memory": 9, "files": 14, "time": 2, "minimal": 15, "in-process": 3, "fast": 1}


def npm(name: str, package: str, *args: str, **spec) -> dict:
    source = {"package": f"@modelcontextprotocol/server-{package}", "version": "2026.8.31", "args": args}
    return {"name": name, "npm": source, **spec}


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def servers(fleet, odd_server, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "note.txt").write_text("from a file")
    # Shared, or each legacy client would cost the start of a Node; what PerSession means is tried elsewhere.
    local = [
        npm("everything", "everything", isolation="Shared"),
        npm("memory", "memory", env=[{"name": "MEMORY_FILE_PATH", "value": str(folder / "memory.jsonl")}]),
        npm("files", "filesystem", str(folder), isolation="Shared"),
        {
            "name": "time",
            "pypi": {"package": "mcp-server-time", "version": "2026.10.19"},
            "isolation": "Shared",
        },
        odd_server("minimal"),
        {"name": "in-process", "python": {"app": "python_apps:build"}},
        {"name": "fast", "python": {"app": "python_apps:build_fastmcp"}},
    ]
    remote = [
        {"name": f"remote-{name}", "remote": {"url": f"{fleet.url}/servers/{name}/mcp"}}
        for name in ("time", "everything")
    ]
    await fleet.apply(*local)
    await fleet.ready(*(server["name"] for server in local))
    await fleet.apply(*local, *remote)
    await fleet.ready("remote-time", "remote-everything")
    return folder


def said(result) -> str:
    assert not result.is_error, result
    return result.content[0].text


@BOTH_ERAS
@pytest.mark.parametrize(
    ("server", "call", "expected"),
    [
        ("everything", ("echo", {"message": "hé"}), "Echo: hé"),
        ("everything", ("get-sum", {"a": 1, "b": 2}), "The sum of 1 and 2 is 3."),
        ("memory", ("read_graph", {}), '"entities": []'),
        ("time", ("get_current_time", {"timezone": "Asia/Tokyo"}), "+09:00"),
        ("minimal", ("variable", {"name": "PATH"}), "/bin"),
        ("in-process", ("add", {"a": 2, "b": 3}), "5"),
        ("fast", ("shout", {"text": "hello"}), "HELLO"),
        ("remote-time", ("get_current_time", {"timezone": "Asia/Tokyo"}), "+09:00"),
        ("remote-everything", ("echo", {"message": "far"}), "Echo: far"),
    ],
)
async def test_a_tool_of_each_source_answers(fleet, mode, server, call, expected):
    async with fleet.client(server, mode) as client:
        assert expected in said(await client.call_tool(*call))


@BOTH_ERAS
async def test_a_file_is_read_through_the_filesystem_server(fleet, servers, mode):
    async with fleet.client("files", mode) as client:
        assert said(await client.call_tool("read_text_file", {"path": str(servers / "note.txt")})) == "from a file"


@BOTH_ERAS
@pytest.mark.parametrize("server", [*TOOLS, "remote-time", "remote-everything"])
async def test_all_tools_are_listed(fleet, mode, server):
    async with fleet.client(server, mode) as client:
        listed = (await client.list_tools()).tools
    assert len(listed) == TOOLS[server.removeprefix("remote-")]


async def test_the_report_counts_what_each_server_offers(fleet):
    for name, tools in TOOLS.items():
        report = await fleet.report(name)
        assert (report.state, report.tools, report.reason, report.message) == (ServerState.READY, tools, "", "")
    assert (await fleet.report("everything")).prompts == 4
    assert (await fleet.report("everything")).resources == 7 + 2
    assert (await fleet.report("time")).protocols == ("2026-07-28",)
    assert (await fleet.report("everything")).protocols == ("2025-11-25",)
    assert (await fleet.report("time")).source == "pypi mcp-server-time==2026.10.19"


async def test_packages_run_without_npx_and_uvx_and_python_servers_without_a_process(fleet):
    commands = {
        name: psutil.Process((await fleet.report(name)).children[0]).cmdline() for name in ("everything", "time")
    }
    assert Path(commands["everything"][0]).name == "node"
    assert Path(commands["time"][0]).name == "python"
    for name in ("in-process", "fast", "remote-time"):
        assert (await fleet.report(name)).children == ()


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
async def test_an_agreed_version_is_one_that_the_client_asked_for(fleet, mode):
    expected = {"legacy": "2025-11-25"}.get(mode, "2026-07-28")
    for server in ("everything", "time"):
        async with fleet.client(server, mode) as client:
            assert client.protocol_version == expected


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_server_says_who_it_is(fleet, mode):
    async with fleet.client("everything", mode) as client:
        assert client.server_info.name == "mcp-servers/everything"
        assert "Everything Server" in client.instructions


@BOTH_ERAS
@pytest.mark.parametrize("server", ["everything", "remote-everything", ""])
async def test_resources_templates_prompts_and_completion_pass_through(fleet, mode, server):
    async with fleet.client(server, mode) as client:
        prefix = "" if server else "everything__"
        resources = (await client.list_resources()).resources
        uri = next(str(resource.uri) for resource in resources if str(resource.uri).endswith("architecture.md"))
        (document,) = (await client.read_resource(uri)).contents
        assert "Everything Server" in document.text

        templates = {
            template.uri_template for template in (await client.list_resource_templates()).resource_templates
        }
        assert templates >= {
            "demo://resource/dynamic/text/{resourceId}",
            "demo://resource/dynamic/blob/{resourceId}",
        }
        (made,) = (await client.read_resource("demo://resource/dynamic/text/7")).contents
        assert "Resource 7" in made.text
        (blob,) = (await client.read_resource("demo://resource/dynamic/blob/8")).contents
        assert b"Resource 8" in base64.b64decode(blob.blob)

        prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
        assert f"{prefix}args-prompt" in prompts
        prompt = await client.get_prompt(f"{prefix}args-prompt", {"city": "Oslo"})
        assert "Oslo" in prompt.messages[0].content.text

        reference = PromptReference(type="ref/prompt", name=f"{prefix}completable-prompt")
        completion = await client.complete(reference, {"name": "department", "value": "E"})
        assert completion.completion.values == ["Engineering"]
        reference = ResourceTemplateReference(type="ref/resource", uri="demo://resource/dynamic/text/{resourceId}")
        completion = await client.complete(reference, {"name": "resourceId", "value": "5"})
        assert completion.completion.values == ["5"]


@BOTH_ERAS
async def test_python_servers_offer_resources_and_prompts(fleet, mode):
    async with fleet.client("in-process", mode) as client:
        (note,) = (await client.read_resource("note://rain")).contents
        assert note.text == "a note on rain"
        assert (await client.get_prompt("greet", {"name": "Ada"})).messages[0].content.text == "Greet Ada."


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("server", ["everything", "time", "in-process", "remote-everything"])
async def test_a_tool_that_does_not_exist_is_refused(fleet, mode, server):
    async with fleet.client(server, mode) as client:
        try:
            refused = (await client.call_tool("no_such_tool", {})).is_error
        except MCPError as error:
            refused = "no_such_tool" in error.message
    assert refused


async def test_a_blocking_python_server_holds_up_nobody_else(fleet):
    blocked = asyncio.create_task(fleet.call("in-process", "block", seconds=1.5))
    await asyncio.sleep(0.2)
    assert await fleet.call("fast", "shout", text="free") == "FREE"
    assert await fleet.call("minimal", "variable", name="NOTHING") == "<none>"
    assert not blocked.done()
    await blocked


async def test_many_calls_at_once_each_get_their_own_answer(fleet):
    async def echo(number: int) -> bool:
        return await fleet.call("everything", "echo", message=str(number)) == f"Echo: {number}"

    assert all(await asyncio.gather(*(echo(number) for number in range(200))))
