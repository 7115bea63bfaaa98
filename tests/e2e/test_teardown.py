"""A cluster that is gone leaves nothing: the machine is as it was before."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster import choose, ledger, own
from cluster.access import Access
from cluster.images import Image
from cluster.ledger import Ledger, Started

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CGROUPS = Path("/sys/fs/cgroup")


@pytest.fixture
def image(way: str, serve_image: Image) -> Image:
    if choose.first_that_fits(way, with_node=True) != "modules":
        pytest.skip("missing: namespaces of our own (--cluster=modules); Docker tidies up what is its own")
    return serve_image


class Machine:
    """What a cluster could leave on the machine, without what other clusters that run meanwhile have there."""

    def __init__(self, mine: str = "") -> None:
        others = [each for each in ledger.ledgers() if each.name != mine]
        self.others = {mark for each in others for mark in (each.name, *each.links)}
        self.state = {
            "mounts": set(Path("/proc/self/mounts").read_text().splitlines()),
            "links": set(output("ip", "-brief", "link").splitlines()),
            "addresses": set(output("ip", "-brief", "address").splitlines()),
            "routes": set(output("ip", "route", "show", "table", "all").splitlines()),
            "rules": {line for line in output("iptables-save").splitlines() if line.startswith("-")},
            "sockets": {
                line.split()[-1]
                for line in Path("/proc/net/unix").read_text().splitlines()
                if "/" in line.split()[-1]
            },
            "cgroups": {
                str(path)
                for pattern in ("mcpfleet*", "*/mcpfleet*", "*/mcpfleet/*")
                for path in CGROUPS.glob(pattern)
            },
            "runs": {path.name for path in ledger.runs().glob("[!.]*")},
        }
        if not self.others:
            self.state["forwarding"] = {ledger.FORWARDING.read_text()}

    def differs_from(self, before: "Machine") -> dict[str, set[str]]:
        others = "|".join(map(re.escape, self.others | before.others)) or "$^"
        changed = {
            kind: {each for each in self.state[kind] ^ before.state[kind] if not re.search(others, each)}
            for kind in self.state.keys() & before.state.keys()
        }
        # Other tests come and go with sockets of their own.
        changed["sockets"] = {
            each for each in changed["sockets"] if "containerd" in each or "mcpfleet/cluster" in each
        }
        return {kind: each for kind, each in changed.items() if each}


class Inhabitants:
    """The processes of a cluster, and the namespaces that they are in."""

    def __init__(self, of: Ledger) -> None:
        self.processes = set[psutil.Process]()
        for started in of.processes:
            if process := started.process():
                self.processes |= {process, *process.children(recursive=True)}
        self.namespaces = {each for process in self.processes for each in namespaces(process.pid)} - namespaces(
            os.getpid()
        )
        self.names = {process.name() for process in self.processes}

    def still_there(self) -> tuple[set[psutil.Process], set[int]]:
        processes = {
            each for each in self.processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE
        }
        everywhere = {space for process in psutil.process_iter() for space in namespaces(process.pid)}
        return processes, self.namespaces & everywhere


def namespaces(pid: int) -> set[int]:
    try:
        return {path.stat().st_ino for path in Path(f"/proc/{pid}/ns").iterdir()}
    except OSError:
        return set()  # it has ended meanwhile


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def run_a_pod(access: Access, image: Image) -> None:
    """A pod with mounts and an address: what is hardest to take away again."""
    access.apply(
        [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "some"}, "data": {"key": "value"}},
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "sleeper"},
                "spec": {
                    "containers": [
                        {
                            "name": "sleeper",
                            "image": image.name,
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["sleep", "infinity"],
                            "volumeMounts": [{"name": "some", "mountPath": "/some"}],
                        }
                    ],
                    "volumes": [{"name": "some", "configMap": {"name": "some"}}],
                },
            },
        ]
    )

    def runs() -> bool:
        pod = access.get("v1", "Pod", "sleeper") or {}
        return pod.get("status", {}).get("phase") == "Running"

    access.wait("the pod", runs, 60)


@pytest.fixture
def before(image: Image) -> Iterator[Machine]:
    yield Machine()
    ledger.sweep()


def test_a_cluster_that_is_taken_down_leaves_the_machine_as_it_was(
    before: Machine, image: Image, run: Started
) -> None:
    with own.start_node_cluster(f"gone-{run.pid}", run, [image]) as cluster:
        cluster.start_kuberay()
        run_a_pod(cluster.access, image)
        inhabitants = Inhabitants(cluster.place.ledger)
        assert {"kubelet", "containerd", "sleep", "pause", "kuberay-operator"} <= inhabitants.names
        assert before.differs_from(Machine(mine=cluster.name)).keys() >= {"links", "routes", "rules", "cgroups"}
    assert inhabitants.still_there() == (set(), set())
    assert Machine().differs_from(before) == {}


CRASHING = """
import os, signal, sys
from pathlib import Path
from cluster import images, ledger, own
image = images.Image(sys.argv[1], Path(sys.argv[2]))
me = ledger.Started.of(os.getpid(), "a run that crashes")
cluster = own.start_node_cluster(f"crash-{os.getpid()}", me, [image])
print(cluster.kubeconfig, flush=True)
signal.pause()
"""


def test_the_next_start_cleans_up_after_a_run_that_crashed(before: Machine, image: Image) -> None:
    tests = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", CRASHING, image.name, str(image.archive)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": tests},
    ) as crashing:
        assert crashing.stdout is not None
        kubeconfig = Path(crashing.stdout.readline().strip())
        access = Access(kubeconfig)
        try:
            run_a_pod(access, image)
        finally:
            access.close()
            crashing.send_signal(signal.SIGKILL)
    left = Ledger.load(kubeconfig.parent)
    inhabitants = Inhabitants(left)
    assert {"kubelet", "containerd", "sleep"} <= inhabitants.names

    ledger.sweep()

    assert inhabitants.still_there() == (set(), set())
    assert Machine().differs_from(before) == {}
