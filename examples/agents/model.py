"""An agent that a language model leads: any server that speaks OpenAI's chat completions with tools."""

import json
import os
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp import MCPError
from toolbox import Toolbox, ToolFailed

MOST_TURNS = 16


@dataclass(frozen=True)
class Model:
    """Where the model is."""

    url: str
    key: str
    name: str

    @classmethod
    def from_environment(cls) -> "Model | None":
        """The model that OPENAI_BASE_URL, OPENAI_API_KEY and MODEL name; none without a MODEL."""
        name = os.environ.get("MODEL")
        if not name:
            return None
        url = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/")
        return cls(url, os.environ.get("OPENAI_API_KEY", ""), name)


async def work(model: Model, tools: Toolbox, task: str) -> str:
    """Let the model call tools until it answers the task in words."""
    described = [
        {"name": tool.name, "description": tool.description or "", "parameters": tool.input_schema}
        for tool in await tools.tools()
    ]
    functions = [{"type": "function", "function": function} for function in described]
    messages: list[dict[str, Any]] = [{"role": "user", "content": task}]
    headers = {"Authorization": f"Bearer {model.key}"} if model.key else {}
    async with httpx2.AsyncClient(headers=headers, timeout=300) as http:
        for _ in range(MOST_TURNS):
            body = {"model": model.name, "messages": messages, "tools": functions}
            answer = await http.post(f"{model.url}/chat/completions", json=body)
            answer.raise_for_status()
            message = answer.json()["choices"][0]["message"]
            messages.append(message)
            if not message.get("tool_calls"):
                return message.get("content") or ""
            for wanted in message["tool_calls"]:
                result = await _call(tools, wanted["function"])
                messages.append({"role": "tool", "tool_call_id": wanted["id"], "content": result})
    return f"gave up after {MOST_TURNS} turns"


async def _call(tools: Toolbox, function: dict[str, str]) -> str:
    # What went wrong goes back to the model, which may do better the next time.
    try:
        return await tools.call(function["name"], **json.loads(function["arguments"] or "{}"))
    except (ToolFailed, MCPError, ValueError, TypeError) as error:
        return f"error: {error}"
