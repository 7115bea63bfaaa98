"""The register of runs, and the processes that belong to one."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from mcpfleet_cli import processes, runs
from mcpfleet_cli.cleaning import clean_up_after_the_dead
from mcpfleet_cli.failure import ExitCode, Failure
from mcpfleet_cli.runs import ProcessId, Run


@pytest.fixture(autouse=True)
def _own_register(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    return Run(
        id=f"test-{os.getpid()}",
        fleet="office",
        url="http://127.0.0.1:8000",
        file="/fleet.yaml",
        folder=str(folder),
        cli=processes.identify(os.getpid()),
        servers=("time",),
    )


def dead(run):
    """The same run, whose process number has been given to another process since."""
    return replace(run, cli=ProcessId(run.cli.pid, run.cli.began - 1000))


def test_a_run_comes_back_as_it_was_saved(run):
    full = replace(run, engine=ProcessId(7, 8.5))
    runs.save(run)
    runs.save(full)
    assert list(runs.recorded()) == [full]
    runs.forget(full)
    assert list(runs.recorded()) == []


def test_a_file_of_another_version_is_passed_over(run):
    runs.save(run)
    (runs.folder() / "other.json").write_text('{"id": "x"}')
    (runs.folder() / "broken.json").write_text("{")
    assert list(runs.recorded()) == [run]


def test_a_process_number_that_was_given_away_is_not_the_run(run):
    runs.save(run)
    assert processes.living_runs() == [run]
    runs.save(dead(run))
    assert processes.living_runs() == []


def test_the_only_run_needs_no_name(run):
    assert runs.choose(None, among=[run]) is run


@pytest.mark.parametrize(
    ("fleet", "others", "message", "code"),
    [
        (None, [], "no fleet runs on this machine; start one with", ExitCode.NO_FLEET),
        (None, ["office", "garden"], "choose one with --fleet NAME", ExitCode.BAD_INPUT),
        (None, ["office", "office"], "choose one by its address, with --url", ExitCode.BAD_INPUT),
        ("office", ["office", "office", "garden"], "choose one by its address, with --url", ExitCode.BAD_INPUT),
        ("hotel", ["office", "garden"], 'no fleet "hotel" runs on this machine; there are:', ExitCode.NO_FLEET),
    ],
)
def test_which_run_is_meant_must_be_clear(run, fleet, others, message, code):
    with pytest.raises(Failure) as failure:
        runs.choose(fleet, among=[replace(run, fleet=name) for name in others])
    assert message in failure.value.message
    assert failure.value.code == code


def test_what_a_killed_run_left_is_ended_and_removed(run):
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(99)"
    )
    marked = {**os.environ, processes.MARK: run.id}
    with (
        subprocess.Popen([sys.executable, "-c", stubborn], env=marked, stdout=subprocess.PIPE) as left,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"]) as stranger,
    ):
        assert left.stdout.readline() == b"1\n"
        runs.save(dead(run))
        assert [process.pid for process in processes.of_run(run)] == [left.pid]
        assert processes.end(run, patience=0.2) == []
        assert not psutil.pid_exists(left.pid)
        assert stranger.poll() is None
        stranger.kill()
    assert clean_up_after_the_dead() == ["office"]
    assert list(runs.recorded()) == []
    assert not Path(run.folder).exists()


def test_a_living_run_is_not_cleaned_up(run):
    runs.save(run)
    assert clean_up_after_the_dead() == []
    assert Path(run.folder).exists()


def test_a_process_in_the_engines_session_belongs_to_the_run(run):
    sleeper = [sys.executable, "-c", "import time; time.sleep(99)"]
    with subprocess.Popen(sleeper, start_new_session=True) as engine:
        led = replace(run, engine=processes.identify(engine.pid))
        assert [process.pid for process in processes.of_run(led)] == [engine.pid]
        assert processes.end(led, patience=2) == []
        assert not psutil.pid_exists(engine.pid)
