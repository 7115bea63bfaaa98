"""What every type of the API shares: frozen, camelCase outside, strict about unknown fields."""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    Strict,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from mcpfleet_api.rules import Fault, Rule, View, duplicates, fields_of

GROUP: Final = "mcpfleet.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

# The type of a finding that came from a rule or a Shape: its message is ours and made for people.
FINDING: Final = "mcpfleet"
_BUILT_IN_ERRORS: Final = frozenset(get_args(core_schema.ErrorType))


class Keyed:
    """Marks a list whose items are told apart by one field: `x-kubernetes-list-type: map`."""

    def __init__(self, key: str = "name") -> None:
        self.key = key

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": [self.key],
        }


class Shape:
    """Text of one pattern, with words for a person to whom the pattern would say nothing."""

    def __init__(self, pattern: str, says: str) -> None:
        self.pattern = pattern
        self.says = says
        self._compiled = re.compile(pattern)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"pattern": self.pattern}

    def _check(self, value: str) -> str:
        # fullmatch: `$` alone would let a trailing newline pass, which the API server refuses.
        if self._compiled.fullmatch(value) is None:
            raise _finding(f'"{value}" {self.says}')
        return value


def _finding(message: str) -> PydanticCustomError:
    return PydanticCustomError(FINDING, "{message}", {"message": message})


class Model(BaseModel):
    """One object of the API: immutable, `camelCase` in YAML and JSON, unknown fields refused.

    Its `rules` hold beside its fields' own bounds; a ValidationError names every breach, each at its place.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        use_enum_values=False,
        validate_default=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    def manifest(self) -> dict[str, Any]:
        """The object as YAML and JSON hold it, without what is left at its default."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)

    @model_validator(mode="wrap")
    @classmethod
    def _every_fault_at_once(cls, document: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(document, cls):
            return handler(document)
        document = cls._without_empty_fields(document)
        faults = [fault for rule in cls.rules for fault in rule.faults(View(cls, document))]
        faults += cls._twice_the_same_key(document)
        try:
            value = handler(document)
        except ValidationError as error:
            if not faults:
                raise
            raise cls._error(error, faults) from None
        if faults:
            raise cls._error(None, faults)
        return value

    @classmethod
    def _without_empty_fields(cls, document: Any) -> Any:
        """The document with `field:` and nothing after it taken for its default, as the API server takes it."""
        if not isinstance(document, Mapping):
            return document
        fields = fields_of(cls)
        return {
            name: value
            for name, value in document.items()
            if value is not None or name not in fields or fields[name][1].is_required()
        }

    @classmethod
    def _twice_the_same_key(cls, document: Any) -> list[Fault]:
        view = View(cls, document)
        return [
            fault
            for name, field in cls.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, Keyed)
            for fault in duplicates(view, field.alias or name, mark.key)
        ]

    @classmethod
    def _error(cls, error: ValidationError | None, faults: list[Fault]) -> ValidationError:
        """One ValidationError of what pydantic found and of what the rules found."""
        found: list[InitErrorDetails] = [
            InitErrorDetails(
                type=detail["type"] if detail["type"] in _BUILT_IN_ERRORS else _finding(detail["msg"]),
                loc=detail["loc"],
                input=detail["input"],
                ctx=detail.get("ctx", {}),
            )
            for detail in (error.errors(include_url=False) if error else ())
        ]
        broken = [InitErrorDetails(type=_finding(fault.message), loc=fault.path, input=None) for fault in faults]
        return ValidationError.from_exception_data(cls.__name__, found + broken)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> dict[str, Any]:
        schema = handler(core_schema)
        if cls.rules:
            handler.resolve_ref_schema(schema)["x-kubernetes-validations"] = [
                {"rule": rule.cel, "message": rule.message} for rule in cls.rules
            ]
        return schema


# YAML's `true` is no number and its "1" neither; the API server would refuse both, so we do too.
Int = Annotated[int, Strict()]
Bool = Annotated[bool, Strict()]
Number = Annotated[float, Strict()]

DNS_LABEL: Final = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
OBJECT_NAME: Final = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
DURATION: Final = r"^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$"

# A name that may stand in a Kubernetes object name, a URL path segment and a tool prefix alike.
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40),
    Shape(DNS_LABEL, 'is no name; write lower-case letters, digits and "-", a letter first and no "-" last'),
]

# The name of any Kubernetes object.
ObjectName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253),
    Shape(
        OBJECT_NAME,
        'cannot name a Kubernetes object; write lower-case letters, digits, "-" and "."',
    ),
]

# A Go-style duration in hours, minutes and seconds: "30s", "10m", "1h30m".
Duration = Annotated[
    str,
    StringConstraints(min_length=2, max_length=20),
    Shape(DURATION, 'is no duration; write hours, minutes and seconds, such as "30s", "10m" or "1h30m"'),
]

# A Kubernetes resource quantity: "500m", "4Gi".
Quantity = Annotated[
    str,
    StringConstraints(max_length=20),
    Shape(
        r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$",
        'is no quantity; write a number with a unit, such as "512Mi" or "4Gi"',
    ),
]

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=253)]
LongText = Annotated[str, StringConstraints(max_length=4096)]

LabelKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=317),
    Shape(
        r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        'is no label key; write it such as "team" or "example.com/team"',
    ),
]
LabelValue = Annotated[
    str,
    StringConstraints(max_length=63),
    Shape(
        r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        'is no label value; write letters, digits, "-", "_" and "."',
    ),
]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=32)]
Annotations = Annotated[dict[LabelKey, LongText], Field(max_length=32)]

# RFC 3339, as Kubernetes writes it.
Timestamp = Annotated[str, StringConstraints(max_length=64), Field(json_schema_extra={"format": "date-time"})]


def seconds(duration: str) -> timedelta:
    """The length of a Duration such as "1h30m"."""
    total, number = 0, ""
    for character in duration:
        if character.isdigit():
            number += character
        else:
            total += int(number) * {"h": 3600, "m": 60, "s": 1}[character]
            number = ""
    return timedelta(seconds=total)


class Cloud(StrEnum):
    """Where a cluster runs, which decides node labels, storage drivers and identity."""

    AKS = "aks"
    EKS = "eks"
    GKE = "gke"
    DOKS = "doks"
    HETZNER = "hetzner"
    GENERIC = "generic"


class SecretKeyRef(Model):
    """One key of a Secret.

    On a laptop it is read from the file that `--env-file` names or from the environment, as the variable
    `<NAME>_<KEY>` in capitals (`github` and `token`: `GITHUB_TOKEN`) or, failing that, as `<KEY>` itself.
    """

    name: ShortText = Field(description="Name of the Secret, in the fleet's own namespace.")
    key: ShortText = Field(description="Key within the Secret.")
