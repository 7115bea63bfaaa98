"""Metrics for the Prometheus operator."""

from mcpfleet_api.base import seconds
from mcpfleet_operator.render.target import RAY_NODE_TYPE, Manifest, Target

# By the names of the ports: Ray's own, its autoscaler's, its dashboard's.
_PORTS = ("metrics", "as-metrics", "dash-metrics")


def pod_monitor(target: Target) -> Manifest | None:
    """Scrapes the head and all workers, where it is asked for."""
    wanted = target.spec.observability.pod_monitor
    if not wanted.enabled:
        return None
    interval = f"{int(seconds(wanted.interval).total_seconds())}s"
    spec = {
        "selector": {
            "matchLabels": target.labels,
            "matchExpressions": [{"key": RAY_NODE_TYPE, "operator": "In", "values": ["head", "worker"]}],
        },
        "podMetricsEndpoints": [{"port": port, "interval": interval} for port in _PORTS],
    }
    manifest = target.manifest("monitoring.coreos.com/v1", "PodMonitor", target.name, {"spec": spec})
    manifest["metadata"]["labels"] = dict(wanted.labels) | target.labels
    return manifest
