"""A channel carries JSON-RPC messages to and from one running MCP server, as bytes and in order."""

from collections.abc import Mapping
from typing import Protocol


class ServerFailure(Exception):
    """A server cannot run or has ended. A fact about that server, never a failure of its host.

    Attributes:
        reason: One CamelCase word, such as `CommandNotFound`.
        message: For a person: what is wrong and what to do.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class Receiver(Protocol):
    """Whoever listens at our end of a channel. Called on the loop that opened it."""

    def received(self, data: bytes) -> None:
        """One whole JSON-RPC message came from the server."""
        ...

    def ended(self, failure: ServerFailure) -> None:
        """Nothing more will come. Called once."""
        ...


class Channel(Protocol):
    """One running MCP server."""

    async def open(self, receiver: Receiver) -> None:
        """Start or connect.

        Raises:
            ServerFailure: it cannot be started.
        """
        ...

    def send(self, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Hand over one message; `headers` matter only to channels over HTTP. Never blocks."""
        ...

    def backlog(self) -> int:
        """Bytes that wait because the server does not read them."""
        ...

    async def close(self) -> None:
        """End the server and wait until nothing of it remains. May be called twice."""
        ...

    def pids(self) -> tuple[int, ...]:
        """Process ids of the server's own processes."""
        ...
