"""A fleet's Serve applications in a cluster: hosts of Shared servers, and one for each Dedicated server."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from mcpfleet_api.serve import HostArgs, HostConfig
from mcpfleet_api.server import Server
from mcpfleet_operator.render.groups import Needs, WorkerGroup, needs, replicas
from mcpfleet_operator.render.serve_config import APPLICATION, ONE_REPLICA, application
from mcpfleet_operator.render.target import Target

# The door takes 10 s to drain, and then the servers' processes 5 s to end.
DRAIN: Final = timedelta(seconds=20)

# A worker offers one of its group's resource. A replica asks for the least that Ray counts, so that as many as
# there is room for land on a worker, and none on another group's.
SHARE_OF_GROUP: Final = 0.0001


# What JSON leaves as it is and YAML does not take, or takes for the end of a line.
_NOT_IN_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def serve_config_v2(target: Target) -> str:
    """Serve's configuration as KubeRay wants it.

    KubeRay compares this text byte for byte, so keys and applications are sorted. Servers keep their order within
    an application: it is the order in which clients see them. It is JSON, which is YAML too: plain scalars such as
    1e3 and y are no text to KubeRay's reader, and a writer of YAML takes twenty times as long.
    """
    logs = target.spec.observability.logs
    config = {
        # A proxy wherever there is a replica: Incremental upgrades shift traffic through it.
        "proxy_location": "EveryNode",
        "logging_config": {
            "encoding": logs.format.upper(),
            "log_level": logs.level.upper(),
            "enable_access_log": False,
        },
        "applications": sorted(_applications(target), key=lambda each: each["name"]),
    }
    text = json.dumps(config, sort_keys=True, indent=2, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def host_names(target: Target) -> tuple[str, ...]:
    """Names that the fleet's own Service has inside the cluster."""
    name, namespace = target.name, target.namespace
    return (name, f"{name}.{namespace}", f"{name}.{namespace}.svc", f"{name}.{namespace}.svc.cluster.local")


def _applications(target: Target) -> Iterator[dict[str, Any]]:
    gateway = target.spec.gateway
    args = HostArgs(
        fleet=target.name,
        # Nothing given accepts any; something given must not lock out the cluster's own.
        allowed_hosts=(*host_names(target), *gateway.allowed_hosts) if gateway.allowed_hosts else (),
        allowed_origins=gateway.allowed_origins,
    )
    for group in target.groups:
        if group.shared:
            pool = group.pool.name if group.pool else None
            yield application(
                f"{APPLICATION}-{pool}" if pool else APPLICATION,
                f"/pools/{pool}" if pool else "/",
                args,
                HostConfig(servers=group.shared),
                actor_options=_actor_options(group, group.host_needs),
                drain=DRAIN,
            )
        for server in group.dedicated:
            yield application(
                f"server-{server.name}",
                f"/servers/{server.name}",
                args,
                HostConfig(servers=(server,)),
                actor_options=_actor_options(group, needs(server)),
                drain=DRAIN,
                replicas=_replicas(server),
            )


def _actor_options(group: WorkerGroup, wanted: Needs) -> dict[str, Any]:
    options: dict[str, Any] = {
        "num_cpus": wanted.cpus,
        # Without it Serve packs replicas by CPU alone, and they run out of memory together.
        "memory": wanted.memory,
        "resources": {group.name: SHARE_OF_GROUP},
    }
    return options | ({"num_gpus": wanted.gpus} if wanted.gpus else {})


def _replicas(server: Server) -> Mapping[str, Any]:
    bounds = replicas(server)
    if bounds.max == 1:
        return ONE_REPLICA
    if bounds.min == bounds.max:
        return {"num_replicas": bounds.max}
    return {
        "autoscaling_config": {
            "min_replicas": bounds.min,
            "max_replicas": bounds.max,
            "target_ongoing_requests": server.scaling.target_ongoing_requests,
        }
    }
