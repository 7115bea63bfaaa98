"""The figures that matter to someone at a laptop: how soon a fleet answers, what it takes, how fast it is."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import contenders as field
import data_path
import httpx2
import psutil
from load import OUT
from rich.console import Console
from rich.table import Table

from mcpfleet_api.serve import FleetReport, ServerState

QUICKSTART = Path(__file__).parent.parent / "examples" / "quickstart.yaml"
MCPFLEET = str(Path(sys.executable).parent / "mcpfleet")
NEW_SERVER = """\
  - name: memory
    npm: {package: "@modelcontextprotocol/server-memory", version: 2026.8.31}
"""


def call(tool: str, arguments: Mapping[str, object]) -> tuple[dict[str, str], dict[str, object]]:
    """Headers and body of a modern `tools/call`."""
    of_tool = {"MCP-Protocol-Version": field.MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}
    params = {"name": tool, "arguments": arguments, "_meta": field.META}
    return field.JSON_OR_SSE | of_tool, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def quickstart(environment: Mapping[str, str]) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds from the command line to the first right answer and to all servers Ready; then MiB, once all are."""
    port = field.free_port()
    start = time.monotonic()
    command = [MCPFLEET, "up", str(QUICKSTART), "--port", str(port)]
    process = field.start(command, "quickstart", environment=environment)
    try:
        url = f"http://127.0.0.1:{port}/servers/everything/mcp"
        field.post_until_answered(url, *call("echo", {"message": "hello"}), process)
        first = time.monotonic() - start
        cpu = field.cpu_seconds(process.pid)
        while not all(server.state is ServerState.READY for server in fleet(port).servers):
            time.sleep(0.05)
        times = {
            "first call": first,
            "all servers Ready": time.monotonic() - start,
            "CPU until the first call": cpu,
        }
        time.sleep(5)  # what only starting up took is given back
        return times, memory(process.pid, fleet(port))
    finally:
        field.stop(process)


def new_server(scratch: Path) -> dict[str, float]:
    """Seconds from saving a server into the file of a running fleet to its first right answer."""
    file = scratch / "fleet.yaml"
    file.write_text(field.FLEET)
    port = field.free_port()
    process = field.start([MCPFLEET, "up", str(file), "--port", str(port)], "new server")
    try:
        base = f"http://127.0.0.1:{port}/servers"
        field.post_until_answered(f"{base}/everything/mcp", *call("echo", {"message": "hello"}), process)
        rounds: list[float] = []
        for _ in range(5):
            time.sleep(1)
            start = time.monotonic()
            file.write_text(field.FLEET + NEW_SERVER)
            field.post_until_answered(f"{base}/memory/mcp", *call("read_graph", {}), process)
            rounds.append(time.monotonic() - start)
            file.write_text(field.FLEET)
            while len(fleet(port).servers) > 1:
                time.sleep(0.05)
        return {"median": sorted(rounds)[len(rounds) // 2], "slowest": max(rounds)}
    finally:
        field.stop(process)


def fleet(port: int) -> FleetReport:
    return FleetReport.model_validate_json(httpx2.get(f"http://127.0.0.1:{port}/-/fleet", timeout=30).text)


def memory(command: int, report: FleetReport) -> dict[str, float]:
    """MiB of each part: Ray's own processes, the command line, the hosting replica, each server's children."""
    children = {pid: server.name for server in report.servers for pid in server.children}
    shares: dict[str, float] = {}
    for process in [psutil.Process(command), *psutil.Process(command).children(recursive=True)]:
        try:
            full = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        # Proportional share where the kernel tells it; else what is the process's alone.
        size = (getattr(full, "pss", 0) or full.uss) / 2**20
        if process.pid in children:
            part = f"server {children[process.pid]}"
        elif process.pid == report.pid:
            part = "hosting replica"
        else:
            part = "mcpfleet up" if process.pid == command else "Ray"
        shares[part] = shares.get(part, 0) + size
    return shares


def table(title: str, unit: str, figures: Mapping[str, float], digits: int) -> Table:
    shown = Table(title, unit)
    shown.columns[1].justify = "right"
    for name, value in figures.items():
        shown.add_row(name, f"{value:.{digits}f}")
    return shown


def main() -> None:
    parser = data_path.options()
    parser.description = __doc__
    parser.add_argument("--cold", action="store_true", help="also start the quickstart with empty caches")
    arguments = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    console = Console(width=None if Console().is_terminal else 150)
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        scratch = Path(name)
        if arguments.cold:
            empty = {**os.environ, "MCPFLEET_CACHE": str(scratch / "cold")}
            times, _ = quickstart(empty)
            figures["cold"] = times
            console.print(table("mcpfleet up, nothing installed yet", "s", times, 1))
        quickstart(os.environ)  # whatever was not installed is now
        times, shares = quickstart(os.environ)
        figures |= {"warm": times, "memory": shares}
        console.print(table("mcpfleet up, packages installed", "s", times, 1))
        console.print(table("memory of the quickstart", "MiB", {**shares, "all": sum(shares.values())}, 0))
        figures["newServer"] = added = new_server(scratch)
        console.print(table("a new server saved, until its first call", "s", added, 2))
    figures["dataPath"] = compared = data_path.compare(arguments.rounds, arguments.seconds, arguments.only)
    (OUT / "figures.json").write_text(json.dumps(figures, indent=2))
    print(f"written: {OUT / 'figures.json'}, {OUT / 'data_path.png'}")
    print(f"ratio to the best wrapper at c=32: {compared['ratioToBestWrapper'][32]:.2f}")


if __name__ == "__main__":
    main()
