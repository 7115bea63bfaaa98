"""Structural schemas → the field reference in Markdown. Pure."""

import re
from collections.abc import Iterator
from typing import Any

from mcpfleet_api.base import API_VERSION
from mcpfleet_api.crd import Kind, Schema, structural

# What is bounded: the least, the most, and the unit.
_BOUNDS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minProperties", "maxProperties", " entries"),
)


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
            lines += [
                _row(path, name, field, required=name in required) for name, field in section["properties"].items()
            ]
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


def _row(path: str, name: str, field: Schema, *, required: bool) -> str:
    default = "**required**" if required else ""
    if "default" in field and "properties" not in field:
        default = _code(field["default"])
    meaning = field.get("description", "").replace("\n\n", " ")
    cells = (f"`{name}`", _type(f"{path}.{name}", field), default, _bounds(field), meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(path: str, field: Schema) -> str:
    if field["type"] == "array":
        return f"list of {_type(f'{path}[]', field['items'])}"
    if "additionalProperties" in field:
        return f"map to {_type(path, field['additionalProperties'])}"
    if "enum" in field:
        return " or ".join(f"`{choice}`" for choice in field["enum"])
    if field.get("properties"):
        return f"[object](#{_anchor(path)})"
    return str(field["type"])


def _anchor(path: str) -> str:
    """The address that GitHub gives to a heading."""
    return re.sub(r"[^a-z0-9_-]", "", path.lower())


def _bounds(field: Schema) -> str:
    found = [_range(field, *bounds) for bounds in _BOUNDS]
    if "pattern" in field:
        found.append(_code(field["pattern"]))
    # A list's items are scalars when they have no section of their own.
    if "items" in field and "properties" not in field["items"] and (each := _bounds(field["items"])):
        found.append(f"each {each}")
    return ", ".join(filter(None, found))


def _range(field: Schema, least: str, most: str, unit: str) -> str:
    low, high = field.get(least), field.get(most)
    if field.get("exclusiveMinimum"):
        return f"above {low}, up to {high}{unit}"
    if low is not None and high is not None:
        return f"{low} to {high}{unit}"
    if high is not None:
        return f"up to {high}{unit}"
    return f"{low}{unit} or more" if low is not None else ""


def _code(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value in ([], {}):
        return "none" if value == [] else "`{}`"
    return f"`{value}`" if value != "" else '`""`'
