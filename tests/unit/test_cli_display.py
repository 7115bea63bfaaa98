"""What `mcpfleet up` shows to people and to programs."""

import io
import json

import pytest
from rich.console import Console

from mcpfleet_api.serve import FleetReport
from mcpfleet_cli.display import Events, Lines, LiveTable

URL = "http://127.0.0.1:8000"


def report(**servers) -> FleetReport:
    return FleetReport.model_validate(
        {
            "fleet": "office",
            "version": "1",
            "replica": "r",
            "pid": 1,
            "endpoint": "/mcp",
            "servers": [
                {"name": name, "source": "python a:b", "endpoint": f"/servers/{name}/mcp", **fields}
                for name, fields in servers.items()
            ],
        }
    )


STARTING = report(time={"state": "Starting"}, files={"state": "Installing"})
SETTLED = report(
    time={"state": "Ready", "tools": 2},
    files={"state": "Failed", "reason": "ImportFailed", "message": "no module [a]"},
)


def story(display):
    display.stage("starting Ray")
    display.stage("starting Ray")
    display.servers(STARTING)
    display.servers(STARTING)
    display.servers(SETTLED)
    display.ready(URL, SETTLED)
    display.servers(report(time={"state": "Asleep", "tools": 2}))
    display.findings(["fleet.yaml:1:1: error: [x]"])
    display.notice("ending the fleet")
    display.close()


def test_a_log_has_one_line_for_each_change():
    out = io.StringIO()
    story(Lines(Console(file=out, width=100)))
    lines = [line.split(" ", 1)[1] for line in out.getvalue().splitlines() if line[2:3] == ":"]
    assert lines == [
        "starting Ray",
        "time Starting",
        "files Installing",
        "time Ready, 2 tools",
        "files Failed: ImportFailed: no module [a]",
        "time Asleep, 2 tools",
        "files removed",
        "fleet.yaml:1:1: error: [x]",
        "ending the fleet",
    ]
    assert "Fleet office: 1 of 2 servers answer at http://127.0.0.1:8000" in out.getvalue()
    pasted = out.getvalue().partition("mcp.json:")[2].partition("Ctrl-C")[0]
    assert json.loads(pasted) == {"mcpServers": {"office": {"type": "http", "url": f"{URL}/mcp"}}}


def test_a_terminal_keeps_the_last_table_and_then_has_lines():
    out = io.StringIO()
    story(LiveTable(Console(file=out, width=100, force_terminal=True, color_system=None)))
    shown = out.getvalue()
    assert shown.count("Fleet office") == 1
    last_table = shown[: shown.index("Fleet office")].rpartition("SERVER")[2]
    assert [line.split()[:2] for line in last_table.splitlines()[1:3]] == [["time", "Ready"], ["files", "Failed"]]
    assert "time Asleep" in shown.partition("Ctrl-C")[2]


def test_a_program_gets_one_object_a_line(capsys):
    story(Events())
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(event["event"], event.get("name", event.get("text"))) for event in events] == [
        ("stage", "starting Ray"),
        ("stage", "starting Ray"),
        ("server", "time"),
        ("server", "files"),
        ("server", "time"),
        ("server", "files"),
        ("ready", None),
        ("server", "time"),
        ("removed", "files"),
        ("finding", "fleet.yaml:1:1: error: [x]"),
        ("notice", "ending the fleet"),
    ]
    (ready,) = (event for event in events if event["event"] == "ready")
    assert ready["endpoints"] == {name: f"{URL}/servers/{name}/mcp" for name in ("time", "files")}


@pytest.mark.parametrize("kind", [Lines, LiveTable])
def test_a_display_that_is_closed_early_leaves_the_cursor_alone(kind):
    out = io.StringIO()
    display = kind(Console(file=out, force_terminal=True))
    display.stage("starting Ray")
    display.close()
    display.close()
    assert out.getvalue().rfind("\x1b[?25l") <= out.getvalue().rfind("\x1b[?25h")
