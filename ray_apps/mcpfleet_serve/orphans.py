"""Processes that a host left behind when it was killed: no host of ours lets them live on.

Each child carries its host's mark in its environment, and so does all that it starts. A mark whose process is gone
makes an orphan. Most servers end by themselves when their stdin closes; this is for those that do not.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

MARK: Final = "MCPFLEET_HOST"


def _namespace() -> str:
    """Ids of processes mean nothing outside their namespace: a container's processes are not ours to judge."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""  # not Linux


def own_mark() -> str:
    """The mark of this process: its id, and when it started, since ids are used again."""
    process = psutil.Process()
    return f"{_namespace()}/{process.pid}/{process.create_time():.2f}"


def end_orphans() -> list[int]:
    """Kill every process of this user whose host is dead. It reads each one's environment, so use a thread.

    Returns:
        The ids of the processes that were killed.
    """
    ended: list[int] = []
    here = _namespace()
    for process in psutil.process_iter():
        # Another user's process, or one that ends this moment, is none of ours.
        with suppress(psutil.Error, OSError):
            namespace, _, host = process.environ().get(MARK, "").partition("/")
            if host and namespace == here and process.pid != os.getpid() and not _lives(host):
                process.kill()
                ended.append(process.pid)
    return ended


def _lives(host: str) -> bool:
    pid, _, started = host.partition("/")
    try:
        process = psutil.Process(int(pid))
        return f"{process.create_time():.2f}" == started and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False
