"""What may be taken away at a time when nodes are drained."""

from mcpfleet_operator.render.groups import replicas
from mcpfleet_operator.render.target import RAY_NODE_TYPE, Manifest, Target


def disruption_budget(target: Target) -> Manifest | None:
    """One door stays open while nodes are drained.

    None where the fleet has but one worker or one replica: a budget could only stop the drain for good.
    """
    workers = sum(group.workers.min for group in target.groups)
    doors = sum(
        bool(group.shared) + sum(replicas(server).min for server in group.dedicated) for group in target.groups
    )
    if min(workers, doors) <= 1:
        return None
    spec = {
        # A RayCluster has no scale subresource, so Kubernetes takes no maxUnavailable here.
        "minAvailable": 1,
        "selector": {"matchLabels": {**target.labels, RAY_NODE_TYPE: "worker"}},
        # A worker without a door is never ready, and must not hold up a drain.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return target.manifest("policy/v1", "PodDisruptionBudget", target.name, {"spec": spec})
