"""What this machine must have before a fleet starts on it; each check says what is missing and what to do."""

import errno
import socket
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psutil

from mcpfleet_cli.failure import ExitCode, Failure

GIB: Final = 1024**3
# Ray and the hosting replica take about 0.7 GiB, the rest is for a handful of servers and for their installs.
NEEDED_BYTES: Final = int(1.5 * GIB)


def ray_is_installed() -> None:
    """Raises a Failure unless Ray Serve can be imported."""
    if find_spec("ray") is None:
        raise Failure("Ray is not installed; install it with: pip install 'mcpfleet[serve]'", ExitCode.MACHINE)


def enough_memory(available: int | None = None) -> None:
    """Raises a Failure unless there is memory for Ray and a few servers."""
    available = available_memory() if available is None else available
    if available < NEEDED_BYTES:
        raise Failure(
            f"not enough memory: a fleet needs about {NEEDED_BYTES / GIB:.1f} GiB,"
            f" and {available / GIB:.1f} GiB are available; end other programs, or give this machine more",
            ExitCode.MACHINE,
        )


def available_memory() -> int:
    """Bytes that a new program may take, here or in the container that this is."""
    available = psutil.virtual_memory().available
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    with suppress(OSError, ValueError):  # no container, or "max"
        available = min(available, int(limit.read_text()) - int(used.read_text()))
    return available


def port_to_use(host: str, port: int) -> int:
    """The port, if nobody listens on it; for 0 a free one."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise Failure(
            f"--host {host} is no address of this machine: {error.strerror}", ExitCode.BAD_INPUT
        ) from None
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of an earlier run that linger in TIME_WAIT do not take the port; a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            return int(probe.getsockname()[1])
        except PermissionError:
            raise Failure(
                f"port {port} needs privileges; choose one above 1023 with --port", ExitCode.MACHINE
            ) from None
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise Failure(f"cannot listen on {host}:{port}: {error.strerror}", ExitCode.MACHINE) from None
            raise Failure(
                f"port {port} is taken{_by(port)}; choose another with --port N, or let --port 0 find one",
                ExitCode.MACHINE,
            ) from None


def _by(port: int) -> str:
    if sys.platform == "darwin":
        return ""  # only root may ask there
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid:
            with suppress(psutil.Error):
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
