"""The caller's side of the engine (private_ray.py): its environment, its pipes, its end."""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from mcpfleet_cli import processes

# Ray's own settings for this one Ray. What else of Ray's is in the environment speaks of another.
_RAY: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    # Everything stays on loopback, also when the network of the machine changes.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # A person's machine may be nearly full with other things; Ray would kill servers for that.
    "RAY_memory_monitor_refresh_ms": "0",
    # A replica that dies takes the processes of its servers along (Linux).
    "RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper": "true",
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "RAY_DEDUP_LOGS": "0",
}
_LINE_LIMIT: Final = 16 * 1024 * 1024


def environment(base: Mapping[str, str], run_id: str, env_file: Path | None) -> dict[str, str]:
    """The environment of the engine and of all that it starts."""
    kept = {name: value for name, value in base.items() if not name.startswith("RAY_")}
    if env_file:
        kept["MCPFLEET_ENV_FILE"] = str(env_file)
    return kept | _RAY | {"RAY_AUTH_TOKEN": secrets.token_hex(32), processes.MARK: run_id}


class Engine:
    """One engine. `start` it, `deploy` configurations, read `events` until it ends."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, run_id: str, folder: Path, env_file: Path | None) -> "Engine":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # no module of the folder that the person is in shadows one of Python's
            "-m",
            "mcpfleet_cli.private_ray",
            str(folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=(folder / "engine.log").open("ab"),
            env=environment(os.environ, run_id, env_file),
            # A session of its own: Ctrl-C in the terminal reaches `mcpfleet up` alone, which then ends the rest.
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def deploy(self, config: Mapping[str, Any]) -> None:
        """Hand Serve a configuration; what becomes of it arrives among the events."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps({"deploy": config}).encode() + b"\n")
        with suppress(ConnectionError):  # it ended; `events` ends too
            await stdin.drain()

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """What the engine says, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield json.loads(line)

    async def stop(self, patience: float) -> None:
        """Let it end the fleet, then Ray, then itself; kill it when that takes longer (in seconds)."""
        assert self._process.stdin is not None
        with suppress(ConnectionError):
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), patience)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
