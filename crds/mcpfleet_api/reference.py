"""Structural schemas → the field reference in Markdown. Pure."""

from collections.abc import Iterator
from typing import Any

from mcpfleet_api.base import API_VERSION
from mcpfleet_api.crd import Kind, Schema, structural

_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "{} characters or more",
    "maxLength": "{} characters or fewer",
    "minItems": "{} items or more",
    "maxItems": "{} items or fewer",
    "maxProperties": "{} entries or fewer",
}


def reference(kind: Kind) -> str:
    """The page of one kind: every field with its type, default, bounds and meaning."""
    schema = structural(kind.model)
    scope = "in a namespace" if kind.scope == "Namespaced" else "for the whole cluster"
    lines = [
        f"# {kind.name}",
        "",
        f"`{API_VERSION}`, {scope}; `kubectl get {kind.short_name}`. Generated from the types by `make crds`.",
        "",
        schema["description"],
    ]
    lines += _rules(schema)
    for part in ("spec", "status"):
        for path, section in _sections(part, schema["properties"][part]):
            lines += ["", f"## {path}", "", section.get("description", "")]
            lines += _rules(section)
            lines += ["", "| field | type | default | bounds | meaning |", "|---|---|---|---|---|"]
            required = section.get("required", [])
            lines += [_row(name, field, name in required) for name, field in section["properties"].items()]
    return "\n".join(lines) + "\n"


def _sections(path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Each object below a path that has fields, with its own path."""
    if schema.get("properties"):
        yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from _sections(f"{path}.{name}", field)
    if "items" in schema:
        yield from _sections(f"{path}[]", schema["items"])


def _rules(schema: Schema) -> list[str]:
    rules = [f"- {rule['message']}" for rule in schema.get("x-kubernetes-validations", ())]
    rules += [f"- no two {name} may have the same {key}" for name, key in _keyed(schema)]
    return ["", "Rules:", "", *dict.fromkeys(rules)] if rules else []


def _keyed(schema: Schema) -> Iterator[tuple[str, str]]:
    for name, field in schema.get("properties", {}).items():
        for key in field.get("x-kubernetes-list-map-keys", ()):
            yield name, key


def _row(name: str, field: Schema, required: bool) -> str:
    default = "**required**" if required else _code(field["default"]) if "default" in field else ""
    meaning = field.get("description", "").replace("\n\n", " ")
    cells = (f"`{name}`", _type(field), default, _bounds(field), meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(field: Schema) -> str:
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return f"map to {_type(field['additionalProperties'])}"
    if "enum" in field:
        return " or ".join(f"`{choice}`" for choice in field["enum"])
    return str(field["type"])


def _bounds(field: Schema) -> str:
    found = [words.format(field[name]) for name, words in _BOUNDS.items() if name in field]
    if field.get("exclusiveMinimum"):
        found = [words.replace("at least", "more than") for words in found]
    if "pattern" in field:
        found.append(_code(field["pattern"]))
    # A list's items are scalars when they have no section of their own.
    if "items" in field and "properties" not in field["items"] and (each := _bounds(field["items"])):
        found.append(f"each {each}")
    return ", ".join(found)


def _code(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value in ([], {}):
        return "none" if value == [] else "`{}`"
    return f"`{value}`" if value != "" else '`""`'
