"""YAML as kubectl reads it, with the place of every value, and bounded: no input can exhaust this machine."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, NamedTuple

import yaml

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 64
# Aliases count each time that they are used, or nine lines could stand for a billion values.
MAX_VALUES: Final = 250_000

# libyaml reads ten times as fast; PyYAML comes without it on some platforms and reads the same.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAG: Final = "tag:yaml.org,2002:"
_TRUE: Final = ("y", "yes", "true", "on")
_FALSE: Final = ("n", "no", "false", "off")
_INFINITY_OR_NOT_A_NUMBER: Final = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)
_WORDS: Final = [word for name in _TRUE + _FALSE for word in (name, name.capitalize(), name.upper())]

_SCALARS: Final = (
    ("null", "~|null|Null|NULL|", "~nN"),
    ("bool", "|".join(_WORDS), "yYtToOnNfF"),
    ("int", r"[-+]?(0b[01_]{1,63}|0o?[0-7_]{1,21}|0x[0-9a-fA-F_]{1,16}|[1-9][0-9_]{0,18}|0)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("merge", "<<", "<"),
)


class _KubernetesLoader(_Loader):
    """Resolves plain scalars as Kubernetes' own reader does: no dates, and none of YAML 1.1's base 60."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name


class _KubernetesDumper(yaml.SafeDumper):
    """Quotes text that either Kubernetes or PyYAML would misread, such as `y`; writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's own signature
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML folds these three as line breaks, and a space comes back; between double quotes it escapes them.
    style = '"' if {"\x85", "\u2028", "\u2029"} & set(text) else None
    if style is None and "\n" in text:
        style = "|"  # where a block would not read back, PyYAML itself falls back to quotes
    return dumper.represent_scalar(_TAG + "str", text, style)


_KubernetesDumper.add_representer(str, _text)

for _name, _pattern, _first in _SCALARS:
    # An empty scalar has no first character; PyYAML looks it up under "".
    _firsts = [*_first, ""] if _name == "null" else [*_first]
    for _reader_or_writer in (_KubernetesLoader, _KubernetesDumper):
        _reader_or_writer.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _firsts)


def dump(value: Any) -> str:
    """Plain data as one YAML document that Kubernetes reads back unchanged."""
    return yaml.dump(value, Dumper=_KubernetesDumper, sort_keys=False, allow_unicode=True, width=110)


class Place(NamedTuple):
    """A place in a file, counted from 1."""

    line: int = 1
    column: int = 1


class Flaw(Exception):
    """What is wrong with a text as YAML, and where."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


@dataclass
class Document:
    """One YAML document as plain data, and the node of each value."""

    root: yaml.Node
    value: Any = None
    flaws: list[Flaw] = field(default_factory=list[Flaw])
    _values: int = 0

    def place(self, path: tuple[str | int, ...], *, of_key: bool = False) -> Place:
        """Where the value at a path stands, or its key; for what is not there, the nearest value around it."""
        node, key = self.root, None
        for step in path:
            found = _step(node, step)
            if found is None:
                return _place(key or node)
            key, node = found
        return _place(key if of_key and key is not None else node)

    def text(self, path: tuple[str | int, ...]) -> str | None:
        """A scalar as it is written."""
        node = self.root
        for step in path:
            found = _step(node, step)
            if found is None:
                return None
            node = found[1]
        return node.value if isinstance(node, yaml.ScalarNode) else None

    def read(self) -> "Document":
        """Turn the nodes into data."""
        try:
            self.value = self._data(self.root, 0)
        except Flaw as flaw:
            self.flaws.append(flaw)
        return self

    def _data(self, node: yaml.Node, depth: int) -> Any:
        self._values += 1
        if self._values > MAX_VALUES:
            raise Flaw(_place(node), f"has more than {MAX_VALUES} values; use fewer aliases")
        if depth > MAX_DEPTH:
            raise Flaw(_place(node), f"is nested more than {MAX_DEPTH} deep, or holds itself through an alias")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self._data(item, depth + 1) for item in node.value]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.flaws.append(Flaw(_place(key), "is no key; write text before the colon"))
                continue
            if key.tag == _TAG + "merge":
                for mapping in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(mapping, yaml.MappingNode):
                        # The first of several wins, and what the mapping says itself wins over all.
                        merged = self._data(mapping, depth + 1) | merged
                    else:
                        self.flaws.append(Flaw(_place(mapping), "cannot be merged; write an alias of a mapping"))
                continue
            if key.value in own:
                self.flaws.append(Flaw(_place(key), f'"{key.value}" is written twice; keep one'))
            own[key.value] = self._data(value, depth + 1)
        return merged | own

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        try:
            match node.tag.removeprefix(_TAG):
                case "str" | "merge":
                    return text
                case "null":
                    return None
                case "bool":
                    return (*_FALSE, *_TRUE).index(text.lower()) >= len(_FALSE)
                case "int":
                    return int(re.sub(r"^([-+]?)0o?(?=[0-7])", r"\g<1>0o", text.replace("_", "")), 0)
                case "float" if _INFINITY_OR_NOT_A_NUMBER.fullmatch(text):
                    return float(text.replace(".", ""))
                case "float":
                    number = float(text.replace("_", ""))
                    return number if isfinite(number) else text
                case tag:
                    self.flaws.append(Flaw(_place(node), f'the tag "{tag}" means nothing here; leave it out'))
        except ValueError:
            self.flaws.append(Flaw(_place(node), f'"{text}" is not what its tag says; leave the tag out'))
        return None


def documents(content: bytes) -> Iterator[Document]:
    """The documents of a file, until its end or a Flaw that no reader gets over."""
    if len(content) > MAX_BYTES:
        raise Flaw(Place(), f"is larger than {MAX_BYTES // 1024**2} MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line_start = before.rfind(b"\n") + 1
        place = Place(before.count(b"\n") + 1, len(before[line_start:].decode("utf-8", "replace")) + 1)
        raise Flaw(place, "is not UTF-8 text") from None
    _refuse_deep_nesting(text)
    try:
        for root in yaml.compose_all(text, Loader=_KubernetesLoader):
            document = Document(root).read()
            # An empty document, as between two `---`, is as good as none.
            if document.value is not None or document.flaws:
                yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place()
        raise Flaw(place, f"is no YAML: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise Flaw(place, f"is no YAML: {error.reason}") from None


def _refuse_deep_nesting(text: str) -> None:
    # PyYAML composes recursively, in C without a limit, so depth is judged from the flat stream of events.
    depth = 0
    # Text that is no YAML ends the stream early; composing says so, after the documents before it.
    with suppress(yaml.YAMLError):
        for event in yaml.parse(text, Loader=_KubernetesLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise Flaw(_place(event), f"is nested more than {MAX_DEPTH} deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1


def _step(node: yaml.Node, step: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    if not isinstance(node, yaml.MappingNode):
        return None
    for key, value in reversed(node.value):
        if key.value == step:
            return key, value
    for key, value in node.value:
        if key.tag == _TAG + "merge":
            for mapping in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if (found := _step(mapping, step)) is not None:
                    return found
    return None


def _place(marked: Any) -> Place:
    return Place(marked.start_mark.line + 1, marked.start_mark.column + 1)
