"""Groups of Ray workers: the fleet's ordinary ones, and one for each node pool."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

from mcpfleet_api.fleet import MCPFleetSpec
from mcpfleet_api.pools import NodePool, PodResources
from mcpfleet_api.server import Hosting, Server
from mcpfleet_operator.render.quantity import bytes_of

ORDINARY: Final = "workers"
POOL_PREFIX: Final = "pool-"

# Sandboxes are for code that nobody trusts; these only bring devices into a container, or are the usual thing.
RUNTIMES_WITHOUT_SANDBOX: Final = frozenset({"crun", "nvidia", "nvidia-cdi", "nvidia-legacy", "runc"})

# What a replica takes unless its server says otherwise. The host of all Shared servers has their processes, too.
HOST_CPUS: Final = 1.0
HOST_MEMORY: Final = "4Gi"
SERVER_CPUS: Final = 0.5
SERVER_MEMORY: Final = "1Gi"


class Workers(NamedTuple):
    """How many workers a group has at least and at most."""

    min: int
    max: int


class Needs(NamedTuple):
    """What one replica takes of its worker."""

    cpus: float
    memory: int
    gpus: float = 0


@dataclass(frozen=True)
class WorkerGroup:
    """Workers of one kind, and the servers that they host."""

    name: str
    pool: NodePool | None
    resources: PodResources
    workers: Workers
    shared: tuple[Server, ...]
    dedicated: tuple[Server, ...]

    @property
    def servers(self) -> tuple[Server, ...]:
        return (*self.shared, *self.dedicated)

    @property
    def is_trusted(self) -> bool:
        """Whether its pods may act as the fleet's identity and reach the world."""
        runtime = self.pool.runtime_class_name if self.pool else None
        return runtime is None or runtime in RUNTIMES_WITHOUT_SANDBOX

    @property
    def host_needs(self) -> Needs:
        """What the host of its Shared servers takes: of a small worker all."""
        return Needs(
            min(HOST_CPUS, float(math.ceil(self.resources.cpu))),
            min(bytes_of(HOST_MEMORY), bytes_of(self.resources.memory)),
        )


def needs(server: Server) -> Needs:
    """What one replica of a Dedicated server takes."""
    wanted = server.resources
    return Needs(
        SERVER_CPUS if wanted.cpu is None else wanted.cpu,
        bytes_of(wanted.memory or SERVER_MEMORY),
        wanted.gpu or 0,
    )


def replicas(server: Server) -> Workers:
    """Replicas of a Dedicated server. One always stands: with none there is no door that could wake it."""
    return Workers(max(1, server.scaling.min_replicas), max(1, server.scaling.max_replicas))


def worker_groups(spec: MCPFleetSpec, in_place: Sequence[str] = ()) -> tuple[WorkerGroup, ...]:
    """The groups, those in place first and in their order, new ones after them.

    The ordinary workers are always among them, with no worker while no server needs one, so that the first server
    that does is a matter of scale and not of a new Ray cluster.
    """
    groups = {ORDINARY: _ordinary(spec.servers)}
    for pool in spec.node_pools:
        name = POOL_PREFIX + pool.name
        workers = Workers(pool.replicas.min, pool.replicas.max)
        hosted = _of_pool(spec.servers, pool.name)
        groups[name] = WorkerGroup(name, pool, pool.resources, workers, *hosted)
    order = dict.fromkeys((*(name for name in in_place if name in groups), *groups))
    return tuple(groups[name] for name in order)


def _ordinary(servers: Iterable[Server]) -> WorkerGroup:
    resources = PodResources()
    shared, dedicated = _of_pool(servers, None)
    group = WorkerGroup(ORDINARY, None, resources, Workers(0, 0), shared, dedicated)
    least = most = Fraction(1, _fit(group.host_needs, resources)) if shared else Fraction(0)
    for server in dedicated:
        share = Fraction(1, _fit(needs(server), resources))
        least += replicas(server).min * share
        most += replicas(server).max * share
    return WorkerGroup(ORDINARY, None, resources, Workers(math.ceil(least), math.ceil(most)), shared, dedicated)


def _of_pool(servers: Iterable[Server], pool: str | None) -> tuple[tuple[Server, ...], tuple[Server, ...]]:
    here = [server for server in servers if server.node_pool == pool]
    return (
        tuple(server for server in here if server.hosting is Hosting.SHARED),
        tuple(server for server in here if server.hosting is Hosting.DEDICATED),
    )


def _fit(wanted: Needs, worker: PodResources) -> int:
    """How many such replicas one worker holds; one that is too big for it is refused elsewhere."""
    by_cpu = math.floor(worker.cpu / wanted.cpus) if wanted.cpus else math.inf
    by_memory = bytes_of(worker.memory) // wanted.memory if wanted.memory else math.inf
    fit = min(by_cpu, by_memory)
    return 1 if fit < 1 else int(min(fit, 1000))
