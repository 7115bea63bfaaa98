"""Fleet files: what they hold, and everything that is wrong with them, each with its place and what to write."""

import sys
from collections.abc import Sized
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mcpfleet_api.base import API_VERSION, FINDING, GROUP
from mcpfleet_api.cluster import MCPCluster
from mcpfleet_api.fleet import MCPFleet
from mcpfleet_api.rules import fields_of, model_in
from mcpfleet_cli.yaml_document import Document, Flaw, Place, documents

STDIN: Final = Path("-")
KINDS: Final[dict[str, type[MCPFleet] | type[MCPCluster]]] = {"MCPFleet": MCPFleet, "MCPCluster": MCPCluster}

_Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Finding:
    """One mistake in a file: where it is, what is wrong, what to write."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: error: "
        return where + (f"{self.path}: {self.message}" if self.path else self.message)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Loaded:
    """What a file holds. `fleets` and `clusters` are those without a mistake; `findings` are in file order."""

    fleets: tuple[MCPFleet, ...] = ()
    clusters: tuple[MCPCluster, ...] = ()
    findings: tuple[Finding, ...] = ()
    others: int = 0


def load(path: Path) -> Loaded:
    """Read a file of any content (`-` is standard input). Never raises: what is wrong is a finding."""
    try:
        content = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
    except OSError as error:
        return Loaded(findings=(Finding(str(path), 1, 1, "", f"cannot be read: {error.strerror or error}"),))
    return parse(content, "standard input" if path == STDIN else str(path))


def parse(content: bytes, file: str) -> Loaded:
    """Read the content of a file. Never raises: what is wrong is a finding."""
    fleets: list[MCPFleet] = []
    clusters: list[MCPCluster] = []
    findings: list[Finding] = []
    seen: dict[tuple[str, str | None, str], Place] = {}
    others = 0

    def add(place: Place, path: _Path, message: str) -> None:
        findings.append(Finding(file, place.line, place.column, dotted(path), message))

    try:
        for document in documents(content):
            for flaw in document.flaws:
                add(flaw.place, (), flaw.message)
            if document.value is None:
                continue
            kind = _kind(document)
            if kind is None:
                others += 1
            elif isinstance(kind, tuple):
                add(document.place(kind[0]), *kind)
            else:
                try:
                    item = KINDS[kind].model_validate(document.value)
                except ValidationError as error:
                    for path, place, message in _breaches(document, KINDS[kind], error):
                        add(place, path, message)
                    continue
                key = (kind, item.metadata.namespace, item.metadata.name)
                place = document.place(("metadata", "name"))
                if key in seen:
                    add(place, ("metadata", "name"), f"this {kind} is written already in line {seen[key].line}")
                seen.setdefault(key, place)
                if document.flaws:
                    continue
                (fleets if isinstance(item, MCPFleet) else clusters).append(item)  # type: ignore[arg-type]
    except Flaw as flaw:
        add(flaw.place, (), flaw.message)
    return Loaded(tuple(fleets), tuple(clusters), tuple(sorted(set(findings))), others)


def dotted(path: _Path) -> str:
    """A path as people write it: spec.servers[1].npm.version."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _kind(document: Document) -> str | tuple[_Path, str] | None:
    """The kind of ours that a document is of, a mistake in saying so, or None when it is another's."""
    value = document.value
    if not isinstance(value, dict) or not ("kind" in value or "apiVersion" in value):
        return (), f"is no object of Kubernetes; begin it with apiVersion: {API_VERSION} and kind: MCPFleet"
    kind, version = value.get("kind"), value.get("apiVersion")
    if isinstance(kind, str) and kind in KINDS:
        return kind
    alike = {name.lower(): name for name in KINDS}
    ours = isinstance(version, str) and version.split("/")[0] == GROUP
    if ours or (isinstance(kind, str) and kind.lower() in alike):
        nearest = get_close_matches(str(kind).lower(), alike, n=1)
        advice = alike[nearest[0]] if nearest else " or ".join(KINDS)
        return ("kind",), f'there is no kind "{kind}"; write {advice}'
    return None


def _breaches(
    document: Document, model: type[BaseModel], error: ValidationError
) -> list[tuple[_Path, Place, str]]:
    found: list[tuple[_Path, Place, str]] = []
    for detail in error.errors(include_url=False):
        path, message = detail["loc"], ""
        of_key = bool(path) and path[-1] == "[key]"
        if of_key:
            path = path[:-1]
        match detail["type"]:
            case "too_short" if len(detail["input"]) >= detail.get("ctx", {})["min_length"]:
                continue  # pydantic counts only valid items, and the others have findings of their own
            case "missing":
                field = fields_of(_model_at(model, path[:-1]))[str(path[-1])][1]
                message = f"is missing: {field.description}"
            case "extra_forbidden":
                of_key, message = True, _unknown(model, path)
            case kind:
                message = _words(kind, detail, document.text(path))
        found.append((path, document.place(path, of_key=of_key), message))
    return found


def _model_at(model: type[BaseModel], path: _Path) -> type[BaseModel]:
    for step in path:
        if isinstance(step, str) and (known := fields_of(model).get(step)):
            model = model_in(known[1].annotation) or model
    return model


def _unknown(model: type[BaseModel], path: _Path) -> str:
    here, name = _model_at(model, path[:-1]), str(path[-1])
    fields = fields_of(here)
    inside = [
        outer
        for outer, (_, field) in fields.items()
        if (inner := model_in(field.annotation)) is not None and name in fields_of(inner)
    ]
    if inside:
        return f"there is no such field here; write it inside {' or '.join(inside)}"
    lower = {field.lower(): field for field in fields}
    nearest = get_close_matches(name.lower(), lower, n=1)
    if nearest:
        return f'there is no such field; did you mean "{lower[nearest[0]]}"?'
    return f"there is no such field; there are {', '.join(fields)}" if fields else "there is no such field"


def _words(kind: str, detail: ErrorDetails, written: str | None) -> str:
    """What pydantic found, in words that say what to write."""
    limits: dict[str, Any] = detail.get("ctx", {})
    given: Any = detail["input"]
    size = len(given) if isinstance(given, Sized) else 0
    match kind:
        case kind if kind == FINDING:
            return str(detail["msg"])
        case "string_type" if written is not None and given is not None:
            return f'must be text; write it in quotes: "{written}"'
        case "string_type":
            return "must be text"
        case "int_type" | "int_from_float":
            return "must be a whole number, without quotes"
        case "float_type":
            return "must be a number, without quotes"
        case "bool_type":
            return "must be true or false, without quotes"
        case "finite_number":
            return "must be a finite number"
        case "model_type" | "dict_type":
            return "must be a mapping: indented lines of `name: value`"
        case "tuple_type":
            return "must be a list: lines that begin with `- `"
        case "enum" | "literal_error":
            choices = [word.strip("'") for word in str(limits["expected"]).replace(" or ", ", ").split(", ")]
            nearest = get_close_matches(str(given), choices, n=1, cutoff=0.5)
            return f'"{given}" is not known here; write {nearest[0] if nearest else " or ".join(choices)}'
        case "greater_than_equal":
            return f"must be at least {limits['ge']}, not {given}"
        case "greater_than":
            return f"must be greater than {limits['gt']}, not {given}"
        case "less_than_equal":
            return f"must be at most {limits['le']}, not {given}"
        case "string_too_short":
            return f"must have at least {limits['min_length']} characters, and has {size}"
        case "string_too_long":
            return f"must have at most {limits['max_length']} characters, and has {size}"
        case "too_short":
            return f"must have at least {limits['min_length']} items, and has {size}"
        case "too_long":
            return f"must have at most {limits['max_length']} items, and has {size}"
        case _:
            return str(detail["msg"])
