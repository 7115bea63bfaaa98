"""The generated files: fresh, and of the shape that the API server asks for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mcpfleet_api.crd import KINDS, Kind, crd, editor_schema, structural
from mcpfleet_api.generate import CHECKOUT, render

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("path", render())
def test_a_generated_file_is_fresh(path: str):
    assert (CHECKOUT / path).read_text() == render()[path], "run `make crds`"


def parts(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from parts(f"{path}.{name}", field)
    for below in ("items", "additionalProperties"):
        if below in schema:
            yield from parts(f"{path}[]", schema[below])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_schema_is_structural_bounded_and_described(kind: Kind):
    refused = {"$ref", "anyOf", "oneOf", "allOf", "const", "title", "propertyNames", "patternProperties", "$defs"}
    root = structural(kind.model)
    for part in ("spec", "status"):
        for path, schema in parts(part, root["properties"][part]):
            assert not refused & schema.keys(), path
            assert schema["type"] in {"object", "array", "string", "number", "integer", "boolean"}, path
            assert path.endswith("[]") or schema.get("description"), path
            match schema:
                case {"type": "array"}:
                    assert "maxItems" in schema, path
                case {"type": "string"}:
                    assert "maxLength" in schema or "enum" in schema, path
                case {"additionalProperties": _}:
                    assert "maxProperties" in schema, path
                case {"type": "object"}:
                    assert set(schema.get("required", ())) <= schema["properties"].keys(), path


def test_a_fleet_is_seen_and_found_in_kubectl():
    definition = crd(KINDS[0])["spec"]
    assert definition["names"] == {
        "kind": "MCPFleet",
        "listKind": "MCPFleetList",
        "plural": "mcpfleets",
        "singular": "mcpfleet",
        "shortNames": ["mcpf"],
        "categories": ["mcpfleet"],
    }
    [version] = definition["versions"]
    assert version["subresources"] == {"status": {}}
    assert [column["name"] for column in version["additionalPrinterColumns"]] == [
        "Servers",
        "Ready",
        "Endpoint",
        "Region",
        "Age",
    ]
    servers = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["servers"]
    assert servers["x-kubernetes-list-type"] == "map"
    assert servers["x-kubernetes-list-map-keys"] == ["name"]
    assert servers["maxItems"] == 500


def test_the_editor_schema_takes_the_examples_and_refuses_unknown_fields():
    schema = json.loads(json.dumps(editor_schema()))
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    for file in EXAMPLES.glob("*.yaml"):
        document = yaml.safe_load(file.read_text())
        assert list(validator.iter_errors(document)) == []
        document["spec"]["servers"][0]["nodePol"] = "gpu"
        assert list(validator.iter_errors(document)) != []
