"""Properties over everything that the types allow, and over everything that they do not."""

import copy
import re
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pydantic import BaseModel

from mcpfleet_api.base import API_VERSION
from mcpfleet_api.cluster import MCPCluster
from mcpfleet_api.crd import structural
from mcpfleet_api.fleet import MCPFleet
from mcpfleet_cli.fleet_file import parse
from mcpfleet_cli.yaml_document import dump

MODERATE = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
LABEL_KEYS = st.sampled_from(["team", "example.com/team", "a", "A_1.b-2", "y"])


def values(schema: dict[str, Any]) -> SearchStrategy[Any]:
    """Anything that a structural schema allows, but for the rules between fields."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object" if "additionalProperties" in schema:
            return st.dictionaries(LABEL_KEYS, values(schema["additionalProperties"]), max_size=3)
        case "object":
            return objects(schema)
        case "array":
            key = next(iter(schema.get("x-kubernetes-list-map-keys", ())), None)
            return st.lists(
                values(schema["items"]),
                min_size=schema.get("minItems", 0),
                max_size=min(schema["maxItems"], 3),
                unique_by=(lambda item: item[key]) if key else None,
            )
        case "integer":
            return st.integers(schema.get("minimum", 0), schema.get("maximum", 2**31))
        case "number":
            low, high = schema["minimum"], schema["maximum"]
            return st.floats(low, high, exclude_min=schema.get("exclusiveMinimum", False))
        case "boolean":
            return st.booleans()
        case "string":
            return texts(schema)
        case other:
            raise AssertionError(other)


def texts(schema: dict[str, Any]) -> SearchStrategy[str]:
    low, high = schema.get("minLength", 0), schema["maxLength"]
    if "pattern" not in schema:
        return st.text(min_size=low, max_size=min(high, 12))
    found = st.from_regex(
        re.compile(schema["pattern"], re.ASCII), fullmatch=True, alphabet=st.characters(codec="ascii")
    )
    return found.filter(lambda text: low <= len(text) <= high)


@st.composite
def objects(draw: DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    required = schema.get("required", [])
    names = [name for name in schema["properties"] if name in required or draw(st.integers(0, 2)) == 0]
    for rule in schema.get("x-kubernetes-validations", ()):
        choices = re.findall(r"has\(self\.(\w+)\)", rule["rule"])
        if rule["message"].startswith(("exactly one of", "at most one of")):
            names = [name for name in names if name not in choices] + [draw(st.sampled_from(choices))]
        elif "must not be greater than" in rule["message"]:
            low, high = re.findall(r"self\.(\w+)", rule["rule"])
            first = draw(values(schema["properties"][high]))
            second = draw(values(schema["properties"][high]))
            rest = {name: draw(values(schema["properties"][name])) for name in names if name not in (low, high)}
            return rest | {low: min(first, second), high: max(first, second)}
    return {name: draw(values(schema["properties"][name])) for name in names}


FLEET_SPECS = values(structural(MCPFleet)["properties"]["spec"])
CLUSTER_SPECS = values(structural(MCPCluster)["properties"]["spec"])


@st.composite
def fleets(draw: DrawFn) -> dict[str, Any]:
    """A valid fleet: anything that the schema allows, with its references set right."""
    spec = draw(FLEET_SPECS)
    spec["placement"] = {}  # so that any identity is in order
    pools = [pool["name"] for pool in spec.get("nodePools", ()) if "accelerator" in pool]
    volumes = [volume["name"] for volume in spec.get("volumes", ())]
    for number, volume in enumerate(spec.get("volumes", ())):
        volume["mountPath"] = f"/mnt/{number}"
    for server in spec["servers"]:
        server["hosting"] = "Dedicated"
        server.pop("nodePool", None)
        if pools:
            server["nodePool"] = draw(st.sampled_from(pools))
        server.get("resources", {}).pop("gpu", None)
        server["volumes"] = draw(st.lists(st.sampled_from(volumes), max_size=2)) if volumes else []
        for number, rename in enumerate(server.get("tools", {}).get("rename", ())):
            rename["to"] = f"tool-{number}"
    for limit in spec.get("gateway", {}).get("rateLimits", ()):
        limit["server"] = draw(st.sampled_from([server["name"] for server in spec["servers"]]))
    spec.get("ray", {}).pop("upgrade", None)
    return whole("MCPFleet", spec)


def whole(kind: str, spec: Any) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "fleet"}, "spec": spec}


def survives_yaml(model: type[BaseModel], document: dict[str, Any]) -> None:
    fleet = model.model_validate(document)
    # Once as it was written, once as the model writes itself.
    for manifest in (document, fleet.manifest()):  # type: ignore[attr-defined]
        loaded = parse(dump(manifest).encode(), "fleet.yaml")
        assert loaded.findings == ()
        assert [*loaded.fleets, *loaded.clusters] == [fleet]


@settings(MODERATE, max_examples=15)  # each draws hundreds of values
@given(fleets())
def test_every_valid_fleet_survives_yaml_and_back(document: dict[str, Any]):
    survives_yaml(MCPFleet, document)


@MODERATE
@given(CLUSTER_SPECS)
def test_every_valid_cluster_survives_yaml_and_back(spec: dict[str, Any]):
    survives_yaml(MCPCluster, whole("MCPCluster", spec))


@MODERATE
@given(st.binary() | st.text().map(str.encode) | st.text(alphabet="-:{}[]&*!|>'\"%@,?#<~ \n\tab0").map(str.encode))
def test_no_bytes_make_it_raise(content: bytes):
    parse(content, "fleet.yaml")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


CASES = [
    {"servers": [{"name": "a", "npm": {"package": "x", "version": "1.0.0"}}]} | case["spec"]
    for case in yaml.safe_load((Path(__file__).parents[1] / "cases" / "fleets.yaml").read_text())
]


@st.composite
def spoilt(draw: DrawFn) -> dict[str, Any]:
    """A fleet in which one place holds just anything."""
    document = whole("MCPFleet", copy.deepcopy(draw(st.sampled_from(CASES))))
    place: Any = document
    while True:
        steps = list(range(len(place))) if isinstance(place, list) else list(place)
        step = draw(st.sampled_from(steps))
        if not isinstance(place[step], dict | list) or not place[step] or draw(st.integers(0, 3)) == 0:
            place[step] = draw(ANYTHING)
            return document
        place = place[step]


@MODERATE
@given(spoilt())
def test_no_spoilt_fleet_makes_it_raise(document: dict[str, Any]):
    loaded = parse(dump(document).encode(), "fleet.yaml")
    assert all(finding.line >= 1 and finding.column >= 1 and finding.message for finding in loaded.findings)


@MODERATE
@given(ANYTHING)
def test_no_document_makes_it_raise(document: Any):
    parse(dump(document).encode(), "fleet.yaml")
    parse(dump(whole("MCPFleet", document)).encode(), "fleet.yaml")
