"""Runs npm and uv: in a process group of their own, with a limit, and without secrets in what they say."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcpfleet_serve.packages.errors import PackageError, Reason

LIMIT_SECONDS = 600
SECRETS = (
    (re.compile(r"(?<=://)[^/\s@]+@"), ""),
    (re.compile(r"(?i)\b(_?auth(?:_?token)?|_?password|token|secret)(\s*[=:]\s*)\S+"), r"\1\2***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 ***"),
    (re.compile(r"\b(npm_|pypi-)[A-Za-z0-9_-]{16,}"), r"\1***"),
)


@dataclass(frozen=True)
class Outcome:
    """How an installer ended."""

    code: int
    stdout: str
    stderr: str


async def run(command: tuple[str, ...], *, cwd: Path, env: Mapping[str, str]) -> Outcome:
    """Run an installer to its end. Cancelled or past the limit, its whole process group is killed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=dict(env),  # uvloop takes nothing but a dict
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            stdout, stderr = await process.communicate()
    except TimeoutError:
        raise PackageError(
            Reason.INSTALL_FAILED,
            f"{Path(command[0]).name} did not finish within {LIMIT_SECONDS} s; is the package registry reachable?",
        ) from None
    finally:
        # Also after a good end: an install script may have left something running.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return Outcome(
        process.returncode or 0,
        redacted(stdout.decode(errors="replace")),
        redacted(stderr.decode(errors="replace")),
    )


def redacted(text: str) -> str:
    """The text without credentials: those in URLs, in npm settings and in headers."""
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text


def last_lines(text: str, count: int = 6) -> str:
    """The end of what an installer said, on one line."""
    lines = [line.strip() for line in text.splitlines()]
    return "; ".join([line for line in lines if line][-count:])
