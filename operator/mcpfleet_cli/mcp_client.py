"""An MCP client for the verbs that speak to servers."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp_types import Tool

from mcpfleet_cli.failure import ExitCode, Failure
from mcpfleet_cli.fleet_url import is_loopback


@asynccontextmanager
async def connect(url: str, timeout: float) -> AsyncGenerator[Client]:
    """A client of one server, of whichever era it speaks. `timeout` (in seconds) holds for each answer."""
    http = httpx2.AsyncClient(trust_env=False, timeout=timeout) if is_loopback(url) else create_mcp_http_client()
    async with http, Client(streamable_http_client(url, http_client=http), read_timeout_seconds=timeout) as client:
        yield client


async def all_tools(client: Client) -> list[Tool]:
    """Every tool of a server, page by page."""
    tools: list[Tool] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tools


_T = TypeVar("_T")


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a conversation with a server.

    Raises:
        Failure: the server refused, or was not reached.
    """
    try:
        return asyncio.run(work)
    except BaseException as error:
        cause = _first(error)
        if isinstance(cause, MCPError):
            raise Failure(f"the server refused: {cause.error.message}") from None
        if isinstance(cause, httpx2.TransportError):
            raise Failure(f"the fleet does not answer: {cause}", ExitCode.NO_FLEET) from None
        if isinstance(cause, httpx2.HTTPStatusError):
            raise Failure(f"the fleet refused: HTTP {cause.response.status_code}") from None
        if isinstance(cause, TimeoutError):
            raise Failure("the server did not answer in time; allow it more with --timeout SECONDS") from None
        if isinstance(cause, Failure):
            raise cause from None
        raise


def _first(error: BaseException) -> BaseException:
    """What really went wrong: task groups wrap it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
