"""Arguments of a tool as people type them: `key=value` words, made into what the tool's input schema asks for."""

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from mcpfleet_cli.failure import ExitCode, Failure

_Schema = Mapping[str, Any]


def parse(words: Sequence[str], schema: _Schema, read: Callable[[str], str] | None = None) -> dict[str, Any]:
    """The arguments that the words say.

    A value is read as the schema has it: text as it stands, numbers, true and false, JSON for lists and objects.
    `@file` stands for the content of a file, `@@` for an at sign.

    Raises:
        Failure: a word is no argument of the tool, or has a value of another type.
    """
    read = read or content
    properties: dict[str, Any] = schema.get("properties", {})
    arguments: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise _bad(f'"{word}" is no argument; write it as name=value')
        if name not in properties and schema.get("additionalProperties") in (None, False) and properties:
            nearest = get_close_matches(name, properties, n=1)
            hint = f'did you mean "{nearest[0]}"?' if nearest else f"it takes {', '.join(properties)}"
            raise _bad(f'the tool takes no "{name}"; {hint}')
        text = read(text[1:]) if text.startswith("@") and not text.startswith("@@") else text
        arguments[name] = _value(
            name, text.removeprefix("@") if text.startswith("@@") else text, properties.get(name)
        )
    return arguments


def check_required(arguments: Mapping[str, Any], schema: _Schema) -> None:
    """Raises a Failure that names what is missing."""
    if missing := [name for name in schema.get("required", ()) if name not in arguments]:
        described = ", ".join(f"{name}=<{type_name(schema.get('properties', {}).get(name))}>" for name in missing)
        raise _bad(f"the tool needs also: {described}")


def from_json(text: str) -> dict[str, Any]:
    """The arguments of a JSON object.

    Raises:
        Failure: it is none.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _bad(f"--json is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise _bad('--json must be an object, such as {"a": 1}')
    return value


def summary(schema: _Schema) -> str:
    """A tool's arguments in one line: `a b=number? mode=fast|slow`."""
    required = set(schema.get("required", ()))
    return " ".join(
        name + ("" if (kind := type_name(part)) == "string" else f"={kind}") + ("" if name in required else "?")
        for name, part in schema.get("properties", {}).items()
    )


def type_name(schema: _Schema | None) -> str:
    """The type of a value, in one word."""
    if not schema:
        return "any"
    if "enum" in schema:
        return "|".join(str(choice) for choice in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    return "|".join(dict.fromkeys(_types(schema))) or "any"


def _types(schema: _Schema) -> list[str]:
    named = schema.get("type")
    if isinstance(named, str):
        return [named]
    if isinstance(named, list):
        return [str(name) for name in named]
    return [kind for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())) for kind in _types(part)]


def _value(name: str, text: str, schema: _Schema | None) -> Any:
    types = _types(schema or {})
    for kind in _READING_ORDER:
        if kind in types:
            try:
                return _READERS[kind](text)
            except ValueError:
                continue
    if "string" in types:
        return text
    if types:
        raise _bad(f'{name} must be {" or ".join(types)}, and "{text}" is not')
    try:  # the schema leaves it open
        return json.loads(text)
    except ValueError:
        return text


def _null(text: str) -> None:
    if text != "null":
        raise ValueError(text)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _number(text: str) -> float | int:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _json_of(kind: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = json.loads(text)
        if not isinstance(value, kind):
            raise ValueError(text)  # noqa: TRY004 - one kind of refusal for all readers
        return value

    return read


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "null": _null,
    "boolean": _boolean,
    "integer": int,
    "number": _number,
    "array": _json_of(list),
    "object": _json_of(dict),
}
_READING_ORDER: Final = tuple(_READERS)


def content(path: str) -> str:
    """The text of a file.

    Raises:
        Failure: it cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(f"@{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None


def _bad(message: str) -> Failure:
    return Failure(message, ExitCode.BAD_INPUT)
