"""Where the processes of a cluster run: on the machine itself, or in namespaces of their own."""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from cluster import commands
from cluster.ledger import Ledger, Started

# Ports that this process has chosen and perhaps not yet bound.
_chosen: set[int] = set()


class Place:
    """The machine itself: processes on 127.0.0.1, each at a free port. Needs no privilege."""

    address = "127.0.0.1"

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.folder = ledger.folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def port(self, usual: int) -> int:
        """A port for a server whose usual one is this."""
        while True:
            with socket.socket() as probe:
                probe.bind((self.address, 0))
                port = probe.getsockname()[1]
            if port not in _chosen:
                _chosen.add(port)
                return port

    def command(self, argv: list[str]) -> list[str]:
        """The command that runs `argv` in this place."""
        return argv

    def start(self, name: str, argv: list[str]) -> None:
        """Start a process that lives as long as the cluster; its output goes to logs/<name>.log."""
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{name}.log").open("ab") as log:
            # A session of its own, so that Ctrl-C at a terminal ends the tests and not the cluster beneath them.
            child = subprocess.Popen(
                self.command(argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._children[name] = child
        self.ledger.processes.append(Started.of(child.pid, name))
        self.ledger.save()

    def run(self, argv: list[str]) -> str:
        """Run a command to its end in this place, and give what it printed."""
        return commands.run(self.command(argv))

    def wait(self, what: str, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until something is ready, unless a process of the cluster dies before."""
        deadline = time.monotonic() + seconds
        while not ready():
            for name, child in self._children.items():
                if child.poll() is not None:
                    raise RuntimeError(
                        f"{name} ended with {child.returncode} while waiting for {what}:\n{self.tail(name)}"
                    )
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{what} did not come within {seconds:.0f} s; logs are in {self.folder / 'logs'}"
                )
            time.sleep(0.1)

    def tail(self, name: str) -> str:
        log: Path = self.folder / "logs" / f"{name}.log"
        return log.read_text(errors="replace")[-4000:]

    def release(self) -> None:
        """Take everything away again."""
        self.ledger.undo()
        for child in self._children.values():
            child.wait()
        self._children.clear()


def is_root() -> bool:
    return os.name == "posix" and os.geteuid() == 0
