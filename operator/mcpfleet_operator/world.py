"""Facts: what was observed of the clusters before anything is decided."""

from dataclasses import dataclass

from mcpfleet_api.base import Cloud
from mcpfleet_api.names import LOCAL_CLUSTER


@dataclass(frozen=True)
class Member:
    """One cluster, and what is known of the fleet in it."""

    cloud: Cloud
    name: str = LOCAL_CLUSTER
    region: str | None = None
    # The RayCluster that KubeRay sends traffic to; None before the first promotion.
    active_ray_cluster: str | None = None
    # Names of the worker groups of the RayService, in its order. A new group appended to them is taken in place;
    # any other order is another cluster to KubeRay.
    worker_groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class World:
    """Every cluster that may host fleets."""

    members: tuple[Member, ...]
