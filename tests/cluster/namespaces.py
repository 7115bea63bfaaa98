"""A place of its own for the processes of one cluster: network, mounts and process ids.

The first process in it is `pause`. When that is killed, the kernel ends every other process in it, whoever
started them, and with the last one go the mounts, the bridges, the routes and the iptables rules inside. So there
is little to take away: the machine's end of one link, two iptables rules, and the cgroups.
"""

import ipaddress
import json
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster import cache, commands, go, ledger
from cluster.ledger import Started
from cluster.place import Place
from cluster.versions import PAUSE

# Cut off, a cluster neither hears nor is heard: packets vanish, as they do when a region fails, and connections
# that were open hang. Rules of the mangle table come before all that Kubernetes' own rules decide.
CUT = (("PREROUTING", "-i", "uplink"), ("POSTROUTING", "-o", "uplink"))
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Addresses:
    """The networks of cluster number n, apart from those of every other."""

    second: int
    number: int

    @property
    def gateway(self) -> str:
        return f"10.{self.second}.{self.number}.1"

    @property
    def node(self) -> str:
        return f"10.{self.second}.{self.number}.2"

    @property
    def link(self) -> str:
        return f"10.{self.second}.{self.number}.0/30"

    @property
    def pods(self) -> str:
        return f"10.{self.second + 1}.{self.number}.0/24"

    @property
    def services(self) -> str:
        return f"10.{self.second + 2}.{self.number}.0/24"


class Namespaces(Place):
    """Namespaces, joined to the machine by one link."""

    addresses: Addresses
    cgroup: str
    _init: int | None = None

    def join(self) -> None:
        """Make the namespaces and link them to the machine; before, they are a plan."""
        pause = go.programs(PAUSE) / "pause"
        self.start(
            "namespaces",
            ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--mount", "--net", str(pause)],
        )
        self._init = self._first_process()
        self.ledger.first = Started.of(self._init, "the first process")
        with cache.locked(ledger.runs() / ".network.lock"):
            self.addresses = free_addresses()
            self._link()
        self.address = self.addresses.node
        self._prepare_mounts()
        self.cgroup = self._make_cgroup()

    def port(self, usual: int) -> int:
        return usual  # nobody else listens in here

    def command(self, argv: list[str]) -> list[str]:
        if self._init is None:
            return argv
        return ["nsenter", f"--target={self._init}", "--mount", "--net", "--pid", "--", *argv]

    def cut_off(self) -> None:
        """Let no packet in or out, without a word to either side."""
        if not self._is_cut_off():
            for rule in CUT:
                self.run(["iptables", "-w", "-t", "mangle", "-I", *rule, "-j", "DROP"])

    def heal(self) -> None:
        """Take back `cut_off`."""
        if self._is_cut_off():
            for rule in CUT:
                self.run(["iptables", "-w", "-t", "mangle", "-D", *rule, "-j", "DROP"])

    def _is_cut_off(self) -> bool:
        chain, *match = CUT[0]
        return f"-A {chain} {' '.join(match)} -j DROP" in self.run(["iptables", "-w", "-t", "mangle", "-S", chain])

    def _first_process(self) -> int:
        """The pid, seen from the machine, of `pause`."""
        unshare = psutil.Process(self.ledger.processes[0].pid)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for child in unshare.children():
                # Until then the child is still unshare itself, on its way into the namespaces.
                if child.name() == "pause":
                    return child.pid
            time.sleep(0.02)
        raise RuntimeError(f"no namespaces could be made:\n{self.tail('namespaces')}")

    def _link(self) -> None:
        link = f"mcpfleet{self.addresses.number}"
        comment = ["-m", "comment", "--comment", f"mcpfleet cluster {self.ledger.name}"]
        rules = [
            [
                "-t",
                "nat",
                "POSTROUTING",
                "-s",
                self.addresses.link,
                "!",
                "-o",
                "mcpfleet+",
                *comment,
                "-j",
                "MASQUERADE",
            ],
            # Where Docker runs, packets are dropped that no rule lets pass.
            ["-t", "filter", "FORWARD", "-i", link, *comment, "-j", "ACCEPT"],
            ["-t", "filter", "FORWARD", "-o", link, *comment, "-j", "ACCEPT"],
        ]
        self.ledger.links.append(link)
        self.ledger.rules += [[table, name, "-D", *rest] for table, name, *rest in rules]
        self.ledger.save()
        addresses = self.addresses
        commands.run(
            ["ip", "link", "add", link, "type", "veth", "peer", "name", "uplink", "netns", str(self._init)]
        )
        commands.run(["ip", "address", "add", f"{addresses.gateway}/30", "dev", link])
        commands.run(["ip", "link", "set", link, "up"])
        self.run(["ip", "link", "set", "lo", "up"])
        self.run(["ip", "address", "add", f"{addresses.node}/30", "dev", "uplink"])
        self.run(["ip", "link", "set", "uplink", "up"])
        self.run(["ip", "route", "add", "default", "via", addresses.gateway])
        self.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
        for network in (addresses.pods, addresses.services):
            commands.run(["ip", "route", "add", network, "via", addresses.node])
        for table, name, chain, *rest in rules:
            commands.run(["iptables", "-w", table, name, "-I", chain, *rest])
        ledger.allow_forwarding()

    def _prepare_mounts(self) -> None:
        """A /run of its own, so that containerd's sockets and state meet no other containerd's."""
        self.run(["mount", "--make-rshared", "/"])
        self.run(["mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run"])

    def _make_cgroup(self) -> str:
        """A cgroup for the node's pods, in every hierarchy of the machine."""
        name = f"/mcpfleet/{self.ledger.name}"
        unified = (CGROUPS / "cgroup.controllers").exists()
        hierarchies = [CGROUPS] if unified else [each for each in sorted(CGROUPS.iterdir()) if each.is_dir()]
        for hierarchy in hierarchies:
            if hierarchy.is_symlink():
                continue  # such as cpu, where cpu and cpuacct are one
            self.ledger.cgroups.append(str(hierarchy) + name)
            self.ledger.save()
            folder = hierarchy
            for part in ("mcpfleet", self.ledger.name):
                delegate(folder)
                parent, folder = folder, folder / part
                folder.mkdir(exist_ok=True)
                for inherited in ("cpuset.cpus", "cpuset.mems"):
                    # The first version of cgroups leaves these empty, and then admits no process.
                    if not unified and (folder / inherited).exists():
                        (folder / inherited).write_text((parent / inherited).read_text())
            delegate(folder)
        return name


def delegate(cgroup: Path) -> None:
    """With the second version of cgroups, let those below use what this one may."""
    controllers = cgroup / "cgroup.controllers"
    if controllers.exists() and controllers.read_text().strip():
        (cgroup / "cgroup.subtree_control").write_text(
            " ".join(f"+{controller}" for controller in controllers.read_text().split())
        )


def free_addresses() -> Addresses:
    """Networks that nothing on the machine uses."""
    routes = json.loads(commands.run(["ip", "-json", "-4", "route", "show", "table", "all"]))
    taken = [
        ipaddress.ip_network(route["dst"], strict=False)
        for route in routes
        if route["dst"] != "default" and route.get("type") != "broadcast"
    ]
    for second in range(213, 63, -3):
        for number in range(1, 100):
            addresses = Addresses(second, number)
            wanted = [ipaddress.ip_network(each) for each in (addresses.link, addresses.pods, addresses.services)]
            if not any(one.overlaps(other) for one in wanted for other in taken):
                return addresses
    raise RuntimeError("no private network is free for a cluster")
