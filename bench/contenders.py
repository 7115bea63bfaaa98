"""Who is compared: plain stdio, the two best known wrappers, and MCPFleet, each in front of the same server."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
import load
import psutil

from mcpfleet_api.server import NpmSource, PypiSource
from mcpfleet_serve.packages import Installed, install

CACHE = load.OUT / "packages"
EVERYTHING = NpmSource(package="@modelcontextprotocol/server-everything", version="2026.8.31")
MCP_PROXY = PypiSource(package="mcp-proxy", version="0.13.0")
SUPERGATEWAY = NpmSource(package="supergateway", version="4.0.0")

MODERN = "2026-07-28"
LEGACY = "2025-06-18"
CLIENT = {"name": "bench", "version": "1"}
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
JSON_OR_SSE = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
FLEET = """\
apiVersion: mcpfleet.dev/v1alpha1
kind: MCPFleet
metadata:
  name: bench
spec:
  servers:
  - name: everything
    npm: {package: "@modelcontextprotocol/server-everything", version: 2026.8.31}
"""


@dataclass(frozen=True)
class Contender:
    """One way to reach the server. `{port}`, `{fleet}` and `{server}` stand for what differs from run to run."""

    name: str
    command: tuple[str, ...]
    path: str = ""
    modern: bool = False
    wrapper: bool = False
    """One of those whose best MCPFleet is measured against."""


@dataclass
class Running:
    """A contender that answers."""

    contender: Contender
    process: subprocess.Popen
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def measure(self, concurrency: int, seconds: float) -> load.Sample:
        before = cpu_seconds(self.process.pid)
        if self.url:
            meta = META if self.contender.modern else None
            sample = load.over_http(self.url, self.headers, meta, concurrency, seconds)
        else:
            sample = load.over_stdio(self.process, concurrency, seconds)
        used = cpu_seconds(self.process.pid) - before
        return replace(sample, cpu_us_per_call=used * 1e6 / max(sample.calls, 1))


async def contenders() -> tuple[Contender, ...]:
    """All of them, their packages installed into a private cache by MCPFleet's own installer."""
    server, proxy, gateway = await asyncio.gather(
        *(install(source, CACHE, print) for source in (EVERYTHING, MCP_PROXY, SUPERGATEWAY))
    )
    fleet = (str(Path(sys.executable).parent / "mcpfleet"), "up", "{fleet}", "--port", "{port}", "--no-watch")
    return (
        Contender("stdio, no wrapper", server.argv),
        Contender(
            "mcp-proxy 0.13",
            (*proxy.argv, "--log-level", "ERROR", "--port", "{port}", "--", *server.argv),
            path="/mcp",
            wrapper=True,
        ),
        Contender(
            "supergateway 4.0",
            (*gateway.argv, *SUPERGATEWAY_OPTIONS, "--port", "{port}", "--stdio", _words(server)),
            path="/mcp",
            wrapper=True,
        ),
        Contender("MCPFleet, 2026-07-28", fleet, path="/servers/everything/mcp", modern=True),
        Contender("MCPFleet, session", fleet, path="/servers/everything/mcp"),
    )


# Logging off and one child per session: the fastest way to run each wrapper.
SUPERGATEWAY_OPTIONS = ("--outputTransport", "streamableHttp", "--stateful", "--logLevel", "none")


def _words(server: Installed) -> str:
    return " ".join(server.argv)


@contextlib.contextmanager
def running(all_: tuple[Contender, ...], scratch: Path) -> Iterator[list[Running]]:
    """All contenders, started and initialized; those with the same command share one process."""
    (scratch / "fleet.yaml").write_text(FLEET)
    processes: dict[tuple[str, ...], tuple[subprocess.Popen, int]] = {}
    try:
        for contender in all_:
            if contender.command not in processes:
                port = free_port()
                values = {"port": port, "fleet": scratch / "fleet.yaml"}
                command = [part.format(**values) for part in contender.command]
                log = contender.name.partition(",")[0]
                processes[contender.command] = start(command, log, pipes=not contender.path), port
        yield [_ready(contender, *processes[contender.command]) for contender in all_]
    finally:
        for process, _ in processes.values():
            stop(process)


def start(
    command: list[str], log: str, *, pipes: bool = False, environment: Mapping[str, str] = os.environ
) -> subprocess.Popen:
    """Start a program in a process group of its own, its pipes ours or what it says in bench/out/logs."""
    logs = load.OUT / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{log}.log").open("wb") as opened:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else opened,
            stderr=opened,
            start_new_session=True,
            bufsize=0,
        )


def stop(process: subprocess.Popen) -> None:
    """End a program that was started here, and what it started: politely, then not."""
    if process.stdin:
        process.stdin.close()
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def _ready(contender: Contender, process: subprocess.Popen, port: int) -> Running:
    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT},
    }
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    if not contender.path:
        process.stdin.write(json.dumps(initialize).encode() + b"\n")
        process.stdout.readline()
        process.stdin.write(json.dumps(initialized).encode() + b"\n")
        return Running(contender, process)
    url = f"http://127.0.0.1:{port}{contender.path}"
    if contender.modern:
        headers = {**JSON_OR_SSE, "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
        post_until_answered(url, headers, json.loads(load.call_body(1, META)), process)
        return Running(contender, process, url, headers)
    answer = post_until_answered(url, JSON_OR_SSE, initialize, process)
    headers = {**JSON_OR_SSE, "MCP-Protocol-Version": LEGACY, "Mcp-Session-Id": answer.headers["mcp-session-id"]}
    httpx2.post(url, headers=headers, json=initialized).raise_for_status()
    return Running(contender, process, url, headers)


def post_until_answered(
    url: str, headers: Mapping[str, str], body: object, process: subprocess.Popen, limit: float = 180
) -> httpx2.Response:
    """The first good answer of a server that may still be starting."""
    deadline = time.monotonic() + limit
    last = "no answer"
    with httpx2.Client(timeout=30) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise SystemExit(f"{process.args[:3]} ended with {process.returncode}; see bench/out/logs")
            try:
                answer = client.post(url, headers=headers, json=body)
            except httpx2.TransportError as error:
                last = repr(error)
            else:
                if answer.status_code == httpx2.codes.OK and '"result"' in answer.text:
                    return answer
                last = f"{answer.status_code} {answer.text[:300]}"
            time.sleep(0.05)
    raise SystemExit(f"{url} did not answer within {limit} s: {last}")


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def cpu_seconds(command: int) -> float:
    """What a program and all that it started used: unlike the clock it hardly minds who else is at work."""
    total = 0.0
    for process in [psutil.Process(command), *psutil.Process(command).children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])  # its own, and that of children which ended
    return total
