"""The part of an object that Kubernetes itself defines."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from mcpfleet_api.base import Annotations, Int, Labels, Model, ObjectName, ShortText, Timestamp


class ObjectMeta(Model):
    """Name, labels and annotations; the rest Kubernetes writes."""

    name: ObjectName = Field(description="Name of the object.")
    namespace: ObjectName | None = Field(default=None, description="Namespace of the object.")
    labels: Labels = Field(default={}, description="Labels of the object.")
    annotations: Annotations = Field(default={}, description="Annotations of the object.")
    finalizers: tuple[str, ...] = Field(default=(), description="Written by controllers.")
    uid: str | None = Field(default=None, description="Written by Kubernetes.")
    resource_version: str | None = Field(default=None, description="Written by Kubernetes.")
    generation: Int | None = Field(default=None, description="Written by Kubernetes.")
    creation_timestamp: Timestamp | None = Field(default=None, description="Written by Kubernetes.")
    deletion_timestamp: Timestamp | None = Field(default=None, description="Written by Kubernetes.")
    deletion_grace_period_seconds: Int | None = Field(default=None, description="Written by Kubernetes.")
    generate_name: str | None = Field(default=None, description="Prefix that the name was made from.")
    self_link: str | None = Field(default=None, description="No longer used by Kubernetes.")
    owner_references: tuple[dict[str, Any], ...] = Field(default=(), description="Written by controllers.")
    managed_fields: tuple[dict[str, Any], ...] = Field(default=(), description="Written by Kubernetes.")


class Condition(Model):
    """One condition of an object, as `metav1.Condition` has it."""

    type: ShortText = Field(description="Which condition, such as Ready.")
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(
        description="Why, as one CamelCase word."
    )
    message: Annotated[str, StringConstraints(max_length=4096)] = Field(description="Why, for a person.")
    last_transition_time: Timestamp = Field(description="When the status last changed.")
    observed_generation: Annotated[Int, Field(ge=0)] | None = Field(
        default=None, description="The generation of the spec that this speaks of."
    )
