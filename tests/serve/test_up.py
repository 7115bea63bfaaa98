"""`mcpfleet up` and the verbs beside it, on a real Ray with real servers.

The tests share one fleet, which the last of them ends: each start costs ten seconds or more.
"""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml
from mcp import Client

from mcpfleet_cli.failure import ExitCode
from mcpfleet_cli.processes import MARK

pytestmark = [pytest.mark.serve, pytest.mark.timeout(280)]

TIME = {"name": "time", "pypi": {"package": "mcp-server-time", "version": "2026.10.19"}, "isolation": "Shared"}
EVERYTHING = {
    "name": "everything",
    "npm": {"package": "@modelcontextprotocol/server-everything", "version": "2026.8.31"},
    "isolation": "Shared",
    "env": [{"name": "API_TOKEN", "secretKeyRef": {"name": "vault", "key": "token"}}],
}
SECRET = "s3cret-of-the-vault"
ECHO = {"name": "echo", "python": {"app": "echo_server:server"}}
FILES = {
    "name": "files",
    "npm": {"package": "@modelcontextprotocol/server-filesystem", "version": "2026.8.31", "args": ["/mnt/data"]},
    "isolation": "Shared",
    "volumes": ["data"],
}
VOLUMES = [{"name": "data", "mountPath": "/mnt/data", "emptyDir": {}}]
ECHO_SERVER = '''
from mcp.server import MCPServer

server = MCPServer("echo")


@server.tool()
def echo(text: str, times: int = 1) -> str:
    """Say it again."""
    return " ".join([text] * times)
'''


class Terminal:
    """A person at one terminal: a folder, a register of runs of their own, and the `mcpfleet` program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "RAY_ADDRESS": "ray://192.0.2.1:1"}

    def mcpfleet(self, *words: str, **options) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mcpfleet_cli.main", *words]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=self.env,
            cwd=self.folder,
            timeout=60,
            **options,
        )

    def write(self, fleet: str, *servers: dict, file: str = "fleet.yaml", **spec) -> Path:
        document = {
            "apiVersion": "mcpfleet.dev/v1alpha1",
            "kind": "MCPFleet",
            "metadata": {"name": fleet},
            "spec": {"servers": list(servers), **spec},
        }
        path = self.folder / file
        path.write_text(yaml.safe_dump(document))
        return path

    def report(self, *words: str) -> dict:
        return json.loads(self.mcpfleet("status", "--output", "json", *words).stdout)


class Up:
    """One `mcpfleet up --output json`, with what it says."""

    def __init__(self, terminal: Terminal, file: Path, *words: str) -> None:
        command = [sys.executable, "-m", "mcpfleet_cli.main", "up", file.name, "--port", "0", "-o", "json", *words]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=terminal.env,
            cwd=terminal.folder,
        )
        self._events: queue.SimpleQueue[dict] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.ready: dict = {}

    def _read(self) -> None:
        for line in self.process.stdout:
            self._events.put(json.loads(line))
        self._events.put({"event": "end"})

    def wait_for(self, seconds: float = 120, **fields) -> dict:
        """The next event that has these fields."""
        until = time.monotonic() + seconds
        seen = []
        while True:
            try:
                event = self._events.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"{fields} did not come; {seen}")
            if fields.items() <= event.items():
                return event
            seen.append(event)
            if event["event"] == "end":
                pytest.fail(f"ended before {fields}; {seen}; {self.process.stderr.read()}")

    @property
    def url(self) -> str:
        return self.ready["url"]

    def belongings(self) -> dict[psutil.Process, str]:
        """What it started: its descendants, and all that carries the mark of its run."""
        descendants = psutil.Process(self.process.pid).children(recursive=True)
        marks = {mark for process in descendants if (mark := mark_of(process))}
        assert len(marks) <= 1
        marked = [process for process in psutil.process_iter() if marks and mark_of(process) in marks]
        return {process: " ".join(process.cmdline())[:80] for process in {*descendants, *marked}}

    def end(self, *signals: int, seconds: float = 15) -> int:
        """Send the signals and see that nothing remains; the exit code."""
        belongings = self.belongings()
        began = time.monotonic()
        for number in signals:
            self.process.send_signal(number)
            time.sleep(0.3)
        code = self.process.wait(60)
        took = time.monotonic() - began
        assert took < seconds
        assert [name for process, name in belongings.items() if lives(process)] == []
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        self._reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


def lives(process: psutil.Process) -> bool:
    try:
        # A dead process whose parent died first waits for init to notice.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


@contextmanager
def up(terminal: Terminal, file: Path, *words: str):
    started = Up(terminal, file, *words)
    try:
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def terminal():
    folder = Path(tempfile.mkdtemp())
    (folder / "echo_server.py").write_text(ECHO_SERVER)
    yield Terminal(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def office(terminal):
    (terminal.folder / "secrets.env").write_text(f"VAULT_TOKEN={SECRET}\n")
    with up(terminal, terminal.write("office", TIME, EVERYTHING, ECHO), "--env-file", "secrets.env") as fleet:
        fleet.ready = fleet.wait_for(event="ready", seconds=240)
        yield fleet


def test_the_first_call_works_as_the_client_configuration_says(terminal, office):
    assert terminal.mcpfleet("call", "echo", "echo", "text=hello", "times=2").stdout == "hello hello\n"
    assert office.ready["mcpServers"] == {"office": {"type": "http", "url": f"{office.url}/mcp"}}


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_the_pasted_address_offers_the_tools_of_all_servers_in_both_eras(office, mode):
    async with Client(office.ready["mcpServers"]["office"]["url"], mode=mode) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    assert {name for name in names if "echo" in name}
    assert {name for name in names if "get_current_time" in name}
    assert len(names) == 2 + 13 + 1


def test_nothing_listens_for_other_machines(office):
    listening = {
        (name, connection.laddr.ip)
        for process, name in office.belongings().items()
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {ip for _, ip in listening} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, listening


def test_a_secret_reaches_its_server_and_nothing_else(terminal, office):
    assert SECRET in terminal.mcpfleet("call", "everything", "get-env").stdout
    assert SECRET not in terminal.mcpfleet("status", "-o", "json").stdout
    assert SECRET not in terminal.mcpfleet("logs", "everything").stdout
    assert SECRET not in "".join(str(process.cmdline()) for process in office.belongings())
    (run,) = registered(terminal)
    written = [file for file in Path(run["folder"]).rglob("*") if file.is_file()]
    assert [file for file in written if SECRET.encode() in file.read_bytes()] == []


def test_status_is_for_people_and_for_programs(terminal, office):
    assert {(server["name"], server["state"]) for server in terminal.report()["servers"]} == {
        ("time", "Ready"),
        ("everything", "Ready"),
        ("echo", "Ready"),
    }
    assert yaml.safe_load(terminal.mcpfleet("status", "-o", "yaml").stdout)["url"] == office.url
    lines = terminal.mcpfleet("status", "--url", office.url).stdout.splitlines()
    assert lines[0] == f"Fleet office at {office.url}/mcp"
    assert lines[3].split()[:3] == ["time", "Ready", "2"]


def test_tools_are_listed_with_their_arguments(terminal, office):
    assert [line.split()[:4] for line in terminal.mcpfleet("tools", "echo").stdout.splitlines()[1:]] == [
        ["echo", "echo", "text", "times=integer?"]
    ]
    listed = json.loads(terminal.mcpfleet("tools", "--output", "json").stdout)
    assert len(listed) == 2 + 13 + 1
    assert listed[-1]["inputSchema"]["required"] == ["text"]


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["everything", "get-sum", "a=1", "b=2.5"], ExitCode.OK, "The sum of 1 and 2.5 is 3.5."),
        (["everything", "get-sum", "--json", '{"a": 1, "b": 2}'], ExitCode.OK, "The sum of 1 and 2 is 3."),
        (["everything", "get-tiny-image"], ExitCode.OK, "[image: image/png, "),
        (["everything", "get-sum", "a=1"], ExitCode.BAD_INPUT, "the tool needs also: b=<number>"),
        (["everything", "sum"], ExitCode.BAD_INPUT, 'server everything has no tool "sum"; it has: echo, '),
        (["evrything", "echo"], ExitCode.BAD_INPUT, 'fleet office has no server "evrything"; it has: time, '),
        (["time", "get_current_time", "timezone=Mars"], ExitCode.FAILED, "Invalid timezone"),
    ],
)
def test_a_call_prints_its_result_or_says_what_is_wrong(terminal, office, words, code, expected):
    done = terminal.mcpfleet("call", *words)
    assert (done.returncode, expected in (done.stderr if code else done.stdout)) == (code, True), done


def test_logs_are_what_a_server_wrote_to_its_stderr(terminal, office):
    assert "Starting default (STDIO) server..." in terminal.mcpfleet("logs", "everything").stdout
    following = [sys.executable, "-m", "mcpfleet_cli.main", "logs", "everything", "--follow", "--tail", "1"]
    with subprocess.Popen(following, stdout=subprocess.PIPE, text=True, env=terminal.env) as process:
        assert process.stdout.readline() == terminal.mcpfleet("logs", "everything", "-n", "1").stdout
        process.send_signal(signal.SIGINT)
        assert process.wait(10) in (0, 130)


def test_an_edit_of_the_file_starts_and_ends_servers_and_leaves_the_others(terminal, office):
    before = {server["name"]: server["children"] for server in terminal.report()["servers"]}
    terminal.write("office", TIME, EVERYTHING, ECHO, FILES, volumes=VOLUMES)
    office.wait_for(event="server", name="files", state="Ready", seconds=60)
    after = {server["name"]: server["children"] for server in terminal.report()["servers"]}
    assert after.pop("files") != []
    assert after == before
    (terminal.folder / "data" / "note.txt").write_text("from the folder of the volume")
    read = terminal.mcpfleet("call", "files", "read_text_file", f"path={terminal.folder}/data/note.txt")
    assert read.stdout == "from the folder of the volume\n", read
    terminal.write("office", TIME, EVERYTHING, ECHO)
    office.wait_for(event="removed", name="files")


def test_a_broken_edit_changes_nothing(terminal, office):
    file = terminal.folder / "fleet.yaml"
    good = file.read_text()
    before = terminal.report()
    file.write_text(good.replace("isolation:", "isolatoin:"))
    assert 'did you mean "isolation"?' in office.wait_for(event="finding")["text"]
    assert office.wait_for(event="notice")["text"].endswith("nothing was changed")
    assert terminal.report()["servers"] == before["servers"]
    file.write_text(good)


def test_a_second_fleet_runs_beside_the_first_until_down(terminal, office):
    with up(terminal, terminal.write("garden", ECHO, file="garden.yaml")) as garden:
        garden.ready = garden.wait_for(event="ready")
        assert terminal.report("--fleet", "garden")["fleet"] == "garden"
        unclear = terminal.mcpfleet("status")
        assert unclear.returncode == ExitCode.BAD_INPUT
        assert "choose one with --fleet NAME" in unclear.stderr

        belongings = garden.belongings()
        assert terminal.mcpfleet("down", "--fleet", "garden").stdout == f"Fleet garden at {garden.url} is down.\n"
        assert [name for process, name in belongings.items() if lives(process)] == []
        assert garden.process.wait(5) == ExitCode.OK
    assert terminal.report()["fleet"] == "office"


def test_two_interrupts_during_the_start_leave_nothing(terminal):
    with up(terminal, terminal.write("garden", ECHO, file="garden.yaml")) as garden:
        garden.wait_for(event="stage", text="starting Ray Serve")
        assert garden.end(signal.SIGINT, signal.SIGINT, seconds=6) == ExitCode.OK


def test_what_a_killed_up_leaves_is_gone_after_down(terminal, office):
    with up(terminal, terminal.write("garden", ECHO, TIME, file="garden.yaml")) as garden:
        garden.wait_for(event="ready")
        belongings = garden.belongings()
        garden.process.kill()
        garden.process.wait()
        cleaned = terminal.mcpfleet("down", "--fleet", "garden")
        assert (cleaned.stdout, cleaned.returncode) == ("Cleaned up what a run of fleet garden had left.\n", 0)
        assert [name for process, name in belongings.items() if lives(process)] == []
    assert terminal.report()["fleet"] == "office"


def test_a_taken_port_is_said_before_anything_starts(terminal, office):
    port = office.url.rpartition(":")[2]
    done = terminal.mcpfleet("up", "fleet.yaml", "--port", port)
    assert done.returncode == ExitCode.MACHINE
    assert done.stderr.startswith(f"mcpfleet: port {port} is taken")


def test_a_bad_file_is_refused_with_every_mistake(terminal):
    bad = terminal.write("garden", TIME, EVERYTHING, file="bad.yaml")
    bad.write_text(bad.read_text().replace("isolation:", "isolatoin:"))
    done = terminal.mcpfleet("up", "bad.yaml")
    assert done.returncode == ExitCode.BAD_INPUT
    assert 'did you mean "isolation"?' in done.stderr
    assert done.stderr.endswith("2 mistakes; nothing was changed\n")


def test_bundle_installs_packages_into_a_folder(terminal):
    terminal.write("garden", TIME, ECHO, file="garden.yaml")
    done = terminal.mcpfleet("bundle", "garden.yaml", "--into", "packages", "--output", "json")
    assert done.returncode == ExitCode.OK, done
    (package,) = json.loads(done.stdout)["packages"]
    assert package["package"] == "mcp-server-time"
    assert Path(package["folder"]).parent == terminal.folder / "packages"
    assert Path(package["folder"]).is_dir()


def test_an_interrupt_ends_everything_even_during_a_call(terminal, office):
    folders = {Path(run["folder"]) for run in registered(terminal)}
    calling = [sys.executable, "-m", "mcpfleet_cli.main", "call", "everything", "trigger-long-running-operation"]
    call = subprocess.Popen(
        [*calling, "duration=60", "steps=60"],
        env=terminal.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(3)
    assert office.end(signal.SIGINT) == ExitCode.OK
    assert call.wait(10) != ExitCode.OK
    assert registered(terminal) == []
    assert [folder for folder in folders if folder.exists()] == []


def registered(terminal) -> list[dict]:
    return [json.loads(file.read_text()) for file in (terminal.folder / "state/mcpfleet/runs").glob("*.json")]
