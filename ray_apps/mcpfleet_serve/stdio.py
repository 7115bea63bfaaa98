"""A child process that speaks MCP on stdin and stdout: framing, life and death.

The framing is the MCP stdio transport's: one JSON-RPC message a line, UTF-8, stderr free for logs.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

from mcpfleet_serve.channel import Receiver, ServerFailure
from mcpfleet_serve.orphans import MARK, own_mark
from mcpfleet_serve.stderr import StderrLog

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
CLOSE_GRACE_SECONDS: Final = 2.0  # after stdin closed: the MCP way to end a server
TERM_GRACE_SECONDS: Final = 3.0
DRAIN_SECONDS: Final = 0.5
TOLD_LINES: Final = 8

# What a child may know of its host. All else (Ray's own settings, other servers' secrets) stays here.
INHERITED: Final = (
    "PATH HOME LANG LANGUAGE LC_ALL LC_CTYPE LOGNAME SHELL TERM TMPDIR TZ USER"
    " HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy"
    " SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS"
    # Workload identity: names and paths of short-lived tokens, no secrets by themselves.
    " AZURE_CLIENT_ID AZURE_TENANT_ID AZURE_AUTHORITY_HOST AZURE_FEDERATED_TOKEN_FILE"
    " AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE AWS_REGION AWS_DEFAULT_REGION AWS_STS_REGIONAL_ENDPOINTS"
    " AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
    " MCPFLEET_RUN"
).split()


def child_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: what it may inherit, then what its server declares."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | dict(env) | {MARK: own_mark()}


class StdioChannel:
    """One child process in a process group of its own."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path | None, log: StderrLog) -> None:
        self._argv = list(argv)
        self._env = child_environment(env)
        self._cwd = cwd
        self._log = log
        self._child: _Child | None = None
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None
        self._closing: asyncio.Task[None] | None = None

    async def open(self, receiver: Receiver) -> None:
        child = _Child(
            on_stdout=lambda line: self._on_line(line, receiver),
            on_stderr=lambda line: self._log.write(line.decode(errors="replace")),
            on_overlong=self._overlong,
        )
        try:
            transport, _ = await asyncio.get_running_loop().subprocess_exec(
                lambda: child, *self._argv, env=self._env, cwd=self._cwd, start_new_session=True
            )
        except FileNotFoundError as error:
            raise ServerFailure(
                "CommandNotFound", f"{error.filename or self._argv[0]!r} was not found; check the command and PATH"
            ) from None
        except OSError as error:
            raise ServerFailure("CommandNotRunnable", f"{self._argv[0]!r}: {error.strerror}") from None
        self._child, self._transport = child, transport
        self._stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
        child.exited.add_done_callback(lambda _: self._on_exit(child, transport, receiver))

    def _on_line(self, line: bytes, receiver: Receiver) -> None:
        if line.lstrip()[:1] == b"{":
            receiver.received(line)
        elif line.strip():
            self._log.write("[stdout] " + line[:1000].decode(errors="replace"))

    def _overlong(self) -> None:
        self._log.write(f"a message on stdout is longer than {MAX_MESSAGE_BYTES} bytes; ending the server")
        self._signal(signal.SIGKILL)

    def _on_exit(self, child: "_Child", transport: asyncio.SubprocessTransport, receiver: Receiver) -> None:
        code = transport.get_returncode() or 0
        how = f"exited with status {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"

        def tell(_: object) -> None:
            tail = "\n".join(self._log.last(TOLD_LINES))
            receiver.ended(ServerFailure("ChildExited", f"the server {how}" + (f"\n{tail}" if tail else "")))

        # What it forked ends with it, however it ended.
        self._signal(signal.SIGKILL)
        # What it wrote last may still be in the pipes; a process that left the group with them must not delay us.
        drained = asyncio.ensure_future(asyncio.wait({child.drained}, timeout=DRAIN_SECONDS))
        drained.add_done_callback(tell)

    def send(self, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        del headers
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write(data + b"\n")

    def backlog(self) -> int:
        return 0 if self._stdin is None or self._stdin.is_closing() else self._stdin.get_write_buffer_size()

    def pids(self) -> tuple[int, ...]:
        if self._transport is None or self._child is None or self._child.exited.done():
            return ()
        return (self._transport.get_pid(),)

    def _signal(self, number: signal.Signals) -> None:
        if self._transport is not None:
            # The group outlives its leader while a grandchild is left in it.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._transport.get_pid(), number)

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        # Shielded: a caller that gives up must not leave a child behind.
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._child is None or self._transport is None:
            return
        if self._stdin is not None:
            self._stdin.close()
        exited = self._child.exited
        if not await _within(exited, CLOSE_GRACE_SECONDS):
            self._signal(signal.SIGTERM)
            if not await _within(exited, TERM_GRACE_SECONDS):
                self._signal(signal.SIGKILL)
                await exited
        self._transport.close()


async def _within(future: asyncio.Future[None], limit: float) -> bool:
    """Whether it was done within `limit` seconds. It goes on either way."""
    done, _ = await asyncio.wait({future}, timeout=limit)
    return bool(done)


class _Child(asyncio.SubprocessProtocol):
    """The child as the event loop sees it.

    Attributes:
        exited: Done once it has ended.
        drained: Done once its stdout and stderr are read to their ends.
    """

    def __init__(
        self,
        on_stdout: Callable[[bytes], None],
        on_stderr: Callable[[bytes], None],
        on_overlong: Callable[[], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.drained: asyncio.Future[None] = loop.create_future()
        self._lines = {1: Lines(on_stdout, on_overlong), 2: Lines(on_stderr, None)}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._lines[fd].feed(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        del exc
        lines = self._lines.pop(fd, None)
        if lines is not None:
            lines.end()
        if not self._lines and not self.drained.done():
            self.drained.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)


class Lines:
    """Bytes to lines. A line longer than the limit is dropped, and said so."""

    def __init__(
        self,
        on_line: Callable[[bytes], None],
        on_overlong: Callable[[], None] | None,
        limit: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._on_line = on_line
        self._on_overlong = on_overlong
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._skipping = False  # until the overlong line ends

    def feed(self, data: bytes) -> None:
        head, newline, rest = data.partition(b"\n")
        if not newline:
            self._hold(data)
            return
        if self._skipping:
            self._skipping = False
        else:
            self._on_line(b"".join((*self._parts, head)) if self._parts else head)
        *lines, last = rest.split(b"\n")
        for line in lines:
            self._on_line(line)
        self._parts, self._size = [], 0
        if last:
            self._hold(last)

    def _hold(self, data: bytes) -> None:
        if self._skipping:
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > self._limit:
            self._parts, self._size = [], 0
            self._skipping = True
            if self._on_overlong is not None:
                self._on_overlong()

    def end(self) -> None:
        """What came after the last line break is a line too."""
        if self._parts:
            self._on_line(b"".join(self._parts))
            self._parts, self._size = [], 0
