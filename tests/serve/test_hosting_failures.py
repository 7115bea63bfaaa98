"""A server's failure is a fact about that server: it says why, and the rest serve on."""

import asyncio
import socket

import pytest
import pytest_asyncio

from mcpfleet_api.serve import ServerState

pytestmark = [pytest.mark.serve, pytest.mark.asyncio(loop_scope="module")]


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def npm(name: str, package: str, version: str) -> dict:
    return {"name": name, "npm": {"package": package, "version": version}}


def pypi(name: str, package: str, version: str) -> dict:
    return {"name": name, "pypi": {"package": package, "version": version}}


def python(name: str, app: str, **spec) -> dict:
    return {"name": name, "python": {"app": app}, **spec}


def command(name: str, *argv: str) -> dict:
    return {"name": name, "command": {"command": argv}}


NEEDS_SECRET = {"name": "TOKEN", "secretKeyRef": {"name": "no-such", "key": "api-token"}}

# Of each failed server: its reason, and words that its message must have.
EXPECTED = {
    "npm-unknown": ("PackageNotFound", "@modelcontextprotocol/server-nothing"),
    "npm-version": ("VersionNotFound", "99.0.0"),
    "pypi-unknown": ("PackageNotFound", "mcp-server-nothing-of-that-name"),
    "pypi-version": ("VersionNotFound", "99.0.0"),
    "dies-at-start": ("ChildExited", "exited with status 3\ncannot find the database"),
    "silent": ("StartTimeout", "no answer within 2s of the start; raise startTimeout"),
    "mute": ("StartTimeout", "no answer within 2s of the start"),
    "no-program": ("CommandNotFound", "'no-such-program' was not found"),
    "no-permission": ("CommandNotRunnable", "Permission denied"),
    "not-mcp": ("ChildExited", "exited with status 0"),
    "import": ("ImportFailed", "No module named 'no_such_module_anywhere' (broken_import.py:3)"),
    "no-module": ("ImportFailed", "No module named 'no_such_app'"),
    "no-attribute": ("ImportFailed", "has no attribute 'nothing'"),
    "raises": ("ImportFailed", "ValueError: no settings (python_apps.py:"),
    "leaves": ("ImportFailed", "SystemExit: 4"),
    "hangs": ("StartTimeout", "took longer than 2s to load"),
    "no-server": ("NotAServer", "a str; it must be an MCPServer, a FastMCP"),
    "python-env": ("EnvNotAllowed", "run it as a `command`"),
    "remote-down": ("RemoteUnreachable", "cannot be reached"),
    "remote-else": ("HandshakeFailed", "there is no server 'nobody'"),
    "secret": ("SecretMissing", "NO_SUCH_API_TOKEN is not set"),
    "header-secret": ("SecretMissing", "NO_SUCH_API_TOKEN is not set"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def servers(fleet, odd_server, tmp_path_factory):
    file = tmp_path_factory.mktemp("files") / "not-executable"
    file.write_text("#!/bin/sh\n")
    remote = {"url": f"http://127.0.0.1:{closed_port()}/mcp"}
    specs = [
        odd_server("minimal", name="good"),
        npm("npm-unknown", "@modelcontextprotocol/server-nothing", "1.0.0"),
        npm("npm-version", "@modelcontextprotocol/server-memory", "99.0.0"),
        pypi("pypi-unknown", "mcp-server-nothing-of-that-name", "1.0.0"),
        pypi("pypi-version", "mcp-server-time", "99.0.0"),
        odd_server("dies_at_start"),
        odd_server("silent", startTimeout="2s"),
        odd_server("mute", startTimeout="2s"),
        command("no-program", "no-such-program"),
        command("no-permission", str(file)),
        command("not-mcp", "true"),
        python("import", "broken_import:server"),
        python("no-module", "no_such_app:server"),
        python("no-attribute", "python_apps:nothing"),
        python("raises", "python_apps:fails"),
        python("leaves", "python_apps:leaves"),
        python("hangs", "python_apps:hangs", startTimeout="2s"),
        python("no-server", "python_apps:not_a_server"),
        python("python-env", "python_apps:build", env=[{"name": "A", "value": "b"}]),
        {"name": "remote-down", "remote": remote},
        {"name": "remote-else", "remote": {"url": f"{fleet.url}/servers/nobody/mcp"}},
        odd_server("minimal", name="secret", env=[NEEDS_SECRET]),
        {"name": "header-secret", "remote": {**remote, "headersFrom": [NEEDS_SECRET]}},
        python("also-good", "python_apps:build"),
    ]
    await fleet.apply(*specs)
    return specs


@pytest.mark.parametrize("name", EXPECTED)
async def test_a_failed_server_says_why(fleet, name):
    report = await fleet.until(name, lambda report: report.state is ServerState.FAILED, 60)
    reason, words = EXPECTED[name]
    assert (report.reason, words in report.message) == (reason, True), report


async def test_the_rest_serve_on(fleet):
    await fleet.ready("good", "also-good")
    assert await fleet.call("good", "variable", name="NOTHING") == "<none>"
    assert await fleet.call("also-good", "add", a=1, b=1) == "2"
    async with fleet.client() as client:
        owners = {tool.name.partition("__")[0] for tool in (await client.list_tools()).tools}
    assert owners == {"good", "also-good"}


@pytest.mark.parametrize("name", ["dies-at-start", "import", "remote-down", "secret", "no-program"])
async def test_a_call_to_a_failed_server_is_told_why_at_once(fleet, name):
    await fleet.until(name, lambda report: report.state is ServerState.FAILED)
    reason, words = EXPECTED[name]
    response = await asyncio.wait_for(fleet.modern(name, "tools/call", {"name": "x", "arguments": {}}), 5)
    error = response.json()["error"]
    assert (error["code"], error["data"]) == (-32010, {"server": name, "reason": reason})
    assert error["message"].startswith(f"{name}: ")
    assert words in error["message"]


async def test_a_legacy_session_with_a_failed_server_is_told_why(fleet):
    request = {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}},
    }
    response = await fleet.post("no-program", request)
    assert response.json()["error"]["data"]["reason"] == "CommandNotFound"
    assert "mcp-session-id" not in response.headers


async def test_a_failed_server_starts_once_its_cause_is_gone(fleet, servers, odd_server, monkeypatch):
    await fleet.apply(*servers, odd_server("minimal", name="late", env=[NEEDS_SECRET]))
    await fleet.until("late", lambda report: report.state is ServerState.FAILED)
    monkeypatch.setenv("NO_SUCH_API_TOKEN", "found-at-last")
    report = await fleet.until("late", lambda report: report.state is ServerState.READY)
    assert (report.reason, report.message) == ("", "")


async def test_a_python_server_that_exits_in_a_call_is_started_again(fleet):
    await fleet.ready("also-good")
    response = await asyncio.wait_for(
        fleet.modern("also-good", "tools/call", {"name": "leave", "arguments": {}}), 10
    )
    assert response.json()["error"]["data"]["reason"] == "ServerCrashed"
    await fleet.until("also-good", lambda report: report.restarts == 1 and report.state is ServerState.READY)
    assert await fleet.call("also-good", "add", a=1, b=1) == "2"
