"""NetworkPolicies: closed by default, open for what the fleet needs. They add up, and with those of others."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from mcpfleet_api.names import NODE_POOL_LABEL
from mcpfleet_api.ray import UpgradeStrategy
from mcpfleet_operator.render.identity import binding
from mcpfleet_operator.render.pods import autoscales
from mcpfleet_operator.render.ports import (
    AUTOSCALER_METRICS,
    DASHBOARD,
    DASHBOARD_METRICS,
    DOOR,
    METRICS,
    SERVE_PROXY,
)
from mcpfleet_operator.render.target import RAY_NODE_TYPE, Manifest, Target

_HTTPS: Final = 443
_DNS: Final = 53
_API_SERVER_PORTS: Final = (443, 6443)

# Whatever its namespace, it has this label from its chart and its kustomization alike.
_KUBERAY: Final = {"app.kubernetes.io/component": "kuberay-operator"}
# The Prometheus operator's own label.
_PROMETHEUS: Final = {"app.kubernetes.io/name": "prometheus"}

# Everywhere, but for the link-local addresses at which clouds hand out the credentials of the node itself.
_EVERYWHERE: Final[list[dict[str, Any]]] = [
    {"namespaceSelector": {}},
    {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}},
    {"ipBlock": {"cidr": "::/0", "except": ["fd00:ec2::/32", "fe80::/10"]}},
]


def network_policies(target: Target) -> list[Manifest]:
    """The fleet's policies. Applied before its pods, since a pod without any is open."""
    policies = [_closed(target), _door(target), _head(target), _outside(target), _metrics(target)]
    return [policy for policy in policies if policy is not None]


def _closed(target: Target) -> Manifest:
    """Nothing comes in or goes out, but within the fleet, and to ask for names."""
    fleet = [{"podSelector": {"matchLabels": target.labels}}]
    dns = [{"port": _DNS, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return _policy(
        target,
        target.name,
        {"matchLabels": target.labels},
        ingress=[{"from": fleet}],
        egress=[{"to": fleet}, {"ports": dns}],
    )


def _door(target: Target) -> Manifest:
    """Calls come in by the doors."""
    ports = [DOOR]
    if target.spec.ray.upgrade.strategy is UpgradeStrategy.INCREMENTAL:
        # The Gateway that shifts traffic then leads to Serve's proxy.
        ports.append(SERVE_PROXY)
    return _policy(target, target.part("door"), _nodes_of(target, "worker"), ingress=[{"ports": _tcp(ports)}])


def _head(target: Target) -> Manifest:
    """KubeRay configures Serve through it, its autoscaler asks Kubernetes for pods, Redis keeps its state."""
    ports: set[int] = set()
    if autoscales(target):
        ports.update(_API_SERVER_PORTS)
    redis = target.spec.ray.gcs_fault_tolerance
    if redis is not None:
        ports.add(int(redis.redis_address.rpartition(":")[2]))
    kuberay = {"namespaceSelector": {}, "podSelector": {"matchLabels": _KUBERAY}}
    return _policy(
        target,
        target.part("head"),
        _nodes_of(target, "head"),
        ingress=[{"from": [kuberay], "ports": _tcp([DASHBOARD])}],
        egress=[{"to": _EVERYWHERE, "ports": _tcp(ports)}] if ports else None,
    )


def _outside(target: Target) -> Manifest:
    """Trusted pods reach packages, storage, remote servers and the collector of traces, and their identity.

    What a server needs beyond HTTPS, a policy of its owner's adds.
    """
    tracing = target.spec.observability.tracing
    urls = [
        server.remote.url
        for server in target.spec.servers
        if server.remote and target.group_of[server.name].is_trusted
    ]
    ports = {_HTTPS, *(_port(url) for url in (*urls, *([tracing.endpoint] if tracing else [])))}
    egress: list[dict[str, Any]] = [{"to": _EVERYWHERE, "ports": _tcp(ports)}]
    if binding(target) is not None:
        egress += [
            {"to": [{"ipBlock": {"cidr": endpoint.cidr}}], "ports": _tcp([endpoint.port])}
            for endpoint in target.profile.identity_endpoints
        ]
    pods: dict[str, Any] = {"matchLabels": target.labels}
    untrusted = sorted(group.pool.name for group in target.groups if group.pool and not group.is_trusted)
    if untrusted:
        pods["matchExpressions"] = [{"key": NODE_POOL_LABEL, "operator": "NotIn", "values": untrusted}]
    return _policy(target, target.part("outside"), pods, egress=egress)


def _metrics(target: Target) -> Manifest | None:
    """Prometheus scrapes, where it is asked to."""
    if not target.spec.observability.pod_monitor.enabled:
        return None
    prometheus = {"namespaceSelector": {}, "podSelector": {"matchLabels": _PROMETHEUS}}
    ports = _tcp([METRICS, AUTOSCALER_METRICS, DASHBOARD_METRICS])
    return _policy(
        target,
        target.part("metrics"),
        {"matchLabels": target.labels},
        ingress=[{"from": [prometheus], "ports": ports}],
    )


def _port(url: str) -> int:
    address = urlsplit(url)
    return address.port or {"http": 80}.get(address.scheme, _HTTPS)


def _nodes_of(target: Target, node_type: str) -> dict[str, Any]:
    return {"matchLabels": {**target.labels, RAY_NODE_TYPE: node_type}}


def _tcp(ports: Iterable[int]) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"} for port in sorted(set(ports))]


def _policy(
    target: Target,
    name: str,
    pods: dict[str, Any],
    *,
    ingress: list[dict[str, Any]] | None = None,
    egress: list[dict[str, Any]] | None = None,
) -> Manifest:
    spec: dict[str, Any] = {"podSelector": pods, "policyTypes": []}
    if ingress is not None:
        spec["policyTypes"].append("Ingress")
        spec["ingress"] = ingress
    if egress is not None:
        spec["policyTypes"].append("Egress")
        spec["egress"] = egress
    return target.manifest("networking.k8s.io/v1", "NetworkPolicy", name, {"spec": spec})
