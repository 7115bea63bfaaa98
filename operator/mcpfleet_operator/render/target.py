"""What every builder is given, and the names and labels that they agree on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from mcpfleet_api.fleet import MCPFleet, MCPFleetSpec
from mcpfleet_api.names import FLEET_LABEL
from mcpfleet_operator.clouds import PROFILES
from mcpfleet_operator.clouds.profile import CloudProfile
from mcpfleet_operator.render.groups import WorkerGroup, worker_groups
from mcpfleet_operator.world import Member

Manifest = dict[str, Any]

DEFAULT_NAMESPACE: Final = "default"
RAY_NODE_TYPE: Final = "ray.io/node-type"
RAY_CLUSTER: Final = "ray.io/cluster"


@dataclass(frozen=True)
class Target:
    """One fleet as it is to be in one cluster."""

    fleet: MCPFleet
    member: Member
    # For fleets that name no image of their own.
    default_image: str

    @property
    def name(self) -> str:
        return self.fleet.metadata.name

    @property
    def namespace(self) -> str:
        return self.fleet.metadata.namespace or DEFAULT_NAMESPACE

    @property
    def spec(self) -> MCPFleetSpec:
        return self.fleet.spec

    @property
    def profile(self) -> CloudProfile:
        return PROFILES[self.member.cloud]

    @property
    def image(self) -> str:
        return self.spec.ray.image or self.default_image

    @property
    def labels(self) -> dict[str, str]:
        """On every object and pod of the fleet."""
        return {FLEET_LABEL: self.name}

    @cached_property
    def groups(self) -> tuple[WorkerGroup, ...]:
        return worker_groups(self.spec, self.member.worker_groups)

    @cached_property
    def group_of(self) -> dict[str, WorkerGroup]:
        """The group that hosts each server, by the server's name."""
        return {server.name: group for group in self.groups for server in group.servers}

    @property
    def scales(self) -> bool:
        """Whether Ray's autoscaler has anything to do."""
        return any(group.workers.min < group.workers.max for group in self.groups)

    def part(self, name: str) -> str:
        """The name of an object of the fleet. No fleet's name has a dot, so no two fleets' objects share one."""
        return f"{self.name}.{name}"

    def manifest(
        self,
        api_version: str,
        kind: str,
        name: str,
        body: Mapping[str, Any],
        annotations: Mapping[str, str] | None = None,
        *,
        cluster_wide: bool = False,
    ) -> Manifest:
        """An object of the fleet."""
        metadata: dict[str, Any] = {"name": name}
        if not cluster_wide:
            metadata["namespace"] = self.namespace
        metadata["labels"] = self.labels
        if annotations:
            metadata["annotations"] = dict(annotations)
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
