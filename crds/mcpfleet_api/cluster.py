"""MCPCluster: one Kubernetes cluster that fleets may run in. The platform team's object."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from mcpfleet_api.base import Bool, Cloud, Int, Keyed, Model, ObjectName, ShortText, Timestamp
from mcpfleet_api.metadata import Condition, ObjectMeta
from mcpfleet_api.rules import at_most_one_of


class KubeconfigSecret(Model):
    """A Secret with a kubeconfig, in the format that MultiKueue uses."""

    secret_name: ObjectName = Field(description="Name of the Secret.")
    namespace: ObjectName | None = Field(default=None, description="Its namespace; left out, the operator's.")
    key: ShortText = Field(default="kubeconfig", description="Key within the Secret.")


class ClusterProfileRef(Model):
    """A ClusterProfile of the cluster inventory API (multicluster.x-k8s.io)."""

    name: ObjectName = Field(description="Name of the ClusterProfile.")
    namespace: ObjectName | None = Field(default=None, description="Its namespace; left out, the operator's.")


class MCPClusterSpec(Model):
    """How to reach a cluster, and what it may carry. Without credentials it is the operator's own cluster."""

    rules: ClassVar = (at_most_one_of("kubeconfig", "clusterProfile"),)

    kubeconfig: KubeconfigSecret | None = Field(default=None, description="Credentials from a Secret.")
    cluster_profile: ClusterProfileRef | None = Field(
        default=None, description="Credentials from the cluster inventory."
    )
    provider: Cloud = Field(
        default=Cloud.GENERIC,
        description="Where it runs; it decides node labels, storage drivers and identity there.",
    )
    region: ShortText = Field(description="Region, in the words that fleets use in perRegion.")
    priority: Annotated[Int, Field(ge=0, le=1000)] = Field(
        default=100, description="The cluster with the highest that is healthy and has room is chosen first."
    )
    max_gpus: Annotated[Int, Field(ge=0, le=100_000)] | None = Field(
        default=None,
        alias="maxGPUs",
        description="GPUs that the cloud's quota allows, unseen by Kubernetes; left out, those on its nodes.",
    )
    unschedulable: Bool = Field(
        default=False, description="Put no further fleet here; fleets that run here stay until they move."
    )


class ClusterHealth(StrEnum):
    """What the operator's probes of a cluster say."""

    UNKNOWN = "Unknown"
    HEALTHY = "Healthy"
    SUSPECT = "Suspect"
    UNREACHABLE = "Unreachable"
    FAILED = "Failed"


class MCPClusterStatus(Model):
    """How the cluster fares. Written by the operator alone."""

    observed_generation: Annotated[Int, Field(ge=0)] | None = Field(
        default=None, description="The generation of the spec that this speaks of."
    )
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16), Keyed("type")] = Field(
        default=(), description="Reachable and Ready."
    )
    health: ClusterHealth = Field(default=ClusterHealth.UNKNOWN, description="What the probes say.")
    kubernetes_version: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="Version of its API server."
    )
    free_gpus: Annotated[Int, Field(ge=0)] | None = Field(
        default=None, alias="freeGPUs", description="GPUs on its nodes that no pod asks for."
    )
    used_gpus: Annotated[Int, Field(ge=0)] | None = Field(
        default=None, alias="usedGPUs", description="GPUs that pods ask for."
    )
    fleets: Annotated[Int, Field(ge=0)] | None = Field(default=None, description="Fleets that run there.")
    last_probe_time: Timestamp | None = Field(default=None, description="When it was probed last.")
    healthy_since: Timestamp | None = Field(default=None, description="Since when every probe succeeded.")


class MCPCluster(Model):
    """A Kubernetes cluster that fleets may run in."""

    api_version: Literal["mcpfleet.dev/v1alpha1"] = Field(description="Version of this API.")
    kind: Literal["MCPCluster"] = Field(description="The kind of this object.")
    metadata: ObjectMeta = Field(description="Name, labels.")
    spec: MCPClusterSpec = Field(description="How to reach it, and what it may carry.")
    status: MCPClusterStatus | None = Field(default=None, description="How it fares; written by the operator.")
