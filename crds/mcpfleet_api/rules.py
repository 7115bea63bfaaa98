"""Cross-field rules: each says once, side by side, what the API server and what `mcpfleet validate` check.

A rule reads the document, not the parsed model, so that one mistake never hides another: the rules of a fleet
still speak when one of its servers has a misspelt field. `View` makes that comfortable.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Path = tuple[str | int, ...]


class Fault(NamedTuple):
    """One place in a document that breaks a rule, and what to say about it."""

    path: Path
    message: str


@dataclass(frozen=True)
class Rule:
    """A promise about one object that no single field can keep.

    `cel` goes into the CRD and `message` with it; `faults` finds the same breaches in Python, each with its place.
    """

    message: str
    cel: str
    faults: Callable[["View"], Iterator[Fault]]


@cache
def fields_of(model: type[BaseModel]) -> dict[str, tuple[str, FieldInfo]]:
    """The fields of a model by the names that YAML knows them under, each with its name in Python."""
    return {field.alias or name: (name, field) for name, field in model.model_fields.items()}


@cache
def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field's type is made of: itself, its list items, or its other half beside None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := model_in(part)) is not None), None)


class View:
    """A document seen through its type, in whatever state it is.

    What is not given reads as its default, and what has the wrong shape as absent: another finding names that.
    """

    def __init__(self, model: type[BaseModel], document: object) -> None:
        self.model = model
        self.document = document

    def get(self, name: str) -> Any:
        """The raw value of a field, its default when it is not given, None when it has neither."""
        attribute, field = fields_of(self.model)[name]
        if isinstance(self.document, BaseModel):
            return getattr(self.document, attribute, None)
        if not isinstance(self.document, Mapping):
            return None
        for key in (name, attribute):
            if self.document.get(key) is not None:
                return self.document[key]
        return None if field.is_required() else field.get_default(call_default_factory=True)

    def has(self, name: str) -> bool:
        return self.get(name) is not None

    def text(self, name: str) -> str | None:
        value = self.get(name)
        return str(value) if isinstance(value, str) else None

    def number(self, name: str) -> float | None:
        value = self.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def child(self, name: str) -> "View":
        """The object in a field; an absent one reads as an empty one."""
        model = model_in(fields_of(self.model)[name][1].annotation)
        assert model is not None, name
        value = self.get(name)
        return View(model, {} if value is None else value)

    def items(self, name: str) -> Iterator[tuple[int, Any]]:
        """The items of a list, by their index."""
        value = self.get(name)
        if isinstance(value, list | tuple):
            yield from enumerate(value)

    def children(self, name: str) -> Iterator[tuple[int, "View"]]:
        """The objects in a list, by their index."""
        model = model_in(fields_of(self.model)[name][1].annotation)
        assert model is not None, name
        for index, item in self.items(name):
            yield index, View(model, item)

    def unknown(self) -> list[str]:
        """Fields that are given and that the type does not have."""
        if not isinstance(self.document, Mapping):
            return []
        known = {*fields_of(self.model), *self.model.model_fields}
        return [key for key in self.document if isinstance(key, str) and key not in known]


def exactly_one_of(*names: str) -> Rule:
    """One of these fields is given, and only one."""
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    message = f"exactly one of {listed} must be set"

    def faults(view: View) -> Iterator[Fault]:
        given = [name for name in names if view.has(name)]
        misspelt = any(get_close_matches(key, names) for key in view.unknown())
        if len(given) > 1:
            yield Fault((), f"{message}, not {' and '.join(given)}")
        elif not given and not misspelt and isinstance(view.document, Mapping | BaseModel):
            yield Fault((), f"{message}, and none is")

    return Rule(message, _count(names) + " == 1", faults)


def at_most_one_of(*names: str) -> Rule:
    """None or one of these fields is given."""
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    message = f"at most one of {listed} may be set"

    def faults(view: View) -> Iterator[Fault]:
        given = [name for name in names if view.has(name)]
        if len(given) > 1:
            yield Fault((), f"{message}, not {' and '.join(given)}")

    return Rule(message, _count(names) + " <= 1", faults)


def _count(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"has(self.{name})" for name in names) + "].filter(given, given).size()"


def ordered(low: str, high: str) -> Rule:
    """One number does not exceed another."""
    message = f"{low} must not be greater than {high}"

    def faults(view: View) -> Iterator[Fault]:
        small, great = view.number(low), view.number(high)
        if small is not None and great is not None and small > great:
            yield Fault((low,), f"{low} {small} is greater than {high} {great}")

    return Rule(message, f"self.{low} <= self.{high}", faults)


def unique(items: str, key: str) -> Rule:
    """No two items of a list agree in this field."""
    message = f"no two {items} may have the same {key}"

    def faults(view: View) -> Iterator[Fault]:
        yield from duplicates(view, items, key)

    cel = f"self.{items}.all(one, self.{items}.exists_one(other, other.{key} == one.{key}))"
    return Rule(message, cel, faults)


def duplicates(view: View, items: str, key: str) -> Iterator[Fault]:
    """The second and later items of a list that agree in this field with an earlier one."""
    seen: dict[str, int] = {}
    for index, item in view.children(items):
        value = item.text(key)
        if value is None:
            continue
        if value in seen:
            yield Fault((items, index, key), f'"{value}" is taken already by {items}[{seen[value]}]')
        else:
            seen[value] = index
