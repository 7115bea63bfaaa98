"""The listener of a replica: calls come straight in here, past Serve's proxy."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BACKLOG: Final = 2048
MAX_CONNECTIONS: Final = 10_000  # beyond it requests get 503
KEEP_ALIVE_SECONDS: Final = 75  # for a connection between two requests
REQUEST_SECONDS: Final = 30.0  # from a request's first byte to its last, and for a new connection's first request
LOOK_SECONDS: Final = 1.0
DRAIN_SECONDS: Final = 10


class _Connection(HttpToolsProtocol):
    """A connection that says since when a request is on its way in, None between requests."""

    reading_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.reading_since = self.loop.time()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.reading_since = self.loop.time()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.reading_since = None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are the replica's business."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()


class Door:
    """An HTTP listener on a port that replicas in one pod share (SO_REUSEPORT)."""

    def __init__(
        self,
        app: Any,
        host: str,
        port: int,
        *,
        request_seconds: float = REQUEST_SECONDS,
        drain_seconds: int = DRAIN_SECONDS,
    ) -> None:
        self._request_seconds = request_seconds
        self._socket = listening_socket(host, port)
        config = uvicorn.Config(
            app,
            http=_Connection,
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",
            limit_concurrency=MAX_CONNECTIONS,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=drain_seconds,
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        return self._socket.getsockname()[1]

    async def open(self) -> None:
        """Return once connections are accepted."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        accepting = asyncio.ensure_future(self._server.accepting.wait())
        await asyncio.wait({accepting, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        accepting.cancel()
        if self._serving.done():
            self._serving.result()
        self._looking = asyncio.create_task(self._end_slow_requests())

    async def _end_slow_requests(self) -> None:
        """Close connections whose requests take too long to arrive: they would hold memory for nothing."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            latest = loop.time() - self._request_seconds
            for connection in list(self._server.server_state.connections):
                since = connection.reading_since if isinstance(connection, _Connection) else None
                if since is not None and since < latest:
                    connection.transport.close()

    def is_open(self) -> bool:
        return self._serving is not None and not self._serving.done()

    async def close(self) -> None:
        """Accept no more, let the calls in progress end, then close."""
        if self._looking is not None:
            self._looking.cancel()
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        self._socket.close()


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket that shares its port with other replicas' doors.

    Raises:
        OSError: the port is taken by someone who does not share it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
