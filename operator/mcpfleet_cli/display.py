"""What a person, or a program, sees of a fleet while `mcpfleet up` runs."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from mcpfleet_api.serve import FleetReport, ServerReport, ServerState

STYLES: Final = {
    ServerState.PENDING: "dim",
    ServerState.INSTALLING: "cyan",
    ServerState.STARTING: "cyan",
    ServerState.READY: "green",
    ServerState.ASLEEP: "blue",
    ServerState.FAILED: "red",
}
SETTLED: Final = frozenset({ServerState.READY, ServerState.ASLEEP, ServerState.FAILED})


class Display(Protocol):
    """Told what happens; shows it."""

    def stage(self, text: str) -> None: ...
    def servers(self, report: FleetReport) -> None: ...
    def ready(self, url: str, report: FleetReport) -> None: ...
    def notice(self, text: str) -> None: ...
    def findings(self, findings: Iterable[str]) -> None: ...
    def close(self) -> None: ...


def is_settled(report: FleetReport) -> bool:
    """Whether no server is on its way any more."""
    return all(server.state in SETTLED for server in report.servers)


def client_config(fleet: str, url: str, report: FleetReport) -> dict[str, Any]:
    """What a client's mcp.json needs: all servers behind one entry."""
    return {"mcpServers": {fleet: {"type": "http", "url": url + report.endpoint}}}


def endpoints(url: str, report: FleetReport) -> dict[str, str]:
    """The address of each server."""
    return {server.name: url + server.endpoint for server in report.servers}


def server_table(servers: Iterable[ServerReport], *, moving: bool = False) -> Table:
    """The servers of a fleet, one a line."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in ("SERVER", "STATE", "TOOLS", "SOURCE", "MESSAGE"):
        table.add_column(column, overflow="fold", justify="right" if column == "TOOLS" else "left")
    for server in servers:
        state: RenderableType = Text(server.state, STYLES[server.state])
        if moving and server.state not in SETTLED:
            state = Spinner("dots", state)
        table.add_row(
            Text(server.name, "bold"),
            state,
            str(server.tools) if server.tools else "",
            Text(server.source, "dim"),
            Text(_message(server)),
        )
    return table


def _message(server: ServerReport) -> str:
    return ": ".join(part for part in (server.reason, server.message) if part)


class Changes:
    """The servers whose state differs from what was seen before, and the names of those that are gone."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[ServerState, int, str]] = {}

    def of(self, report: FleetReport) -> tuple[list[ServerReport], list[str]]:
        now = {server.name: (server.state, server.tools, server.reason) for server in report.servers}
        changed = [server for server in report.servers if self._seen.get(server.name) != now[server.name]]
        gone = [name for name in self._seen if name not in now]
        self._seen = now
        return changed, gone


class Lines:
    """A line for each change: for terminals after the start, and for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._changes = Changes()
        self._stage = ""

    def stage(self, text: str) -> None:
        if text != self._stage:
            self._stage = text
            self._line(f"[dim]{escape(text)}[/]")

    def servers(self, report: FleetReport) -> None:
        changed, gone = self._changes.of(report)
        for server in changed:
            tools = f", {server.tools} tool{'s' if server.tools > 1 else ''}" if server.tools else ""
            message = f": {escape(_message(server))}" if _message(server) else ""
            state = f"[{STYLES[server.state]}]{server.state}[/]"
            self._line(f"[bold]{server.name}[/] {state}{tools}{message}")
        for name in gone:
            self._line(f"[bold]{name}[/] removed")

    def ready(self, url: str, report: FleetReport) -> None:
        self._console.print(_welcome(url, report))

    def notice(self, text: str) -> None:
        self._line(escape(text))

    def findings(self, findings: Iterable[str]) -> None:
        for finding in findings:
            self._line(f"[red]{escape(finding)}[/]")

    def close(self) -> None:
        pass

    def _line(self, markup: str) -> None:
        self._console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {markup}", soft_wrap=True, highlight=False)


class LiveTable(Lines):
    """A table that moves while servers start; then a line for each change."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live: Live | None = Live(console=console, refresh_per_second=8, transient=True)
        self._live.start()
        self._report: FleetReport | None = None

    def stage(self, text: str) -> None:
        self._stage = text
        self._draw()

    def servers(self, report: FleetReport) -> None:
        self._report = report
        if self._live:
            self._changes.of(report)
            self._draw()
        else:
            super().servers(report)

    def ready(self, url: str, report: FleetReport) -> None:
        self.close()
        self._console.print(server_table(report.servers))
        super().ready(url, report)

    def close(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def _draw(self) -> None:
        if self._live:
            parts: list[RenderableType] = [server_table(self._report.servers, moving=True)] if self._report else []
            if not self._report:
                parts.append(Spinner("dots", Text(f" {self._stage}", "dim")))
            self._live.update(Group(*parts))


class Events:
    """One JSON object a line, for programs."""

    def __init__(self) -> None:
        self._changes = Changes()

    def stage(self, text: str) -> None:
        self._say("stage", text=text)

    def servers(self, report: FleetReport) -> None:
        changed, gone = self._changes.of(report)
        for server in changed:
            self._say("server", **server.model_dump(mode="json", by_alias=True))
        for name in gone:
            self._say("removed", name=name)

    def ready(self, url: str, report: FleetReport) -> None:
        self._say("ready", url=url, endpoints=endpoints(url, report), **client_config(report.fleet, url, report))

    def notice(self, text: str) -> None:
        self._say("notice", text=text)

    def findings(self, findings: Iterable[str]) -> None:
        for finding in findings:
            self._say("finding", text=finding)

    def close(self) -> None:
        pass

    @staticmethod
    def _say(event: str, **fields: Any) -> None:
        print(json.dumps({"event": event, **fields}), flush=True)


def _welcome(url: str, report: FleetReport) -> RenderableType:
    good = sum(server.state is not ServerState.FAILED for server in report.servers)
    addresses = Table.grid(padding=(0, 3, 0, 0))
    addresses.add_row("all servers", Text(url + report.endpoint, "bold"))
    for name, address in endpoints(url, report).items():
        addresses.add_row(Text(name, "dim"), Text(address, "dim"))
    config: Mapping[str, Any] = client_config(report.fleet, url, report)
    return Group(
        Text(f"\nFleet {report.fleet}: {good} of {len(report.servers)} servers answer at {url}\n", "bold"),
        addresses,
        Text("\nFor a client's mcp.json:\n", "bold"),
        Syntax(json.dumps(config, indent=2), "json", background_color="default"),
        Text("\nCtrl-C ends the fleet.", "dim"),
    )
