"""The fleet's tools as an agent holds them: by name, each call timed."""

import time
from dataclasses import dataclass
from typing import Any

from mcp import Client
from mcp.types import CallToolResult, TextContent, Tool


@dataclass(frozen=True)
class Call:
    """One tool call as the agent saw it."""

    agent: str
    tool: str
    started: float
    seconds: float
    failed: bool


class ToolFailed(Exception):
    """The tool answered that it could not do it; the text says why."""


class Toolbox:
    """Calls tools over one MCP connection and keeps a record of each call."""

    def __init__(self, client: Client, agent: str) -> None:
        self._client = client
        self._agent = agent
        self.calls: list[Call] = []

    async def tools(self) -> list[Tool]:
        """All tools of the fleet, page by page."""
        page = await self._client.list_tools()
        tools = list(page.tools)
        while page.next_cursor:
            page = await self._client.list_tools(cursor=page.next_cursor)
            tools += page.tools
        return tools

    async def call(self, tool: str, **arguments: Any) -> str:
        """The text of a tool's answer.

        Raises:
            ToolFailed: the tool says that it failed.
        """
        started = time.time()
        failed = True
        try:
            result = await self._client.call_tool(tool, arguments)
            failed = result.is_error
        finally:
            self.calls.append(Call(self._agent, tool, started, time.time() - started, failed))
        if failed:
            raise ToolFailed(f"{tool}: {text_of(result)}")
        return text_of(result)


def text_of(result: CallToolResult) -> str:
    """What the tool says in words."""
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))
