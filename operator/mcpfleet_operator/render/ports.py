"""Ports of Ray's pods, by the names that KubeRay and PodMonitors know them under."""

from typing import Any, Final

# The hosting replica's own, by HostArgs' default.
DOOR: Final = 8080
SERVE_PROXY: Final = 8000
GCS: Final = 6379
DASHBOARD: Final = 8265
RAY_AGENT: Final = 52365
# KubeRay would give 8080 to Ray's metrics, unless a port has this name.
METRICS: Final = 8090
AUTOSCALER_METRICS: Final = 44217
DASHBOARD_METRICS: Final = 44227

# KubeRay puts each port of the head that is named `serve` or `serve-…` into the Service that it keeps, and wants
# one. The head has no door behind it: excludeHeadPodFromServeSvc.
DOOR_NAME: Final = "serve-mcp"


def _ports(**ports: int) -> tuple[dict[str, Any], ...]:
    return tuple({"name": name.replace("_", "-"), "containerPort": port} for name, port in ports.items())


WORKER_PORTS: Final = _ports(serve=SERVE_PROXY, serve_mcp=DOOR, metrics=METRICS)
HEAD_PORTS: Final = _ports(
    gcs_server=GCS,
    dashboard=DASHBOARD,
    serve=SERVE_PROXY,
    serve_mcp=DOOR,
    metrics=METRICS,
    as_metrics=AUTOSCALER_METRICS,
    dash_metrics=DASHBOARD_METRICS,
)
