"""What every type of the API shares: frozen, camelCase outside, and strict about unknown fields."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

GROUP: Final = "mcpfleet.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"


class Model(BaseModel):
    """One object of the API: immutable, `camelCase` in YAML and JSON, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        use_enum_values=False,
        validate_default=True,
    )


DNS_LABEL: Final = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
DURATION: Final = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"

# A name that may stand in a Kubernetes object name, a URL path segment and a tool prefix alike.
Name = Annotated[str, StringConstraints(pattern=DNS_LABEL, min_length=1, max_length=40)]

# A Go-style duration in hours, minutes and seconds: "30s", "10m", "1h30m".
Duration = Annotated[str, StringConstraints(pattern=DURATION, min_length=2, max_length=20)]

# A Kubernetes resource quantity: "500m", "4Gi".
Quantity = Annotated[
    str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$", max_length=20)
]

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=253)]
LongText = Annotated[str, StringConstraints(max_length=4096)]


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


class SecretKeyRef(Model):
    """One key of a Secret.

    On a laptop it is read from the file that `--env-file` names or from the environment, as the variable
    `<NAME>_<KEY>` in capitals (`github` and `token`: `GITHUB_TOKEN`) or, failing that, as `<KEY>` itself.
    """

    name: ShortText = Field(description="Name of the Secret, in the fleet's own namespace.")
    key: ShortText = Field(description="Key within the Secret.")
