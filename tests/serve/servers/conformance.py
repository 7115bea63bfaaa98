"""What the official conformance suite asks a server for: its `test_*` tools, prompts and resources, and no more.

The suite's own descriptions of its scenarios say what each must do.
"""

import asyncio
import base64
import json
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Resolve, Sample
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CallToolResult,
    ClientCapabilities,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import Field

RED_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
SILENCE = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"
STEP_SECONDS = 0.05


def build() -> MCPServer:
    server = MCPServer("conformance", version="1.0.0", tools=[schema_tool()])
    for add in (contents, reports, questions, rounds, capabilities, changes, resources, prompts, older_methods):
        add(server)
    return server


# Tools that answer at once, one kind of content each


def text(words: str) -> TextContent:
    return TextContent(type="text", text=words)


def image() -> ImageContent:
    return ImageContent(type="image", data=base64.b64encode(RED_PIXEL).decode(), mime_type="image/png")


def embedded(uri: str, mime_type: str, words: str) -> EmbeddedResource:
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=words)
    )


def contents(server: MCPServer) -> None:
    audio = AudioContent(type="audio", data=base64.b64encode(SILENCE).decode(), mime_type="audio/wav")
    document = embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    data = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    answers = {
        "test_simple_text": [text("This is a simple text response for testing.")],
        "test_image_content": [image()],
        "test_audio_content": [audio],
        "test_embedded_resource": [document],
        "test_multiple_content_types": [text("Multiple content types test:"), image(), data],
    }
    for name, answer in answers.items():
        result = CallToolResult(content=answer)
        server.add_tool(always(result), name=name, description=f"Answers {len(answer)} content block(s).")
    failure = [text("This tool intentionally returns an error for testing")]
    server.add_tool(
        always(CallToolResult(content=failure, is_error=True)), name="test_error_handling", description="Fails."
    )


def always(result: CallToolResult):
    def answer() -> CallToolResult:
        return result

    return answer


def schema_tool() -> Tool:
    """A tool whose input schema has keywords that no function signature gives."""
    tool = Tool.from_function(always(CallToolResult(content=[])), name="json_schema_2020_12_tool", description="-")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    }
    return tool.model_copy(update={"parameters": schema})


# Tools that speak while they work


def reports(server: MCPServer) -> None:
    @server.tool(name="test_tool_with_logging")
    async def logging(ctx: Context) -> str:
        """Logs three times."""
        await ctx.info("Tool execution started")
        await asyncio.sleep(STEP_SECONDS)
        await ctx.info("Tool processing data")
        await asyncio.sleep(STEP_SECONDS)
        await ctx.info("Tool execution completed")
        return "logged"

    @server.tool(name="test_logging_tool")
    async def logging_once(ctx: Context) -> str:
        """Logs, which only those may hear who asked for it."""
        await ctx.info("a message")
        return "logged"

    @server.tool(name="test_tool_with_progress")
    async def progress(ctx: Context) -> str:
        """Reports progress three times."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
            await asyncio.sleep(STEP_SECONDS)
        return "done"

    @server.tool(name="test_reconnection")
    async def slow(ctx: Context) -> str:
        """Offers the client to wait elsewhere, then takes its time."""
        await ctx.close_sse_stream()
        await asyncio.sleep(STEP_SECONDS)
        return "done"


# Tools that ask the client in the middle of a call: up to 2025-11-25 with a request of their own


def form(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def options(prefix: str, *titles: str) -> list[dict[str, str]]:
    return [{"const": f"{prefix}{number}", "title": title} for number, title in enumerate(titles, 1)]


DEFAULTS = form(
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)
PLAIN = {"type": "string", "enum": ["option1", "option2", "option3"]}
ENUMS = form(
    untitledSingle=PLAIN,
    titledSingle={"type": "string", "oneOf": options("value", "First Option", "Second Option", "Third Option")},
    legacyEnum={
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti={"type": "array", "items": PLAIN},
    titledMulti={
        "type": "array",
        "items": {"anyOf": options("value", "First Choice", "Second Choice", "Third Choice")},
    },
)
ACCOUNT = form(
    username={"type": "string", "description": "User's response"},
    email={"type": "string", "description": "User's email address"},
)


def user_says(words: str, max_tokens: int) -> CreateMessageRequestParams:
    return CreateMessageRequestParams(
        messages=[SamplingMessage(role="user", content=text(words))], max_tokens=max_tokens
    )


def sampled(prompt: str) -> Sample:
    return Sample(user_says(prompt, 100).messages, max_tokens=100)


def questions(server: MCPServer) -> None:
    async def ask(ctx: Context, message: str, schema: dict[str, Any]) -> str:
        answer = await ctx.session.elicit_form(message, schema, ctx.request_id)
        return f"action={answer.action}, content={json.dumps(answer.content)}"

    @server.tool(name="test_sampling")
    def sampling(prompt: str, answer: Annotated[CreateMessageResult, Resolve(sampled)]) -> str:
        """Asks the client's model."""
        return f"LLM response: {answer.content.text}"

    @server.tool(name="test_elicitation")
    async def elicitation(message: str, ctx: Context) -> str:
        """Asks the user."""
        return "User response: " + await ask(ctx, message, ACCOUNT)

    @server.tool(name="test_elicitation_sep1034_defaults")
    async def defaults(ctx: Context) -> str:
        """Asks the user, and says what they would most likely answer."""
        return "Elicitation completed: " + await ask(ctx, "Please confirm", DEFAULTS)

    @server.tool(name="test_elicitation_sep1330_enums")
    async def enums(ctx: Context) -> str:
        """Asks the user to choose."""
        return "Elicitation completed: " + await ask(ctx, "Please choose", ENUMS)


# From 2026-07-28 on the answer of the call is what to ask, and the client calls again with what it was told


def ask_user(message: str, **properties: str) -> ElicitRequest:
    schema = form(**{name: {"type": kind} for name, kind in properties.items()})
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def ask_model(words: str, max_tokens: int) -> CreateMessageRequest:
    return CreateMessageRequest(params=user_says(words, max_tokens))


NAME = ask_user("What is your name?", name="string")
STATE = "asked"


def still_to_ask(ctx: Context, state: str | None = None, /, **wanted: InputRequest) -> InputRequiredResult | None:
    """None once the client has come back with the state and all the answers."""
    if ctx.request_state == state and wanted.keys() <= (ctx.input_responses or {}).keys():
        return None
    return InputRequiredResult(input_requests=wanted, request_state=state)


def answered(ctx: Context, key: str, field: str) -> str:
    """What the user filled in, "" where they declined."""
    answer = ctx.input_responses[key]
    return str((answer.content or {}).get(field, "")) if isinstance(answer, ElicitResult) else ""


def rounds(server: MCPServer) -> None:
    @server.tool(name="test_input_required_result_elicitation")
    def elicitation(ctx: Context) -> str | InputRequiredResult:
        """Needs the user."""
        return still_to_ask(ctx, user_name=NAME) or f"Hello, {answered(ctx, 'user_name', 'name')}!"

    server.add_tool(elicitation, name="test_streaming_elicitation")

    @server.tool(name="test_input_required_result_sampling")
    def sampling(ctx: Context) -> str | InputRequiredResult:
        """Needs the client's model."""
        question = ask_model("What is the capital of France?", 100)
        if more := still_to_ask(ctx, capital_question=question):
            return more
        answer = ctx.input_responses["capital_question"]
        return answer.content.text if isinstance(answer, CreateMessageResult) else "no answer"

    @server.tool(name="test_input_required_result_list_roots")
    def roots(ctx: Context) -> str | InputRequiredResult:
        """Needs the client's roots."""
        if more := still_to_ask(ctx, client_roots=ListRootsRequest()):
            return more
        answer = ctx.input_responses["client_roots"]
        return ", ".join(str(root.uri) for root in answer.roots) if isinstance(answer, ListRootsResult) else "none"

    @server.tool(name="test_input_required_result_multiple_inputs")
    def all_three(ctx: Context) -> str | InputRequiredResult:
        """Needs the user, the model and the roots."""
        greeting = ask_model("Generate a greeting", 50)
        more = still_to_ask(ctx, STATE, user_name=NAME, greeting=greeting, client_roots=ListRootsRequest())
        return more or "all three answered"

    # MCPServer seals the state, so that a tampered one is refused before it gets here.
    for name in ("test_input_required_result_request_state", "test_input_required_result_tampered_state"):

        @server.tool(name=name)
        def confirmation(ctx: Context) -> str | InputRequiredResult:
            """Needs to see its state again."""
            return still_to_ask(ctx, STATE, confirm=ask_user("Please confirm", ok="boolean")) or "state-ok"

    @server.tool(name="test_input_required_result_multi_round")
    def two_questions(ctx: Context) -> str | InputRequiredResult:
        """Needs the user twice."""
        if not (ctx.request_state or "").startswith("color of "):
            if more := still_to_ask(ctx, "name", step1=ask_user("Step 1: What is your name?", name="string")):
                return more
            state = f"color of {answered(ctx, 'step1', 'name')}"
        else:
            state = str(ctx.request_state)
        color = ask_user("Step 2: What is your favorite color?", color="string")
        return still_to_ask(ctx, state, step2=color) or f"the {state} is {answered(ctx, 'step2', 'color')}"

    @server.prompt(name="test_input_required_result_prompt")
    def in_context(ctx: Context) -> list[UserMessage] | InputRequiredResult:
        """A prompt that needs the user."""
        question = ask_user("What context should the prompt use?", context="string")
        if more := still_to_ask(ctx, user_context=question):
            return more
        return [UserMessage(f"Use the following context: {answered(ctx, 'user_context', 'context')}")]


# What depends on the client, and on a header


def capabilities(server: MCPServer) -> None:
    @server.tool(name="test_missing_capability")
    def needs_sampling(ctx: Context) -> str:
        """Refuses clients without a model."""
        if (ctx.client_capabilities or ClientCapabilities()).sampling is None:
            needed = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "the client must offer sampling", needed)
        return "the client offers sampling"

    @server.tool(name="test_input_required_result_capabilities")
    def asks_what_it_may(ctx: Context) -> str | InputRequiredResult:
        """Asks only what the client can answer."""
        able = ctx.client_capabilities or ClientCapabilities()
        wanted: dict[str, InputRequest] = {}
        if able.sampling is not None:
            wanted["greeting"] = ask_model("Say hello", 50)
        if able.elicitation is not None:
            wanted["user_name"] = NAME
        return still_to_ask(ctx, **wanted) or "nothing to ask"

    @server.tool(name="test_x_mcp_header")
    def region(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "") -> str:
        """Has an argument that a header repeats."""
        return region


# What changes while clients listen


def changes(server: MCPServer) -> None:
    @server.tool(name="test_trigger_tool_change")
    async def tools(ctx: Context) -> str:
        """Has one more tool for a moment."""
        server.add_tool(always(CallToolResult(content=[])), name="test_passing_tool")
        await ctx.notify_tools_changed()
        server.remove_tool("test_passing_tool")
        await ctx.notify_tools_changed()
        return "changed"

    @server.tool(name="test_trigger_prompt_change")
    async def prompts(ctx: Context) -> str:
        """Has one more prompt for a moment."""
        server.prompt(name="test_passing_prompt")(lambda: "")
        await ctx.notify_prompts_changed()
        server.remove_prompt("test_passing_prompt")
        await ctx.notify_prompts_changed()
        return "changed"


# Resources, prompts, completion


def resources(server: MCPServer) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """A text."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """An image."""
        return RED_PIXEL

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        """A text that clients subscribe to."""
        return "Watched."

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def data(id: str) -> str:  # noqa: A002 - the template's name for it
        """One text for each id."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def prompts(server: MCPServer) -> None:
    @server.prompt(name="test_simple_prompt")
    def simple() -> str:
        """A prompt."""
        return "This is a simple prompt for testing."

    @server.prompt(name="test_prompt_with_arguments")
    def with_arguments(arg1: str, arg2: str) -> str:
        """A prompt of two arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt(name="test_prompt_with_embedded_resource")
    def with_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 - the suite's name for it
        """A prompt about a resource."""
        resource = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]

    @server.prompt(name="test_prompt_with_image")
    def with_image() -> list[UserMessage]:
        """A prompt about an image."""
        return [UserMessage(image()), UserMessage("Please analyze the image above.")]

    @server.completion()
    async def complete(ref, argument, context) -> Completion:
        words = ("paris", "park", "party")
        values = [word for word in words if word.startswith(argument.value)]
        return Completion(values=values, total=len(values), has_more=False)


# Requests that 2026-07-28 removed


def older_methods(server: MCPServer) -> None:
    async def accept(ctx: Any, params: Any) -> EmptyResult:
        return EmptyResult()

    # MCPServer itself has no place for them: its maker's advice is the server inside it.
    for method, params in (
        ("logging/setLevel", SetLevelRequestParams),
        ("resources/subscribe", SubscribeRequestParams),
        ("resources/unsubscribe", UnsubscribeRequestParams),
    ):
        server._lowlevel_server.add_request_handler(method, params, accept)


if __name__ == "__main__":
    build().run()
