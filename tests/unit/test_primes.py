"""The example server in Python, called by a real client in memory."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult

FILE = Path(__file__).parents[2] / "examples" / "primes.py"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("primes", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def call(tool: str, arguments: dict[str, Any]) -> CallToolResult:
    async with Client(load().build()) as client:
        return await client.call_tool(tool, arguments)


@pytest.mark.parametrize(
    ("tool", "arguments", "answer"),
    [
        ("is_prime", {"number": 1}, {"result": False}),
        ("is_prime", {"number": 2}, {"result": True}),
        ("is_prime", {"number": 9_999_999_967}, {"result": True}),
        ("is_prime", {"number": 99_991**2}, {"result": False}),
        ("factorize", {"number": 1}, {"number": 1, "factors": []}),
        (
            "factorize",
            {"number": 360},
            {
                "number": 360,
                "factors": [{"prime": 2, "exponent": 3}, {"prime": 3, "exponent": 2}, {"prime": 5, "exponent": 1}],
            },
        ),
        ("primes_up_to", {"limit": 1}, {"count": 0, "primes": []}),
        ("primes_up_to", {"limit": 13}, {"count": 6, "primes": [2, 3, 5, 7, 11, 13]}),
    ],
)
async def test_the_tools_answer_exactly(tool: str, arguments: dict[str, Any], answer: dict[str, Any]):
    assert (await call(tool, arguments)).structured_content == answer


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("is_prime", {"number": 0}), ("factorize", {"number": 10**18}), ("primes_up_to", {"limit": 10**9})],
)
async def test_numbers_out_of_bounds_are_refused(tool: str, arguments: dict[str, Any]):
    assert (await call(tool, arguments)).is_error
