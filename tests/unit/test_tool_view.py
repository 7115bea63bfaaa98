"""Which tools of a server clients see, and under which names."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpfleet_api.server import ToolFilter
from mcpfleet_serve.toolview import ToolView
from mcpfleet_serve.wire import INVALID_PARAMS, RpcError

NAMES = ("read_file", "read_folder", "write_file", "delete")
TOOLS = [{"name": name, "description": name.upper()} for name in NAMES]


def view(**spec) -> ToolView:
    return ToolView(ToolFilter.model_validate(spec))


def seen(**spec) -> list[str]:
    return [tool["name"] for tool in view(**spec).tools(TOOLS)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, list(NAMES)),
        ({"include": ["read_*"]}, ["read_file", "read_folder"]),
        ({"exclude": ["*file"]}, ["read_folder", "delete"]),
        ({"include": ["read_*"], "exclude": ["*_file"]}, ["read_folder"]),
        ({"include": ["READ_*"]}, []),
        ({"rename": [{"name": "delete", "to": "erase"}]}, ["read_file", "read_folder", "write_file", "erase"]),
        # A rename gives no way round a filter: globs match the server's own name.
        ({"exclude": ["delete"], "rename": [{"name": "delete", "to": "erase"}]}, list(NAMES[:3])),
        ({"include": ["delete"], "rename": [{"name": "delete", "to": "erase"}]}, ["erase"]),
    ],
)
def test_a_filter_shows_these_tools(spec, expected):
    assert seen(**spec) == expected


def test_all_else_of_a_tool_stays_as_it_is():
    tool = {"name": "delete", "inputSchema": {"type": "object"}, "_meta": {"x": 1}, "unknown": [1]}
    (renamed,) = view(rename=[{"name": "delete", "to": "erase"}]).tools([tool])
    assert renamed == {**tool, "name": "erase"}


def test_a_listing_keeps_its_other_members():
    result = view(include=["delete"]).listing(
        json.dumps({"tools": TOOLS, "nextCursor": "2", "_meta": {}}).encode()
    )
    assert json.loads(result) == {"tools": TOOLS[3:], "nextCursor": "2", "_meta": {}}


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"exclude": ["delete"]}, "delete"),
        ({"include": ["read_*"]}, "delete"),
        ({"rename": [{"name": "delete", "to": "erase"}]}, "delete"),
        ({"exclude": ["delete"], "rename": [{"name": "delete", "to": "erase"}]}, "erase"),
    ],
)
def test_a_tool_that_is_not_shown_cannot_be_called(spec, name):
    with pytest.raises(RpcError, match=f"Unknown tool: {name}") as raised:
        view(**spec).original(name)
    assert raised.value.code == INVALID_PARAMS


def test_two_tools_may_swap_names():
    swap = view(rename=[{"name": "read_file", "to": "delete"}, {"name": "delete", "to": "read_file"}])
    assert [tool["name"] for tool in swap.tools(TOOLS)] == ["delete", "read_folder", "write_file", "read_file"]
    assert (swap.original("delete"), swap.original("read_file")) == ("read_file", "delete")


GLOBS = st.lists(st.sampled_from(["*", "read_*", "*_file", "delete", "[rw]*"]), max_size=3)
# Targets are new names: one that the server uses already is a mistake of the fleet's author.
RENAMES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["a", "b", "c"]), max_size=3).filter(
    lambda renames: len(set(renames.values())) == len(renames)
)


@given(GLOBS, GLOBS, RENAMES)
def test_whatever_is_shown_can_be_called_and_leads_back(include, exclude, renames):
    filtered = view(
        include=include,
        exclude=exclude,
        rename=[{"name": name, "to": to} for name, to in renames.items()],
    )
    shown = {name: filtered.shown(name) for name in NAMES}
    visible = [name for name in shown.values() if name is not None]
    assert len(set(visible)) == len(visible)
    assert [filtered.original(name) for name in visible] == [name for name in NAMES if shown[name] is not None]
