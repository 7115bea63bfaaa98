"""A fleet on a door of its own inside the test's process: no Ray, but real servers and real HTTP."""

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import psutil
import pytest
import pytest_asyncio
import uvloop
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mcpfleet_api.serve import HostArgs, HostConfig, ServerReport, ServerState
from mcpfleet_serve.door import Door
from mcpfleet_serve.host import Host

SERVERS = Path(__file__).parent / "servers"
SETTLED = {ServerState.READY, ServerState.ASLEEP, ServerState.FAILED}
ACCEPT = "application/json, text/event-stream"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def pytest_asyncio_loop_factories(config, item):
    """Ray runs the replicas on uvloop, whose child processes are another matter than asyncio's."""
    return {"uvloop": uvloop.new_event_loop}


class Fleet:
    """A running host behind its door, as its clients see it."""

    def __init__(self, host: Host, door: Door) -> None:
        self.host = host
        self.url = f"http://127.0.0.1:{door.port}"
        self.http = httpx2.AsyncClient(base_url=self.url, timeout=60)

    @staticmethod
    def path(server: str) -> str:
        return f"/servers/{server}/mcp" if server else "/mcp"

    async def apply(self, *servers: dict) -> None:
        await self.host.apply(HostConfig.model_validate({"servers": servers}))

    async def report(self, name: str) -> ServerReport:
        report = (await self.http.get("/-/fleet")).json()
        return ServerReport.model_validate(next(server for server in report["servers"] if server["name"] == name))

    async def until(
        self, name: str, condition: Callable[[ServerReport], bool], seconds: float = 60
    ) -> ServerReport:
        report = await self.report(name)
        try:
            async with asyncio.timeout(seconds):
                while not condition(report):
                    await asyncio.sleep(0.02)
                    report = await self.report(name)
        except TimeoutError:
            pytest.fail(f"it stayed {report}")
        return report

    async def settled(self, name: str, seconds: float = 120) -> ServerReport:
        return await self.until(name, lambda report: report.state in SETTLED, seconds)

    async def ready(self, *names: str) -> None:
        for name in names:
            report = await self.settled(name)
            assert report.state is ServerState.READY, report

    async def logs(self, name: str, **query: str) -> list[str]:
        return (await self.http.get(f"/-/logs/{name}", params=query)).text.splitlines()

    async def logged(self, name: str, line: str) -> None:
        """Wait for a line in a server's log."""
        try:
            async with asyncio.timeout(10):
                while line not in await self.logs(name):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"{line!r} is not among {await self.logs(name)}")

    @asynccontextmanager
    async def client(self, server: str = "", mode: str = "auto", headers: dict[str, str] | None = None, **options):
        """An MCP client of one server, or of all."""
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(self.url + self.path(server), http_client=http)
            async with Client(transport, mode=mode, cache=None, **options) as client:
                yield client

    async def post(self, server: str, body: object, **headers: str | None) -> httpx2.Response:
        """A plain HTTP request; a header that is None is left out."""
        defaults = {"content-type": "application/json", "accept": ACCEPT}
        sent = {**defaults, **{name.replace("_", "-"): value for name, value in headers.items()}}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        wanted = {name: value for name, value in sent.items() if value is not None}
        return await self.http.post(self.path(server), content=content, headers=wanted)

    async def modern(self, server: str, method: str, params: dict | None = None, **headers: str | None):
        """A request of the 2026-07-28 era."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**(params or {}), "_meta": META}}
        named = {"mcp_name": str(params["name"])} if params and "name" in params else {}
        return await self.post(
            server, body, **{"mcp_protocol_version": "2026-07-28", "mcp_method": method, **named, **headers}
        )

    async def call(self, server: str, tool: str, headers: dict[str, str] | None = None, **arguments) -> str:
        """The text that a tool answers, to a modern client."""
        response = await self.modern(
            server, "tools/call", {"name": tool, "arguments": arguments}, **(headers or {})
        )
        return response.json()["result"]["content"][0]["text"]

    async def initialize(self, server: str, **headers: str) -> str:
        """The id of a new legacy session."""
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        request = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        response = await self.post(server, request, **headers)
        assert "result" in response.json(), response.text
        session = response.headers["mcp-session-id"]
        done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await self.post(server, done, mcp_session_id=session, **headers)).status_code == 202
        return session


@asynccontextmanager
async def running_fleet(port: int = 0, **args):
    host = Host(
        HostArgs(
            fleet="test",
            door_host="127.0.0.1",
            door_port=0,
            allowed_hosts=("127.0.0.1", "localhost"),
            base_folder=str(SERVERS),
            **args,
        )
    )
    door = Door(host.site, "127.0.0.1", port)
    await door.open()
    fleet = Fleet(host, door)
    try:
        yield fleet
    finally:
        await fleet.http.aclose()
        host.hang_up()
        await door.close()
        await host.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet():
    """One fleet for all tests of a module, which brings its servers."""
    async with running_fleet() as running:
        yield running


@pytest.fixture
def open_fleet():
    """How to open a fleet for one test."""
    return running_fleet


@pytest.fixture(scope="session")
def odd_server():
    """How to declare one of the servers in the folder `servers`."""

    def declare(file: str, *args: str, name: str = "", **spec) -> dict:
        command = [sys.executable, str(SERVERS / f"{file}.py"), *args]
        return {"name": name or file.replace("_", "-"), "command": {"command": command}, **spec}

    return declare


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="session")
def gone():
    """Wait until a process is no more."""

    async def wait(pid: int, seconds: float = 15) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while is_alive(pid):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return False
        return True

    return wait
