"""The program as a shell sees it, without any fleet."""

import importlib
import json
import socket
import subprocess
import sys
from importlib.metadata import version

import pytest
import typer
from typer.main import get_command

from mcpfleet_api.serve import FleetReport, ServerState
from mcpfleet_cli import checks
from mcpfleet_cli.display import Changes, client_config, endpoints, is_settled
from mcpfleet_cli.engine import environment
from mcpfleet_cli.failure import ExitCode, Failure
from mcpfleet_cli.fleet_url import is_loopback
from mcpfleet_cli.main import VERBS


def mcpfleet(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "mcpfleet_cli.main", *words], capture_output=True, text=True, check=False, **options
    )


@pytest.fixture(autouse=True)
def _own_register(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_the_version_is_that_of_the_distribution():
    assert mcpfleet("--version").stdout == f"mcpfleet {version('mcpfleet')}\n"


def test_help_loads_nothing_that_is_slow():
    code = (
        "import sys\n"
        "sys.argv = ['mcpfleet', '--help']\n"
        "from mcpfleet_cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('ray', 'mcp', 'kubernetes', 'pydantic', 'httpx2', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for verb in VERBS:
        assert verb in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_the_summary_of_a_verb_is_how_its_own_help_begins(verb):
    app = typer.Typer()
    importlib.import_module(f"mcpfleet_cli.{verb}").register(app)
    assert (get_command(app).help or "").split("\n")[0] == VERBS[verb]


@pytest.mark.parametrize("verb", ["status", "tools", "down"])
def test_without_a_fleet_a_verb_says_how_to_start_one(verb):
    done = mcpfleet(verb)
    assert done.returncode == ExitCode.NO_FLEET
    assert done.stdout == ""
    assert done.stderr == (
        "mcpfleet: no fleet runs on this machine; start one with `mcpfleet up FILE`, or name another with --url\n"
    )


def test_an_address_where_nobody_listens_is_named():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        done = mcpfleet("status", "--url", url)
    assert done.returncode == ExitCode.NO_FLEET
    assert done.stderr.startswith(f"mcpfleet: {url} does not answer")


@pytest.mark.parametrize(
    ("words", "stderr"),
    [
        (["up", "/no/such.yaml"], "No such file"),
        (["up", "fleet.yaml", "--env-file", "/no/such.env"], "--env-file /no/such.env is not there"),
        (["status", "--url", "localhost"], "write it such as http://127.0.0.1:8000"),
        (["up"], "Missing argument"),
        (["fly"], "No such command"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(words, stderr):
    done = mcpfleet(*words)
    assert done.returncode == ExitCode.BAD_INPUT
    assert stderr in done.stderr
    assert "Traceback" not in done.stderr


def test_completion_offers_the_verbs():
    script = "from mcpfleet_cli.main import app; app(prog_name='mcpfleet')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={"_MCPFLEET_COMPLETE": "complete_bash", "COMP_WORDS": "mcpfleet va", "COMP_CWORD": "1"},
    )
    assert done.stdout.split() == ["validate"]


def test_too_little_memory_says_how_much_there_is():
    checks.enough_memory(2 * checks.GIB)
    with pytest.raises(Failure, match=r"needs about 1\.5 GiB, and 0\.5 GiB are available") as failure:
        checks.enough_memory(checks.GIB // 2)
    assert failure.value.code == ExitCode.MACHINE


def test_a_free_port_is_found_and_a_taken_one_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Failure, match=f"port {port} is taken.*--port 0") as failure:
            checks.port_to_use("127.0.0.1", port)
        assert failure.value.code == ExitCode.MACHINE
    assert checks.port_to_use("127.0.0.1", port) == port
    assert checks.port_to_use("127.0.0.1", 0) > 0


def test_the_engine_knows_nothing_of_another_ray():
    base = {"RAY_ADDRESS": "ray://elsewhere:10001", "RAY_NAMESPACE": "x", "HOME": "/home/me", "TOKEN": "t"}
    first, second = environment(base, "one", None), environment(base, "two", None)
    assert "RAY_ADDRESS" not in first
    assert "RAY_NAMESPACE" not in first
    assert (first["HOME"], first["TOKEN"], first["MCPFLEET_RUN"]) == ("/home/me", "t", "one")
    assert first["RAY_AUTH_TOKEN"] != second["RAY_AUTH_TOKEN"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("http://localhost", True),
        ("https://mcp.example.com", False),
        ("http://10.0.0.7:8000", False),
    ],
)
def test_proxies_are_passed_by_for_this_machine_alone(url, expected):
    assert is_loopback(url) is expected


def report(**states):
    servers = [
        {"name": name, "state": state, "source": "python a:b", "endpoint": f"/servers/{name}/mcp"}
        for name, state in states.items()
    ]
    return FleetReport.model_validate(
        {"fleet": "office", "version": "1", "replica": "r", "pid": 1, "endpoint": "/mcp", "servers": servers}
    )


def test_a_fleet_has_settled_when_no_server_is_on_its_way():
    assert is_settled(report(a="Ready", b="Failed", c="Asleep"))
    assert not is_settled(report(a="Ready", b="Installing"))


def test_the_client_configuration_can_be_pasted():
    answer = report(a="Ready")
    assert json.loads(json.dumps(client_config("office", "http://127.0.0.1:1", answer))) == {
        "mcpServers": {"office": {"type": "http", "url": "http://127.0.0.1:1/mcp"}}
    }
    assert endpoints("http://127.0.0.1:1", answer) == {"a": "http://127.0.0.1:1/servers/a/mcp"}


def test_only_what_changed_is_told():
    changes = Changes()
    assert [server.name for server in changes.of(report(a="Starting", b="Ready"))[0]] == ["a", "b"]
    changed, gone = changes.of(report(a="Ready"))
    assert [(server.name, server.state) for server in changed] == [("a", ServerState.READY)]
    assert gone == ["b"]
    assert changes.of(report(a="Ready")) == ([], [])
