"""Python servers that tell what the aggregated endpoint does: three that are alike, and one with very many tools."""

from mcp.server import MCPServer
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, Completion, ListToolsResult, TextContent, Tool

MANY = 2500
OWN_PAGE = 400


def place(name: str) -> MCPServer:
    """Names and URIs like those of other places; the answers say which place it is."""
    server = MCPServer(name)

    @server.tool()
    def where() -> str:
        """The place."""
        return f"tool in {name}"

    @server.tool()
    async def build_more(ctx: Context) -> str:
        """One more tool, announced three times."""
        server.add_tool(where, name=f"where_{len(await server.list_tools())}")
        for _ in range(3):
            await ctx.notify_tools_changed()
        return "built"

    @server.tool()
    async def repaint(uri: str, ctx: Context) -> str:
        """Says that a resource is another now."""
        await ctx.notify_resource_updated(uri)
        return "repainted"

    @server.prompt()
    def greet(who: str) -> str:
        return f"Greet {who} in {name}."

    @server.resource("place://here", mime_type="text/plain")
    def here() -> str:
        return f"resource in {name}"

    @server.resource("place://rooms/{room}", mime_type="text/plain")
    def room(room: str) -> str:
        return f"room {room} in {name}"

    @server.completion()
    async def complete(ref, argument, context) -> Completion:
        return Completion(values=[f"{argument.value} in {name}"])

    return server


def north() -> MCPServer:
    return place("north")


def south() -> MCPServer:
    return place("south")


def east() -> MCPServer:
    return place("east")


def many() -> Server:
    names = [f"tool-{number:04}" for number in range(MANY - 1)] + ["a.name-" + "x" * 100]

    async def list_tools(ctx, params) -> ListToolsResult:
        start = int(params.cursor or 0) if params else 0
        page = [Tool(name=name, input_schema={"type": "object"}) for name in names[start : start + OWN_PAGE]]
        following = start + OWN_PAGE
        return ListToolsResult(tools=page, next_cursor=str(following) if following < MANY else None)

    async def call_tool(ctx, params) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text=f"called {params.name}")])

    return Server("many", on_list_tools=list_tools, on_call_tool=call_tool)
