"""`mcpfleet call`: one tool, once."""

import json
import sys
from typing import Annotated, Any

import typer
from mcp_types import CallToolResult, Tool
from rich.console import Console

from mcpfleet_cli import tool_arguments
from mcpfleet_cli.failure import ExitCode, Failure
from mcpfleet_cli.fleet_url import FleetOption, UrlOption, server_names, target
from mcpfleet_cli.mcp_client import all_tools, connect, run
from mcpfleet_cli.output import Output, OutputOption, print_data


def call(
    server: Annotated[str, typer.Argument(help="Name of the server.", autocompletion=server_names)],
    tool: Annotated[str, typer.Argument(help="Name of the tool.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="name=value; @FILE reads a value from a file.", metavar="[NAME=VALUE]...", show_default=False
        ),
    ] = None,
    *,
    json_arguments: Annotated[
        str | None,
        typer.Option("--json", help="All arguments as a JSON object; @FILE or - reads it.", show_default=False),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer.")] = 120.0,
    fleet: FleetOption = None,
    url: UrlOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Call one tool and print its result; exits with 1 when the tool reports an error.

    Values are read as the tool's input schema asks for: text, numbers, true and false, JSON for lists and objects.
    """
    chosen = target(fleet, url)
    endpoint = chosen.url + chosen.server(server).endpoint
    given = _given(json_arguments, words or [])
    result = run(_call(endpoint, server, tool, given, timeout))
    if output is Output.TABLE:
        _print(result)
    else:
        print_data(result.model_dump(mode="json", by_alias=True, exclude_none=True), output)
    if result.is_error:
        raise typer.Exit(ExitCode.FAILED)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(call)


def _given(option: str | None, words: list[str]) -> dict[str, Any] | list[str]:
    if option is None:
        return words
    if words:
        raise Failure("give either name=value words or --json, not both", ExitCode.BAD_INPUT)
    if option == "-":
        return tool_arguments.from_json(sys.stdin.read())
    return tool_arguments.from_json(tool_arguments.content(option[1:]) if option.startswith("@") else option)


async def _call(
    url: str, server: str, name: str, given: dict[str, Any] | list[str], timeout: float
) -> CallToolResult:
    async with connect(url, timeout) as client:
        tool = _named(name, server, await all_tools(client))
        if isinstance(given, list):
            given = tool_arguments.parse(given, tool.input_schema)
            tool_arguments.check_required(given, tool.input_schema)
        stderr = Console(stderr=True)

        async def show(progress: float, total: float | None, message: str | None) -> None:
            if stderr.is_terminal:
                of = f" of {total:g}" if total else ""
                stderr.print(f"{progress:g}{of} {message or ''}".rstrip(), style="dim", highlight=False)

        return await client.call_tool(name, given, read_timeout_seconds=timeout, progress_callback=show)


def _named(name: str, server: str, tools: list[Tool]) -> Tool:
    for tool in tools:
        if tool.name == name:
            return tool
    names = ", ".join(tool.name for tool in tools)
    raise Failure(f'server {server} has no tool "{name}"; it has: {names}', ExitCode.BAD_INPUT)


def _print(result: CallToolResult) -> None:
    texts = [_readable(block.model_dump(mode="json", by_alias=True)) for block in result.content]
    if not texts and result.structured_content is not None:
        texts = [json.dumps(result.structured_content, indent=2, ensure_ascii=False)]
    for text in texts:
        typer.echo(text, err=result.is_error)


def _readable(block: dict[str, Any]) -> str:
    match block:
        case {"type": "text", "text": text}:
            return str(text)
        case {"type": "image" | "audio" as kind, "mimeType": mime, "data": data}:
            return f"[{kind}: {mime}, {len(data) * 3 // 4:,} bytes; --output json has it]"
        case {"type": "resource", "resource": {"text": text}}:
            return str(text)
        case {"type": "resource", "resource": {"uri": uri, "blob": blob}}:
            return f"[resource: {uri}, {len(blob) * 3 // 4:,} bytes; --output json has it]"
        case {"type": "resource_link", "uri": uri}:
            return f"[resource: {uri}]"
        case _:
            return json.dumps(block, indent=2, ensure_ascii=False)
