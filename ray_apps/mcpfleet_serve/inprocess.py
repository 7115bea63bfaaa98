"""Python servers inside the replica: each on a thread and event loop of its own.

A tool that blocks or computes then holds up its own server, not the door and not the other servers.
"""

import asyncio
import importlib
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Protocol

from mcp.server.lowlevel import Server as LowLevelServer
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types.jsonrpc import jsonrpc_message_adapter

from mcpfleet_serve.channel import Receiver, ServerFailure
from mcpfleet_serve.stderr import StderrLog

STOP_SECONDS: Final = 5.0


class _Pump(Protocol):
    async def send(self, item: SessionMessage, /) -> None: ...


# Where the server whose code runs writes its log; worker threads that it starts inherit this.
_write_log: ContextVar[Callable[[str], object] | None] = ContextVar("_write_log", default=None)


class _ServerLogs(logging.Handler):
    """Brings what a Python server logs to that server's log."""

    def emit(self, record: logging.LogRecord) -> None:
        write = _write_log.get()
        if write is not None:
            for line in self.format(record).splitlines():
                write(line)


_server_logs: Final = _ServerLogs()
_server_logs.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))


class PythonRuntime:
    """The thread that one Python server's code runs on, and the server object once it is loaded."""

    def __init__(self, name: str, app: str, base_folder: Path | None, log: StderrLog) -> None:
        self._app = app
        self._base_folder = base_folder
        self._log = log
        self._home = asyncio.get_running_loop()
        root = logging.getLogger()
        root.addHandler(_server_logs)
        # With a handler in place MCPServer and FastMCP leave logging alone; their own default is INFO.
        root.setLevel(min(root.level or logging.INFO, logging.INFO))
        self._stopping = False
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"mcp-{name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._stopping:
            # `sys.exit()` in a server's code ends its task, and comes out here beside; the loop goes on.
            with suppress(SystemExit):
                self.loop.run_forever()
        self.loop.close()

    async def load(self) -> "LowLevelServer[Any]":
        """Import and call the factory, on the server's own thread.

        Raises:
            ServerFailure: it cannot be imported, fails, or is no MCP server.
        """
        loaded: Future[LowLevelServer[Any]] = asyncio.run_coroutine_threadsafe(self._load(), self.loop)
        return await asyncio.wrap_future(loaded)

    def enter(self) -> None:
        """Say that the code which runs from here on is this server's."""
        _write_log.set(self._write)

    def _write(self, line: str) -> None:
        with suppress(RuntimeError):  # the replica ends; nobody reads the log any more
            self._home.call_soon_threadsafe(self._log.write, line)

    async def _load(self) -> "LowLevelServer[Any]":
        self.enter()
        if self._base_folder is not None and str(self._base_folder) not in sys.path:
            sys.path.insert(0, str(self._base_folder))
        module_name, _, attribute = self._app.partition(":")
        try:
            found: Any = importlib.import_module(module_name)
            for part in attribute.split("."):
                found = getattr(found, part)
            server = unwrap(found)
            if server is None and callable(found):
                found = found()
                if asyncio.iscoroutine(found):
                    found = await found
                server = unwrap(found)
        except (Exception, SystemExit) as error:  # noqa: BLE001
            # Whatever a user's module raises is a fact about that server.
            raise ServerFailure("ImportFailed", _explain(error)) from None
        if server is None:
            raise ServerFailure(
                "NotAServer",
                f"{self._app} is a {type(found).__name__}; it must be an MCPServer, a FastMCP, "
                "or a function that returns one",
            )
        return server

    def stop(self) -> None:
        """End the thread once its connections are closed. A blocked tool keeps it until it returns."""
        self._stopping = True
        self.loop.call_soon_threadsafe(self.loop.stop)


def unwrap(server: Any) -> "LowLevelServer[Any] | None":
    """The low-level server inside an MCPServer or a FastMCP."""
    for candidate in (server, getattr(server, "_lowlevel_server", None), getattr(server, "_mcp_server", None)):
        if isinstance(candidate, LowLevelServer):
            return candidate
    return None


def _explain(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename and frame.filename != __file__]
    where = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{where}"


class PythonChannel:
    """One connection to a Python server in this process."""

    def __init__(self, runtime: PythonRuntime, server: "LowLevelServer[Any]") -> None:
        self._runtime = runtime
        self._server = server
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._running: Future[None] | None = None

    async def open(self, receiver: Receiver) -> None:
        home = asyncio.get_running_loop()
        opened: asyncio.Future[None] = home.create_future()

        def tell(call: Callable[..., object], *args: object) -> None:
            with suppress(RuntimeError):  # our own loop is gone: the replica ends
                home.call_soon_threadsafe(call, *args)

        async def serve() -> None:
            self._runtime.enter()
            tell(opened.set_result, None)
            try:
                await self._serve(receiver, tell)
                failure = ServerFailure("ServerEnded", "the server ended its connection")
            except (Exception, SystemExit, BaseExceptionGroup) as error:  # noqa: BLE001 - the same
                failure = ServerFailure("ServerCrashed", _explain(_innermost(error)))
            tell(receiver.ended, failure)

        self._running = asyncio.run_coroutine_threadsafe(serve(), self._runtime.loop)
        await opened

    async def _serve(self, receiver: Receiver, tell: Callable[..., None]) -> None:
        async with create_client_server_memory_streams() as (
            (from_server, to_server),
            (server_read, server_write),
        ):
            serving = asyncio.create_task(
                self._server.run(server_read, server_write, self._server.create_initialization_options())  # type: ignore[arg-type]
            )
            sending = asyncio.create_task(self._feed(to_server))

            async def receiving() -> None:
                async for item in from_server:
                    if isinstance(item, SessionMessage):
                        data = item.message.model_dump_json(by_alias=True, exclude_unset=True).encode()
                        tell(receiver.received, data)

            reading = asyncio.create_task(receiving())
            try:
                await asyncio.wait({serving, sending}, return_when=asyncio.FIRST_COMPLETED)
                await to_server.aclose()
                await asyncio.wait({serving}, timeout=STOP_SECONDS)
                if serving.done():
                    serving.result()
            finally:
                for task in (serving, sending, reading):
                    task.cancel()
                await asyncio.gather(serving, sending, reading, return_exceptions=True)

    async def _feed(self, to_server: _Pump) -> None:
        while (data := await self._queue.get()) is not None:
            message = jsonrpc_message_adapter.validate_json(data, by_name=False)
            await to_server.send(SessionMessage(message, ServerMessageMetadata()))

    def send(self, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        del headers
        with suppress(RuntimeError):  # the server's loop has ended; `ended` told so
            self._runtime.loop.call_soon_threadsafe(self._queue.put_nowait, data)

    def backlog(self) -> int:
        return 0

    def pids(self) -> tuple[int, ...]:
        return ()

    async def close(self) -> None:
        with suppress(RuntimeError):
            self._runtime.loop.call_soon_threadsafe(self._queue.put_nowait, None)
        if self._running is not None:
            ended = asyncio.wrap_future(self._running)
            await asyncio.wait({ended}, timeout=STOP_SECONDS + 1)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error
