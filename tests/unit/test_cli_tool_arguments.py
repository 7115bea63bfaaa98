"""Arguments of a tool as people type them."""

import pytest

from mcpfleet_cli import tool_arguments
from mcpfleet_cli.failure import ExitCode, Failure

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "deep": {"type": "boolean"},
        "names": {"type": "array", "items": {"type": "string"}},
        "options": {"type": "object"},
        "mode": {"enum": ["fast", "slow"], "type": "string"},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "listed": {"type": ["number", "null"]},
        "open": {},
    },
    "required": ["text", "count"],
}


@pytest.mark.parametrize(
    ("word", "arguments", "reason"),
    [
        ("text=hello", {"text": "hello"}, "text stands as it is"),
        ("text=1", {"text": "1"}, "text that looks like a number stays text"),
        ("text=a=b", {"text": "a=b"}, "only the first = parts name and value"),
        ("text=", {"text": ""}, "an empty value is a value"),
        ("text=@@home", {"text": "@home"}, "@@ is an at sign"),
        ("text=@notes.txt", {"text": "content of notes.txt"}, "@ reads a file"),
        ("count=-3", {"count": -3}, "integers"),
        ("ratio=2", {"ratio": 2}, "a whole number is a number"),
        ("ratio=2.5", {"ratio": 2.5}, "fractions"),
        ("deep=true", {"deep": True}, "truth"),
        ("deep=false", {"deep": False}, "falsehood"),
        ('names=["a","b"]', {"names": ["a", "b"]}, "lists are JSON"),
        ('options={"a":{"b":1}}', {"options": {"a": {"b": 1}}}, "objects are JSON"),
        ("mode=fast", {"mode": "fast"}, "an enum of text"),
        ("limit=5", {"limit": 5}, "the first alternative that fits"),
        ("limit=null", {"limit": None}, "null where it is allowed"),
        ("either=5", {"either": 5}, "the narrower alternative wins"),
        ("either=five", {"either": "five"}, "text catches the rest"),
        ("listed=null", {"listed": None}, "a list of types"),
        ("open=[1]", {"open": [1]}, "no type: JSON where it is JSON"),
        ("open=word", {"open": "word"}, "no type: text otherwise"),
    ],
)
def test_a_word_is_read_as_the_schema_has_it(word, arguments, reason):
    assert tool_arguments.parse([word], SCHEMA, lambda path: f"content of {path}") == arguments, reason


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("hello", '"hello" is no argument; write it as name=value'),
        ("cuont=1", 'the tool takes no "cuont"; did you mean "count"?'),
        ("count=many", 'count must be integer, and "many" is not'),
        ("deep=yes", 'deep must be boolean, and "yes" is not'),
        ("names=a,b", 'names must be array, and "a,b" is not'),
        ('names={"a":1}', 'names must be array, and "{"a":1}" is not'),
        ("limit=x", 'limit must be integer or null, and "x" is not'),
        ("text=@/no/such/file", "@/no/such/file cannot be read: No such file or directory"),
    ],
)
def test_a_word_that_does_not_fit_says_what_to_write(word, message):
    with pytest.raises(Failure) as failure:
        tool_arguments.parse([word], SCHEMA)
    assert (failure.value.message, failure.value.code) == (message, ExitCode.BAD_INPUT)


def test_a_tool_that_takes_anything_takes_any_name():
    assert tool_arguments.parse(["any=1"], {"type": "object", "additionalProperties": True, **_NONE}) == {"any": 1}


_NONE = {"properties": {"known": {"type": "string"}}}


def test_what_is_missing_is_named_with_its_type():
    with pytest.raises(Failure, match="the tool needs also: count=<integer>"):
        tool_arguments.check_required({"text": "a"}, SCHEMA)
    tool_arguments.check_required({"text": "a", "count": 1}, SCHEMA)


@pytest.mark.parametrize("text", ["[1]", "1", "{", ""])
def test_json_arguments_are_one_object(text):
    with pytest.raises(Failure, match="--json"):
        tool_arguments.from_json(text)


def test_a_summary_shows_types_and_what_may_be_left_out():
    assert tool_arguments.summary(SCHEMA) == (
        "text count=integer ratio=number? deep=boolean? names=array? options=object? mode=fast|slow?"
        " limit=integer|null? either=integer|string? listed=number|null? open=any?"
    )
