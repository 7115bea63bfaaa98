"""Python servers for in-process hosting, good and bad."""

import sys
import time

from mcp.server import MCPServer


def build() -> MCPServer:
    server = MCPServer("in-process")

    @server.tool()
    def add(a: int, b: int) -> int:
        """The sum."""
        return a + b

    @server.tool()
    async def block(seconds: float) -> str:
        """Hold up this server's loop."""
        time.sleep(seconds)
        return "blocked"

    @server.tool()
    async def leave() -> str:
        """What no server should do."""
        sys.exit(4)

    @server.resource("note://{name}")
    def note(name: str) -> str:
        return f"a note on {name}"

    @server.prompt()
    def greet(name: str) -> str:
        return f"Greet {name}."

    return server


ready = build()


async def build_later() -> MCPServer:
    return build()


def build_fastmcp():
    # It takes two seconds, which only this server's start is to pay.
    from fastmcp import FastMCP  # noqa: PLC0415

    server = FastMCP("fast")

    @server.tool
    def shout(text: str) -> str:
        """In capitals."""
        return text.upper()

    return server


def fails():
    raise ValueError("no settings")


def leaves():
    sys.exit(4)


def hangs():
    time.sleep(600)


def not_a_server() -> str:
    return "hello"
