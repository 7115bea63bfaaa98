"""Types → CustomResourceDefinitions and the editor's JSON Schema. Pure.

The API server takes only structural schemas: no references, no `anyOf` with null, no `const`, bounds on all that a
CEL rule walks over. What pydantic emits is turned into that here.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel

from mcpfleet_api.base import API_VERSION, GROUP, VERSION
from mcpfleet_api.cluster import MCPCluster
from mcpfleet_api.fleet import MCPFleet

Schema = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`."""

    name: str
    path: str
    description: str
    type: Literal["string", "integer", "date"] = "string"
    # Columns of a higher priority than 0 show only with `-o wide`.
    priority: int = 0


@dataclass(frozen=True)
class Kind:
    """One kind of the API, as Kubernetes should know it."""

    model: type[BaseModel]
    plural: str
    short_name: str
    scope: Literal["Namespaced", "Cluster"]
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        return self.model.__name__


AGE: Final = Column("Age", ".metadata.creationTimestamp", "Since when it exists.", "date")
READY: Final = Column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether it does what it should.")

KINDS: Final = (
    Kind(
        MCPFleet,
        "mcpfleets",
        "mcpf",
        "Namespaced",
        (
            Column("Servers", ".status.readyServers", "Servers that answer, of all."),
            READY,
            Column("Endpoint", ".status.endpoint", "Address of the aggregated MCP endpoint."),
            Column("Region", ".status.region", "Regions that serve."),
            AGE,
        ),
    ),
    Kind(
        MCPCluster,
        "mcpclusters",
        "mcpc",
        "Cluster",
        (
            Column("Provider", ".spec.provider", "Where it runs."),
            Column("Region", ".spec.region", "Its region."),
            Column("Health", ".status.health", "What the probes say."),
            Column("Free GPUs", ".status.freeGPUs", "GPUs that no pod asks for.", "integer"),
            Column("Priority", ".spec.priority", "Rank among clusters.", "integer", priority=1),
            Column("Probed", ".status.lastProbeTime", "When it was probed last.", "date", priority=1),
            AGE,
        ),
    ),
)


def crd(kind: Kind) -> Schema:
    """The CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short_name],
                "categories": ["mcpfleet"],
            },
            "scope": kind.scope,
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": structural(kind.model)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {
                            "name": column.name,
                            "type": column.type,
                            "jsonPath": column.path,
                            "description": column.description,
                        }
                        | ({"priority": column.priority} if column.priority else {})
                        for column in kind.columns
                    ],
                }
            ],
        },
    }


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a kind."""
    emitted = model.model_json_schema()
    # Kubernetes owns these three and refuses to have more said of them.
    emitted["properties"] |= {
        "apiVersion": {"type": "string", "description": f"{API_VERSION}."},
        "kind": {"type": "string", "description": f"{model.__name__}."},
        "metadata": {"type": "object"},
    }
    emitted["required"] = ["spec"]
    return _structural(emitted, emitted["$defs"])


def _structural(emitted: Schema, definitions: Schema) -> Schema:
    schema = _without_null(emitted)
    if "$ref" in schema:
        name = schema.pop("$ref").removeprefix("#/$defs/")
        known = definitions[name]
        if "description" in schema:
            # What a field says of itself takes the place of the first paragraph that its type says of all.
            more = known.get("description", "").partition("\n\n")[2]
            schema["description"] = "\n\n".join(filter(None, (schema["description"], more)))
        schema = known | schema
    for noise in ("$defs", "title", "propertyNames"):
        schema.pop(noise, None)
    if schema.get("additionalProperties") is False:
        del schema["additionalProperties"]
    if patterns := schema.pop("patternProperties", None):
        schema["additionalProperties"] = next(iter(patterns.values()))
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    for bound, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in schema:
            schema[inclusive], schema[bound] = schema[bound], True
    if "description" in schema:
        schema["description"] = _paragraphs(schema["description"])
    if "properties" in schema:
        schema["properties"] = {
            name: _structural(field, definitions) for name, field in schema["properties"].items()
        }
        if "default" in schema:
            # The API server fills in the fields' own defaults, so there is one place for each; but it tries
            # the object's rules on the default as it stands here.
            fields = schema["properties"] if "x-kubernetes-validations" in schema else {}
            schema["default"] = {name: field["default"] for name, field in fields.items() if "default" in field}
    for part in ("items", "additionalProperties"):
        if part in schema:
            schema[part] = _structural(schema[part], definitions)
    return schema


def _without_null(emitted: Schema) -> Schema:
    """A field that may be left out: what it is when it is given."""
    schema = dict(emitted)
    if "anyOf" in schema:
        given = [choice for choice in schema.pop("anyOf") if choice != {"type": "null"}]
        if len(given) != 1:
            raise ValueError(f"no structural schema has alternatives, and this one has {given}")
        schema = given[0] | schema
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    return schema


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def editor_schema() -> Schema:
    """The JSON Schema by which editors complete and check fleet files."""
    schemas = [kind.model.model_json_schema() for kind in KINDS]
    definitions = {name: _for_editors(part) for schema in schemas for name, part in schema["$defs"].items()}
    definitions |= {kind.name: _for_editors(schema) for kind, schema in zip(KINDS, schemas, strict=True)}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "MCPFleet",
        "description": f"Objects of {API_VERSION}.",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "oneOf": [{"$ref": f"#/definitions/{kind.name}"} for kind in KINDS],
        "definitions": dict(sorted(definitions.items())),
    }


def _for_editors(part: Any) -> Any:
    """Draft 7, which yaml-language-server reads best, without what only Kubernetes understands."""
    if isinstance(part, list):
        return [_for_editors(item) for item in part]
    if not isinstance(part, dict):
        return part
    schema = _without_null(part)
    if isinstance(schema.get("default"), dict):
        del schema["default"]
    if "$ref" in schema:
        # Draft 7 reads nothing beside a reference.
        reference = {"$ref": schema.pop("$ref").replace("#/$defs/", "#/definitions/")}
        beside = _for_editors(schema)
        return beside | {"allOf": [reference]} if beside else reference
    kept = {
        name: _for_editors(value)
        for name, value in schema.items()
        if name not in ("$defs", "title") and not name.startswith("x-kubernetes-")
    }
    if isinstance(kept.get("description"), str):
        kept["description"] = _paragraphs(kept["description"])
    if isinstance(kept.get("properties"), dict):
        # Here `properties` holds fields, of which one may well be called "title".
        kept["properties"] = {name: _for_editors(field) for name, field in part["properties"].items()}
    return kept
