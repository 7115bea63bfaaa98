"""MCPFleet: many MCP servers, described in one object."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from mcpfleet_api.base import DNS_LABEL, OBJECT_NAME, Cloud, Int, Keyed, Model, Name, ShortText
from mcpfleet_api.gateway import Gateway
from mcpfleet_api.identity import Identity
from mcpfleet_api.metadata import Condition, ObjectMeta
from mcpfleet_api.observability import Observability
from mcpfleet_api.placement import Placement
from mcpfleet_api.pools import NodePool
from mcpfleet_api.ray import Ray
from mcpfleet_api.rules import Fault, Rule, View, unique
from mcpfleet_api.serve import ServerState
from mcpfleet_api.server import Server
from mcpfleet_api.volumes import Volume

MAX_FLEET_NAME: Final = 40


def _faults_of_name(fleet: View) -> Iterator[Fault]:
    name = fleet.child("metadata").text("name")
    if name is None or re.fullmatch(OBJECT_NAME, name) is None:
        return  # the field's own finding says so
    if len(name) > MAX_FLEET_NAME or re.fullmatch(DNS_LABEL, name) is None:
        yield Fault(
            ("metadata", "name"),
            f'"{name}" cannot name a fleet; write up to {MAX_FLEET_NAME} lower-case letters, digits and "-",'
            ' a letter first and no "-" last',
        )


# KubeRay allows 47 characters and makes Service names, which admit no dots, of it.
NAME_FITS: Final = Rule(
    f'metadata.name must be {MAX_FLEET_NAME} or fewer lower-case letters, digits and "-", a letter first',
    f"self.metadata.name.size() <= {MAX_FLEET_NAME} && self.metadata.name.matches('{DNS_LABEL}')",
    _faults_of_name,
)


def _names(view: View, items: str) -> set[str]:
    return {name for _, item in view.children(items) if (name := item.text("name")) is not None}


def _known(names: set[str], items: str) -> str:
    return f"{items} has {', '.join(sorted(names))}" if names else f"{items} is empty"


def _faults_of_pool_names(spec: View) -> Iterator[Fault]:
    pools = _names(spec, "nodePools")
    for index, server in spec.children("servers"):
        pool = server.text("nodePool")
        if pool is not None and pool not in pools:
            yield Fault(
                ("servers", index, "nodePool"),
                f'there is no node pool "{pool}"; {_known(pools, "spec.nodePools")}',
            )


POOLS_EXIST: Final = Rule(
    "a server's nodePool must be one of spec.nodePools",
    "self.servers.all(s, !has(s.nodePool) || self.nodePools.exists(p, p.name == s.nodePool))",
    _faults_of_pool_names,
)


def _faults_of_volume_names(spec: View) -> Iterator[Fault]:
    volumes = _names(spec, "volumes")
    for index, server in spec.children("servers"):
        for place, volume in server.items("volumes"):
            if isinstance(volume, str) and volume not in volumes:
                yield Fault(
                    ("servers", index, "volumes", place),
                    f'there is no volume "{volume}"; {_known(volumes, "spec.volumes")}',
                )


# CEL has no variables; a list of one that `all` walks over is one. Without it, 500 servers of 16 volumes each
# would go beyond what the API server spends on a rule.
VOLUMES_EXIST: Final = Rule(
    "a server's volumes must be among spec.volumes",
    "[self.volumes.map(v, v.name)].all(names, self.servers.all(s, s.volumes.all(v, v in names)))",
    _faults_of_volume_names,
)


def _faults_of_gpus(spec: View) -> Iterator[Fault]:
    pools = {pool.text("name"): pool for _, pool in spec.children("nodePools")}
    for index, server in spec.children("servers"):
        gpus, name = server.child("resources").number("gpu") or 0, server.text("nodePool")
        path = ("servers", index, "resources", "gpu")
        if gpus == 0 or (name is not None and name not in pools):
            continue
        if name is None:
            yield Fault(path, "GPUs come from a node pool; write the nodePool of the server")
        elif not pools[name].has("accelerator"):
            yield Fault(
                path, f'node pool "{name}" has no GPUs; give it an accelerator, or choose another nodePool'
            )
        elif gpus > (count := pools[name].child("accelerator").number("count") or gpus):
            yield Fault(path, f'{gpus:g} GPUs do not fit into a worker of node pool "{name}", which has {count:g}')


GPUS_FIT: Final = Rule(
    "a server with resources.gpu needs a nodePool with an accelerator of at least that count",
    "self.servers.all(s, !has(s.resources.gpu) || s.resources.gpu == 0.0 || (has(s.nodePool) && "
    "self.nodePools.exists(p, p.name == s.nodePool && has(p.accelerator) && "
    "double(p.accelerator.count) >= s.resources.gpu)))",
    _faults_of_gpus,
)

_CLOUD_OF_IDENTITY: Final = {"azure": Cloud.AKS, "aws": Cloud.EKS, "gcp": Cloud.GKE}


def _faults_of_identity(spec: View) -> Iterator[Fault]:
    if spec.has("placement"):
        return
    identity = spec.child("identity")
    for name, cloud in _CLOUD_OF_IDENTITY.items():
        if identity.has(name) and spec.text("cloud") in {*Cloud} - {cloud}:
            yield Fault(
                ("identity", name),
                f"identity.{name} is for cloud: {cloud}, and this fleet is on {spec.text('cloud')}",
            )


# A fleet that is placed in other clusters may carry one identity for each cloud among them.
IDENTITY_FITS_THE_CLOUD: Final = Rule(
    "identity.azure needs cloud: aks, identity.aws cloud: eks, identity.gcp cloud: gke (unless placement is set)",
    "has(self.placement) || ("
    + " && ".join(
        f"(!has(self.identity.{name}) || self.cloud == '{cloud}')" for name, cloud in _CLOUD_OF_IDENTITY.items()
    )
    + ")",
    _faults_of_identity,
)


def _faults_of_rate_limits(spec: View) -> Iterator[Fault]:
    servers = _names(spec, "servers")
    for index, limit in spec.child("gateway").children("rateLimits"):
        server = limit.text("server")
        if server is not None and server not in servers:
            yield Fault(("gateway", "rateLimits", index, "server"), f'there is no server "{server}" in the fleet')


LIMITED_SERVERS_EXIST: Final = Rule(
    "a rate limit's server must be one of spec.servers",
    "self.gateway.rateLimits.all(l, !has(l.server) || self.servers.exists(s, s.name == l.server))",
    _faults_of_rate_limits,
)


class MCPFleetSpec(Model):
    """What the fleet should be. Only `servers` is needed."""

    rules: ClassVar = (
        POOLS_EXIST,
        VOLUMES_EXIST,
        GPUS_FIT,
        IDENTITY_FITS_THE_CLOUD,
        LIMITED_SERVERS_EXIST,
        unique("volumes", "mountPath"),
    )

    cloud: Cloud = Field(
        default=Cloud.GENERIC,
        description="Where the fleet runs; it decides node labels, storage drivers and identity.",
    )
    servers: Annotated[tuple[Server, ...], Field(min_length=1, max_length=500), Keyed()] = Field(
        description="The MCP servers of the fleet."
    )
    node_pools: Annotated[tuple[NodePool, ...], Field(max_length=32), Keyed()] = Field(
        default=(), description="Kinds of workers that servers may ask for."
    )
    volumes: Annotated[tuple[Volume, ...], Field(max_length=32), Keyed()] = Field(
        default=(), description="Storage that servers may use."
    )
    identity: Identity = Field(default=Identity(), description="The cloud account that the pods act as.")
    gateway: Gateway = Field(default=Gateway(), description="The fleet's door for clients.")
    ray: Ray = Field(default=Ray(), description="The Ray cluster underneath.")
    placement: Placement | None = Field(
        default=None,
        description="Which member clusters run the fleet; left out, the cluster that holds this object.",
    )
    observability: Observability = Field(
        default=Observability(), description="Metrics, traces, logs and the audit trail."
    )


class ServerStatus(Model):
    """How one server fares."""

    name: Name = Field(description="Its name.")
    state: ServerState = Field(description="Where it stands.")
    tools: Annotated[Int, Field(ge=0)] = Field(default=0, description="Tools that clients see.")
    replicas: Annotated[Int, Field(ge=0)] = Field(default=0, description="Replicas that host it.")
    reason: Annotated[str, StringConstraints(max_length=128)] = Field(
        default="", description="What is wrong, as one CamelCase word; empty when nothing is."
    )
    message: Annotated[str, StringConstraints(max_length=1024)] = Field(
        default="", description="What is wrong, for a person."
    )


class MemberState(StrEnum):
    """How the fleet fares in one cluster."""

    PENDING = "Pending"
    STARTING = "Starting"
    SERVING = "Serving"
    DEGRADED = "Degraded"
    DRAINING = "Draining"
    UNREACHABLE = "Unreachable"


class MemberStatus(Model):
    """The fleet in one member cluster."""

    cluster: ShortText = Field(description='Name of the MCPCluster, or "local".')
    region: ShortText | None = Field(default=None, description="Its region.")
    state: MemberState = Field(description="How the fleet fares there.")
    endpoint: Annotated[str, StringConstraints(max_length=2048)] | None = Field(
        default=None, description="Address of the fleet there."
    )
    message: Annotated[str, StringConstraints(max_length=1024)] = Field(
        default="", description="What is wrong, for a person."
    )


class MCPFleetStatus(Model):
    """What the fleet is. Written by the operator alone."""

    observed_generation: Annotated[Int, Field(ge=0)] | None = Field(
        default=None, description="The generation of the spec that this speaks of."
    )
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16), Keyed("type")] = Field(
        default=(), description="Accepted, Placed, Applied, Verified, Ready; Reconciling or Stalled while true."
    )
    endpoint: Annotated[str, StringConstraints(max_length=2048)] | None = Field(
        default=None, description="Address of the aggregated MCP endpoint."
    )
    region: Annotated[str, StringConstraints(max_length=253)] | None = Field(
        default=None, description="Regions that serve, separated by commas."
    )
    ready_servers: Annotated[str, StringConstraints(max_length=16)] | None = Field(
        default=None, description='Servers that answer, of all: "4/5".'
    )
    servers: Annotated[tuple[ServerStatus, ...], Field(max_length=500), Keyed()] = Field(
        default=(), description="How each server fares."
    )
    members: Annotated[tuple[MemberStatus, ...], Field(max_length=64), Keyed("cluster")] = Field(
        default=(), description="How the fleet fares in each cluster."
    )


class MCPFleet(Model):
    """Many MCP servers, hosted together on Ray behind one address."""

    rules: ClassVar = (NAME_FITS,)

    api_version: Literal["mcpfleet.dev/v1alpha1"] = Field(description="Version of this API.")
    kind: Literal["MCPFleet"] = Field(description="The kind of this object.")
    metadata: ObjectMeta = Field(description="Name, namespace, labels.")
    spec: MCPFleetSpec = Field(description="What the fleet should be.")
    status: MCPFleetStatus | None = Field(default=None, description="What the fleet is; written by the operator.")
