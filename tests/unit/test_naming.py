"""Names on the aggregated endpoint."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mcpfleet_serve.directory import fits
from mcpfleet_serve.naming import LONGEST, aggregated_name, aggregated_uri

SERVER = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
TOOL = st.text(min_size=1, max_size=128)


@pytest.mark.parametrize(
    ("server", "tool", "expected"),
    [
        ("time", "get_current_time", "time__get_current_time"),
        ("time", "get-sum", "time__get-sum"),
        # These digests may never change: clients remember the names.
        ("time", "get.current/time", "time__get_current_time_38d91e9f"),
        ("a", "x" * 61, "a__" + "x" * 61),
        ("a", "x" * 62, "a__" + "x" * 52 + "_963534d8"),
    ],
)
def test_a_name_is_the_same_at_every_start(server, tool, expected):
    assert aggregated_name(server, tool) == expected


@given(SERVER, TOOL)
def test_any_name_is_one_that_clients_and_models_accept(server, tool):
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", aggregated_name(server, tool))


@given(SERVER, TOOL, SERVER, TOOL)
def test_different_tools_have_different_names(server, tool, other_server, other_tool):
    assume((server, tool) != (other_server, other_tool))
    assert aggregated_name(server, tool) != aggregated_name(other_server, other_tool)


def test_long_names_with_the_same_beginning_stay_apart():
    names = {aggregated_name("server", "x" * 100 + str(number)) for number in range(100)}
    assert len(names) == 100
    assert all(len(name) == LONGEST for name in names)


def test_a_resource_under_a_taken_uri_names_its_server_in_the_scheme():
    assert aggregated_uri("files", "file:///a") == "files+file:///a"


@pytest.mark.parametrize(
    ("template", "uri", "expected"),
    [
        ("demo://static", "demo://static", True),
        ("demo://static", "demo://static/more", False),
        ("demo://text/{id}", "demo://text/7", True),
        ("demo://text/{id}", "demo://blob/7", False),
        ("file:///{+path}", "file:///a/b/c", True),
        ("x://{a}/{b}.txt", "x://1/2.txt", True),
        ("x://{a}/{b}.txt", "x://1/2.png", False),
        ("x://search{?q,page}", "x://search?q=1", True),
        ("x://a.b/{c}", "x://aXb/1", False),
    ],
)
def test_a_uri_fits_the_template_that_it_expands(template, uri, expected):
    assert fits(template, uri) is expected


@given(st.lists(st.text(alphabet="ab./:?*+[", max_size=6), min_size=1, max_size=4), st.text(max_size=10))
def test_every_expansion_fits_its_template(literals, value):
    assert fits("{x}".join(literals), value.join(literals))
