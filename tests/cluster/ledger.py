"""What a cluster has put on the machine, written down as it goes, so that any later run can take it away again.

Each cluster has a folder under run/ in the cache, with a ledger in it. A ledger names the process that the
cluster belongs to (a test run), or none (`make cluster-up`). When that process is gone, the next start undoes
what the ledger lists: processes by pid and start time, links, iptables rules, cgroups.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from cluster import cache
from cluster.progress import say

FILE = "ledger.json"
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
DEADLINE = 20.0


@dataclass(frozen=True)
class Started:
    """A process of ours; the start time tells it from a later one with the same pid."""

    pid: int
    created: float
    what: str

    @classmethod
    def of(cls, pid: int, what: str) -> "Started":
        return cls(pid, psutil.Process(pid).create_time(), what)

    def process(self) -> psutil.Process | None:
        """The process, while it runs."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.created) < 1 and found.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return found if same else None


@dataclass
class Ledger:
    """What one cluster has started and made. `undo` takes it all away."""

    folder: Path
    name: str
    owner: Started | None = None
    first: Started | None = None  # of the cluster's own namespaces: with it the kernel ends all others in them
    processes: list[Started] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    rules: list[list[str]] = field(default_factory=list)
    cgroups: list[str] = field(default_factory=list)
    kind: str = ""  # the kind program, for a cluster that is a container of Docker's

    def save(self) -> None:
        whole = asdict(self) | {"folder": str(self.folder)}
        part = self.folder / f".{FILE}.part"
        part.write_text(json.dumps(whole, indent=1))
        part.rename(self.folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> "Ledger":
        whole = json.loads((folder / FILE).read_text())
        whole["folder"] = folder
        for each in ("owner", "first"):
            whole[each] = Started(**whole[each]) if whole[each] else None
        whole["processes"] = [Started(**process) for process in whole["processes"]]
        return cls(**whole)

    def abandoned(self) -> bool:
        """Whether it belonged to a run that is over, or to a machine that has since been restarted."""
        if self.owner is not None:
            return self.owner.process() is None
        return not any(started.process() for started in self.processes)

    def undo(self) -> None:
        """End the processes, then take away what is left, and at last the folder. Safe to repeat."""
        if not self.folder.exists():
            return
        if self.first:
            end([self.first])
            # Those outside wait for their own children inside, and bury them, if they are given a moment.
            gone([started for started in self.processes if started.process()], seconds=5)
        end(self.processes)
        if self.kind:
            subprocess.run([self.kind, "delete", "cluster", "--name", self.name], capture_output=True, check=True)
        for rule in self.rules:
            # What is gone already is no failure: an earlier undo may have been cut short.
            subprocess.run(["iptables", "-w", *rule], capture_output=True, check=False)
        for link in self.links:
            subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False)
        for cgroup in self.cgroups:
            remove_cgroup(Path(cgroup))
        shutil.rmtree(self.folder)
        if not any(ledger.links for ledger in ledgers()):
            restore_forwarding()


def end(processes: list[Started]) -> None:
    """Kill them: nothing that they hold outlives the cluster. Then wait until they are gone."""
    for started in processes:
        if process := started.process():
            process.send_signal(signal.SIGKILL)
    if left := gone(processes, DEADLINE):
        raise RuntimeError(f"{', '.join(f'{each.what} (pid {each.pid})' for each in left)} does not end")


def gone(processes: list[Started], seconds: float) -> list[Started]:
    """Those that have not ended when the time is over."""
    deadline = time.monotonic() + seconds
    while (left := [started for started in processes if started.process()]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def remove_cgroup(path: Path) -> None:
    """Remove a cgroup and those in it. The kernel refuses until their last process is buried."""
    deadline = time.monotonic() + DEADLINE
    while path.exists():
        try:
            for folder, _, _ in os.walk(path, topdown=False):
                Path(folder).rmdir()
            if not any(each.is_dir() for each in path.parent.iterdir()):
                path.parent.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def allow_forwarding() -> None:
    """Let the machine pass packets between clusters and the world, and note how it was before."""
    before = FORWARDING.read_text().strip()
    if before == "0":
        (runs() / ".ip_forward").write_text(before)
        FORWARDING.write_text("1")


def restore_forwarding() -> None:
    note = runs() / ".ip_forward"
    if note.exists():
        FORWARDING.write_text(note.read_text())
        note.unlink()


def runs() -> Path:
    return cache.root() / "run"


def ledgers() -> list[Ledger]:
    """Of all clusters on the machine, running or left over."""
    return [Ledger.load(path.parent) for path in sorted(runs().glob(f"*/{FILE}"))]


def sweep() -> None:
    """Take away what earlier runs left: those that crashed, and those before a restart of the machine."""
    for ledger in ledgers():
        if ledger.abandoned():
            say(f"cleaning up the cluster {ledger.name}, which an earlier run left")
            ledger.undo()


def new(name: str, owner: Started | None) -> Ledger:
    """A ledger and a folder for a new cluster of this name."""
    folder = runs() / name
    runs().mkdir(parents=True, exist_ok=True)
    with cache.locked(runs() / ".lock"):
        sweep()
        if (folder / FILE).exists():
            raise SystemExit(f"a cluster {name} runs already; `make cluster-down` ends it")
        shutil.rmtree(folder, ignore_errors=True)  # made, but not yet written down, when its run ended
        folder.mkdir()
        ledger = Ledger(folder, name, owner)
        ledger.save()
    return ledger
