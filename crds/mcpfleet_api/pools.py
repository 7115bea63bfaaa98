"""Node pools: the kinds of machines that a fleet's servers may run on."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mcpfleet_api.base import (
    Bool,
    Duration,
    Int,
    Labels,
    Model,
    Name,
    Number,
    ObjectName,
    Quantity,
    ShortText,
)
from mcpfleet_api.rules import ordered


class Toleration(Model):
    """A taint that the pods of a pool tolerate, as in a pod's `tolerations`."""

    key: ShortText | None = Field(default=None, description="Key of the taint; left out, every taint.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="How value is compared.")
    value: Annotated[str, Field(max_length=253)] | None = Field(default=None, description="Value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint; left out, every effect."
    )
    toleration_seconds: Annotated[Int, Field(ge=0, le=86_400)] | None = Field(
        default=None, description="For NoExecute: how long the pod may stay."
    )


Tolerations = Annotated[tuple[Toleration, ...], Field(max_length=16)]


class PodResources(Model):
    """What one Ray pod asks for, as its request and its limit."""

    cpu: Annotated[Number, Field(gt=0, le=512)] = Field(default=2, description="CPU cores.")
    memory: Quantity = Field(default="8Gi", description="Memory.")
    ephemeral_storage: Quantity | None = Field(
        default=None, description="Disk for logs, installed packages and spilled objects."
    )


class PoolReplicas(Model):
    """How many workers a pool has. Ray's autoscaler moves between the two."""

    rules: ClassVar = (ordered("min", "max"),)

    min: Annotated[Int, Field(ge=0, le=10_000)] = Field(default=0, description="Workers that always run.")
    max: Annotated[Int, Field(ge=1, le=10_000)] = Field(default=1, description="Most workers at a time.")


class Accelerator(Model):
    """The accelerators of each worker of a pool."""

    type: ShortText = Field(
        description='Model, as the cloud labels its nodes: "nvidia-l4" on GKE, "NVIDIA-H100" on others.'
    )
    count: Annotated[Int, Field(ge=1, le=64)] = Field(default=1, description="Accelerators per worker.")
    resource: ShortText = Field(
        default="nvidia.com/gpu", description="The resource that the device plugin offers, such as amd.com/gpu."
    )


class NodePool(Model):
    """A group of Ray workers on one kind of machine."""

    name: Name = Field(description="Its name, by which servers choose it.")
    replicas: PoolReplicas = Field(default=PoolReplicas(), description="How many workers it has.")
    resources: PodResources = Field(default=PodResources(), description="Size of each worker.")
    accelerator: Accelerator | None = Field(default=None, description="Its GPUs; left out, it has none.")
    spot: Bool = Field(
        default=False, description="Run on the cloud's spot machines, which it may take back at any time."
    )
    node_selector: Labels = Field(
        default={}, description="Node labels to select, beside those that the cloud and accelerator imply."
    )
    tolerations: Tolerations = Field(
        default=(), description="Taints to tolerate, beside those that the cloud and accelerator imply."
    )
    runtime_class_name: ObjectName | None = Field(
        default=None, description="RuntimeClass of its pods, such as gvisor for servers that are not trusted."
    )
    idle_timeout: Duration = Field(default="5m", description="How long a worker stays without work.")
