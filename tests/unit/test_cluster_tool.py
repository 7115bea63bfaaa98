"""The test clusters' tool where no cluster is needed: its cache, its ledger, its versions, its words."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cluster import cache, choose, debian, ledger, own
from cluster.ledger import Ledger, Started
from cluster.missing import Missing
from cluster.place import Place
from cluster.versions import KUBERNETES, VERSIONS, minor, pinned


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCPFLEET_CACHE", str(tmp_path))


def put(text: str, built: list[str]):
    def build(into: Path) -> None:
        built.append(text)
        (into / "file").write_text(text)

    return build


def test_an_entry_is_built_once() -> None:
    built: list[str] = []
    for _ in range(3):
        assert (cache.entry("kind", "name", put("whole", built)) / "file").read_text() == "whole"
    assert built == ["whole"]


def test_a_damaged_entry_is_noticed_and_built_anew() -> None:
    built: list[str] = []
    place = cache.entry("kind", "name", put("whole", built))
    (place / "file").write_text("holes")  # as long as it was
    assert (cache.entry("kind", "name", put("whole", built)) / "file").read_text() == "whole"
    (place / "file").unlink()
    assert (cache.entry("kind", "name", put("whole", built)) / "file").read_text() == "whole"
    (place / cache.MANIFEST).write_text("{")
    assert (cache.entry("kind", "name", put("whole", built)) / "file").read_text() == "whole"
    assert len(built) == 4


def test_a_large_tree_that_lost_files_is_noticed() -> None:
    built: list[str] = []
    place = cache.entry("kind", "name", put("whole", built), checked=False)
    cache.entry("kind", "name", put("whole", built), checked=False)
    (place / "file").write_text("hole")
    cache.entry("kind", "name", put("whole", built), checked=False)
    assert len(built) == 2


def test_a_build_that_fails_leaves_no_entry() -> None:
    def fail(into: Path) -> None:
        (into / "half").touch()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.entry("kind", "name", fail)
    built: list[str] = []
    place = cache.entry("kind", "name", put("whole", built))
    assert {path.name for path in place.iterdir()} == {"file", cache.MANIFEST}


def test_two_runs_that_want_the_same_entry_build_it_once() -> None:
    built: list[str] = []

    def slow(into: Path) -> None:
        time.sleep(0.2)
        put("whole", built)(into)

    threads = [threading.Thread(target=lambda: cache.entry("kind", "name", slow)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == ["whole"]


USING = """
import sys
from pathlib import Path
from cluster import cache
cache.entry("kind", sys.argv[1], lambda into: None, kept=2)
print("made", flush=True)
sys.stdin.read()
"""


def using(name: str) -> subprocess.Popen[str]:
    """Another run that uses an entry."""
    tests = str(Path(__file__).parents[1])
    run = subprocess.Popen(
        [sys.executable, "-c", USING, name],
        env=os.environ | {"PYTHONPATH": tests},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "made\n"
    return run


def test_old_entries_of_a_bounded_kind_go_unless_a_run_still_uses_them() -> None:
    with using("a") as still:
        for name in ("b", "c", "d"):
            with using(name) as run:
                run.communicate()
        assert {path.name for path in cache.entries("kind")} == {"a", "c", "d"}
        still.communicate()
    with using("e") as run:
        run.communicate()
    assert {path.name for path in cache.entries("kind")} == {"d", "e"}


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def test_a_cluster_ends_only_what_it_started_itself() -> None:
    with sleeper() as mine, sleeper() as other:
        of = ledger.new("one", Started.of(other.pid, "its owner"))
        of.processes.append(Started.of(mine.pid, "mine"))
        # The pid of another process now: the one that had it has ended.
        of.processes.append(Started(other.pid, 1.0, "long gone"))
        of.undo()
        assert mine.wait() != 0
        assert other.poll() is None
        other.kill()
    assert not of.folder.exists()


def test_what_a_dead_run_left_is_swept_and_what_a_live_one_has_stays() -> None:
    with sleeper() as owner, sleeper() as left:
        for name in ("first", "second"):
            of = ledger.new(name, Started.of(owner.pid, "a run"))
            of.processes.append(Started.of(left.pid, "left"))
            of.save()
        ledger.sweep()
        assert [each.name for each in ledger.ledgers()] == ["first", "second"]
        owner.kill()
        owner.wait()
        ledger.sweep()
        assert ledger.ledgers() == []
        assert left.wait() != 0


def test_a_ledger_survives_being_written() -> None:
    of = ledger.new("one", None)
    with sleeper() as process:
        of.first = Started.of(process.pid, "first")
        of.links.append("link")
        of.rules.append(["-t", "nat"])
        of.save()
        assert Ledger.load(of.folder) == of
        process.kill()


def test_a_process_that_dies_while_a_cluster_starts_is_named_with_its_last_words() -> None:
    place = Place(ledger.new("one", None))
    place.start("etcd", [sys.executable, "-c", "raise SystemExit('the disk is full')"])
    with pytest.raises(RuntimeError, match=r"etcd ended with 1 while waiting for the moon:\nthe disk is full"):
        place.wait("the moon", lambda: False, 30)
    place.release()


def test_the_modules_are_pinned_at_the_versions_of_versions_toml() -> None:
    for module in pinned():
        text = (module.folder / "go.mod").read_text()
        required = re.search(rf"^\s*(?:require )?{re.escape(module.module)} v(\S+)", text, re.MULTILINE)
        assert required is not None, module
        assert required[1] == module.version
        assert all(package in text for package in module.binaries.values()), module


def test_a_kubernetes_that_is_not_pinned_is_refused_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert minor() == next(iter(KUBERNETES))
    monkeypatch.setenv("MCPFLEET_KUBERNETES", "1.12")
    with pytest.raises(SystemExit, match=", ".join(KUBERNETES)):
        minor()
    assert set(VERSIONS["kind"]["nodes"]) == set(KUBERNETES)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCPFLEET_APT", "0")
    monkeypatch.setattr(debian, "PACKAGES", {"no-such-program": "no-such-package"})
    with pytest.raises(Missing, match="no-such-package"):
        debian.require(("no-such-program",))


def test_a_missing_privilege_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "is_root", lambda: False)
    with pytest.raises(Missing, match=r"missing: (root|Linux)"):
        own.require_node()


def test_an_envtest_folder_without_an_api_server_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="setup-envtest"):
        own.from_assets(tmp_path)


def test_the_first_way_that_fits_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setattr(choose.kind, "docker_runs", lambda: False)
    assert choose.first_that_fits("auto") == "modules"
    monkeypatch.setenv("KUBEBUILDER_ASSETS", "/somewhere")
    assert choose.first_that_fits("auto") == "envtest"
    assert choose.first_that_fits("auto", with_node=True) == "modules"
    monkeypatch.setattr(choose.kind, "docker_runs", lambda: True)
    assert choose.first_that_fits("auto") == "kind"
    assert choose.first_that_fits("existing") == "existing"


def test_a_ledger_is_readable_by_a_person() -> None:
    of = ledger.new("one", None)
    assert json.loads((of.folder / ledger.FILE).read_text())["name"] == "one"
