"""What clients reach the fleet by: its Service, and what they choose to put before that."""

from typing import Any

from mcpfleet_api.gateway import ServiceExposure
from mcpfleet_operator.render.ports import DOOR_NAME
from mcpfleet_operator.render.target import RAY_CLUSTER, RAY_NODE_TYPE, Manifest, Target


def service(target: Target) -> Manifest:
    """The fleet's own Service, to the doors of its hosting replicas.

    Only workers have doors, and a worker is ready only while one is open. It follows KubeRay's switch from one
    Ray cluster to the next; before the first there is but one.
    """
    exposure = target.spec.gateway.expose.service or ServiceExposure()
    selector = {**target.labels, RAY_NODE_TYPE: "worker"}
    if target.member.active_ray_cluster:
        selector[RAY_CLUSTER] = target.member.active_ray_cluster
    spec = {
        "type": exposure.type,
        "selector": selector,
        "ports": [{"name": DOOR_NAME, "port": exposure.port, "targetPort": DOOR_NAME, "protocol": "TCP"}],
    }
    return target.manifest("v1", "Service", target.name, {"spec": spec}, exposure.annotations)


def ingress(target: Target) -> Manifest | None:
    """An Ingress to the Service, where one is asked for."""
    exposure = target.spec.gateway.expose.ingress
    if exposure is None:
        return None
    backend = {"service": {"name": target.name, "port": {"name": DOOR_NAME}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    spec: dict[str, Any] = {"rules": [{"host": exposure.host, "http": {"paths": [path]}}]}
    if exposure.class_name:
        spec["ingressClassName"] = exposure.class_name
    if exposure.tls_secret_name:
        spec["tls"] = [{"hosts": [exposure.host], "secretName": exposure.tls_secret_name}]
    return target.manifest("networking.k8s.io/v1", "Ingress", target.name, {"spec": spec}, exposure.annotations)


def http_route(target: Target) -> Manifest | None:
    """A route of the Gateway API to the Service, where one is asked for."""
    exposure = target.spec.gateway.expose.http_route
    if exposure is None:
        return None
    spec: dict[str, Any] = {
        "parentRefs": [
            parent.model_dump(mode="json", by_alias=True, exclude_none=True) for parent in exposure.parent_refs
        ],
        "rules": [
            {
                "backendRefs": [{"name": target.name, "port": ServiceExposure().port}],
                # A stream stays open as long as its client wants.
                "timeouts": {"request": "0s"},
            }
        ],
    }
    if exposure.hostnames:
        spec["hostnames"] = list(exposure.hostnames)
    return target.manifest(
        "gateway.networking.k8s.io/v1", "HTTPRoute", target.name, {"spec": spec}, exposure.annotations
    )
