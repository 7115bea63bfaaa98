"""A fleet file as it runs on this machine: paths, addresses, and Serve's configuration."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import psutil

from mcpfleet_api.fleet import MCPFleet
from mcpfleet_api.serve import HostArgs, HostConfig
from mcpfleet_cli.failure import ExitCode, Failure
from mcpfleet_cli.fleet_file import load
from mcpfleet_operator.render.local_volumes import local_folders, on_local_folders
from mcpfleet_operator.render.serve_config import serve_config

# Of the few seconds that Serve gives a replica at Ctrl-C, most go to calls in progress, the rest to its children.
DRAIN_SECONDS: Final = 3


class InvalidFile(Failure):
    """The file has mistakes, or not exactly one fleet."""

    def __init__(self, file: Path, findings: list[str]) -> None:
        mistakes = "1 mistake" if len(findings) == 1 else f"{len(findings)} mistakes"
        super().__init__(f"{file} has {mistakes}; nothing was changed", ExitCode.BAD_INPUT, tuple(findings))


def read(file: Path) -> MCPFleet:
    """The one fleet of a file.

    Raises:
        InvalidFile: with everything that is wrong.
    """
    loaded = load(file)
    findings = [str(finding) for finding in loaded.findings]
    if not findings and len(loaded.fleets) != 1:
        names = ", ".join(fleet.metadata.name for fleet in loaded.fleets)
        findings = [
            f"{file}: error: "
            + (f"has several fleets ({names}); keep one per file" if names else "has no MCPFleet in it")
        ]
    if findings:
        raise InvalidFile(file, findings)
    return loaded.fleets[0]


@dataclass(frozen=True)
class LocalFleet:
    """One fleet at one address of this machine."""

    file: Path
    fleet: MCPFleet
    host: str
    port: int

    @property
    def name(self) -> str:
        return self.fleet.metadata.name

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self.file.resolve().parent

    @property
    def url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.port}"

    @property
    def server_names(self) -> tuple[str, ...]:
        return tuple(server.name for server in self.fleet.spec.servers)

    @property
    def args(self) -> HostArgs:
        gateway = self.fleet.spec.gateway
        return HostArgs(
            fleet=self.name,
            door_host=self.host,
            door_port=self.port,
            allowed_hosts=tuple(dict.fromkeys((*_own_names(self.host), *gateway.allowed_hosts))),
            allowed_origins=gateway.allowed_origins,
            base_folder=str(self.base),
            drain_seconds=DRAIN_SECONDS,
        )

    @property
    def config(self) -> dict[str, Any]:
        """Serve's configuration."""
        spec = self.fleet.spec
        servers = on_local_folders(spec.servers, spec.volumes, self.base)
        return serve_config(self.args, HostConfig(servers=servers))

    def make_folders(self) -> None:
        """Make the folders that stand for the volumes in use.

        Raises:
            Failure: one cannot be made.
        """
        used = {name for server in self.fleet.spec.servers for name in server.volumes}
        for name, folder in local_folders(self.fleet.spec.volumes, self.base).items():
            if name in used:
                try:
                    Path(folder).mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise Failure(
                        f"cannot make the folder {folder} for volume {name}: {error.strerror};"
                        " set the volume's local.path to another",
                        ExitCode.MACHINE,
                    ) from None


def _own_names(host: str) -> Iterator[str]:
    """What a client of this machine may call it; any other Host header is one that a web page made up."""
    yield from ("127.0.0.1", "localhost", "[::1]")
    with suppress(ValueError):
        if ip_address(host).is_loopback:
            return
        if not ip_address(host).is_unspecified:
            yield f"[{host}]" if ":" in host else host
            return
    yield host
    yield socket.gethostname()
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family == socket.AF_INET:
                yield address.address
            elif address.family == socket.AF_INET6:
                yield f"[{address.address.partition('%')[0]}]"
