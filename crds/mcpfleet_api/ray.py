"""Ray: version, image, head, and how the cluster survives and changes."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from mcpfleet_api.base import Bool, Duration, Int, Keyed, Labels, Model, ObjectName, SecretKeyRef, Shape
from mcpfleet_api.pools import PodResources, Tolerations
from mcpfleet_api.rules import Fault, Rule, View


class ImagePullSecret(Model):
    """A Secret with registry credentials."""

    name: ObjectName = Field(description="Name of the Secret.")


class Head(Model):
    """The head pod, which steers the cluster and hosts no server."""

    resources: PodResources = Field(default=PodResources(), description="Its size.")
    node_selector: Labels = Field(default={}, description="Node labels to select.")
    tolerations: Tolerations = Field(default=(), description="Taints to tolerate.")


class GcsFaultTolerance(Model):
    """Keeps Ray's state in Redis, so that the fleet outlives its head."""

    redis_address: Annotated[
        str,
        StringConstraints(max_length=512),
        Shape(
            r"^(rediss?://)?[A-Za-z0-9.-]+:[0-9]+$", 'is no Redis address; write it such as "redis.data.svc:6379"'
        ),
    ] = Field(description="Address of Redis, with its port.")
    username: SecretKeyRef | None = Field(default=None, description="User name, from a Secret.")
    password: SecretKeyRef | None = Field(default=None, description="Password, from a Secret.")


class RayAuth(Model):
    """Token authentication of Ray's own control plane. It does not concern MCP clients."""

    enabled: Bool = Field(default=True, description="Ask for a token.")
    secret_name: ObjectName | None = Field(
        default=None, description="Secret with the key auth_token; left out, the operator makes one."
    )


class UpgradeStrategy(StrEnum):
    """What happens when a change needs new pods."""

    NEW_CLUSTER = "NewCluster"
    INCREMENTAL = "Incremental"
    NONE = "None"


def _faults_of_upgrade(upgrade: View) -> Iterator[Fault]:
    if upgrade.get("strategy") == UpgradeStrategy.INCREMENTAL and not upgrade.has("gatewayClassName"):
        yield Fault((), "strategy Incremental shifts traffic through a Gateway; write its gatewayClassName")


INCREMENTAL_NEEDS_A_GATEWAY: Final = Rule(
    "strategy Incremental needs gatewayClassName",
    "self.strategy != 'Incremental' || has(self.gatewayClassName)",
    _faults_of_upgrade,
)


class Upgrade(Model):
    """How a change that needs new pods rolls out."""

    rules: ClassVar = (INCREMENTAL_NEEDS_A_GATEWAY,)

    strategy: UpgradeStrategy = Field(
        default=UpgradeStrategy.NEW_CLUSTER,
        description=(
            "NewCluster starts a second Ray cluster and switches over; Incremental shifts traffic in steps;"
            " None leaves the old pods."
        ),
    )
    max_surge_percent: Annotated[Int, Field(ge=0, le=100)] = Field(
        default=100, description="For Incremental: how much of the new cluster starts at a time."
    )
    step_size_percent: Annotated[Int, Field(ge=1, le=100)] = Field(
        default=20, description="For Incremental: how much traffic one step moves."
    )
    interval: Duration = Field(default="30s", description="For Incremental: time between steps.")
    gateway_class_name: ObjectName | None = Field(
        default=None, description="For Incremental: GatewayClass that shifts the traffic."
    )
    delete_old_after: Duration = Field(
        default="1m", description="How long the old cluster stays after the switch."
    )


class Ray(Model):
    """The Ray cluster under a fleet. The defaults are good for most."""

    version: Annotated[
        str,
        StringConstraints(max_length=32),
        Shape(r"^[0-9]+\.[0-9]+\.[0-9]+$", 'is no Ray version; write it such as "2.60.0"'),
    ] = Field(default="2.60.0", description="Version of Ray in the image.")
    image: (
        Annotated[
            str,
            StringConstraints(min_length=1, max_length=512),
            Shape(r"^[!-~]+$", "is no image; write it without spaces"),
        ]
        | None
    ) = Field(default=None, description="Image of head and workers; left out, the operator's own.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When to pull the image."
    )
    image_pull_secrets: Annotated[tuple[ImagePullSecret, ...], Field(max_length=8), Keyed()] = Field(
        default=(), description="Credentials for its registry."
    )
    head: Head = Field(default=Head(), description="The head pod.")
    gcs_fault_tolerance: GcsFaultTolerance | None = Field(
        default=None, description="Survive the loss of the head; needs a Redis."
    )
    auth: RayAuth = Field(default=RayAuth(), description="Authentication of Ray's control plane.")
    upgrade: Upgrade = Field(default=Upgrade(), description="How changes roll out.")
