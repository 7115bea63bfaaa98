"""Talking to a fleet's own pages: its report, its logs, its servers' addresses."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

import httpx2
import typer

from mcpfleet_api.serve import FleetReport, ServerReport
from mcpfleet_cli import processes, runs
from mcpfleet_cli.failure import ExitCode, Failure


def _fleet_names(incomplete: str) -> list[str]:
    return [run.fleet for run in runs.recorded() if run.fleet.startswith(incomplete)]


def server_names(incomplete: str) -> list[str]:
    """Completes the name of a server of any fleet that runs here."""
    return sorted({name for run in runs.recorded() for name in run.servers if name.startswith(incomplete)})


FleetOption = Annotated[
    str | None,
    typer.Option("--fleet", help="Which fleet of this machine, when several run.", autocompletion=_fleet_names),
]
UrlOption = Annotated[
    str | None, typer.Option("--url", help="Address of any fleet, such as http://127.0.0.1:8000.")
]


@dataclass(frozen=True)
class Target:
    """A fleet's address."""

    url: str

    def client(self, timeout: float | None = 10.0) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=timeout, trust_env=not is_loopback(self.url))

    def report(self) -> FleetReport:
        """The state of the fleet.

        Raises:
            Failure: it does not answer, or something else does.
        """
        with self.reachable(), self.client() as client:
            answer = client.get("/-/fleet")
        if not answer.is_success:
            raise Failure(
                f"{self.url} answers HTTP {answer.status_code} and not with a fleet's report; check the address",
                ExitCode.NO_FLEET,
            )
        try:
            return FleetReport.model_validate_json(answer.content)
        except ValueError:
            raise Failure(
                f"{self.url} is no fleet of this version; check the address", ExitCode.NO_FLEET
            ) from None

    def server(self, name: str) -> ServerReport:
        """The state of one server.

        Raises:
            Failure: there is no such server.
        """
        report = self.report()
        for server in report.servers:
            if server.name == name:
                return server
        names = ", ".join(server.name for server in report.servers)
        raise Failure(f'fleet {report.fleet} has no server "{name}"; it has: {names}', ExitCode.BAD_INPUT)

    @contextmanager
    def reachable(self) -> Generator[None]:
        """Turns what goes wrong on the way into a Failure."""
        try:
            yield
        except httpx2.TransportError as error:
            raise Failure(
                f"{self.url} does not answer ({str(error) or type(error).__name__}); is the fleet still starting?",
                ExitCode.NO_FLEET,
            ) from None
        except httpx2.InvalidURL as error:
            raise Failure(f"--url {self.url} is no address: {error}", ExitCode.BAD_INPUT) from None


def target(fleet: str | None, url: str | None) -> Target:
    """The fleet that is meant: by its address, by its name, or the only one on this machine.

    Raises:
        Failure: there is none, or more than one.
    """
    if url:
        if urlsplit(url).scheme not in ("http", "https"):
            raise Failure(f"--url {url} is no address; write it such as http://127.0.0.1:8000", ExitCode.BAD_INPUT)
        return Target(url.rstrip("/"))
    return Target(runs.choose(fleet, among=processes.living_runs()).url)


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine, where no proxy of the environment leads."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
