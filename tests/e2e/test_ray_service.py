"""The proof of the ground: KubeRay runs our image on a real node, and a client calls a tool through the Service."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp import Client

from cluster.cluster import Cluster
from cluster.images import Image

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "tools"
DOOR = 8080
# Unless a port has this name, KubeRay gives 8080 to Ray's metrics, and its own head Service is then refused.
METRICS = 8090
SERVE = {
    "applications": [
        {
            "name": "shared",
            "import_path": "mcpfleet_serve.app:build",
            "route_prefix": "/",
            "args": {"fleet": NAME, "door_port": DOOR},
            "deployments": [
                {
                    "name": "Host",
                    "ray_actor_options": {"num_cpus": 0.1},
                    "user_config": {
                        "servers": [
                            {"name": "time", "pypi": {"package": "mcp-server-time", "version": "2026.10.19"}}
                        ]
                    },
                }
            ],
        }
    ]
}


def ray_service(image: str) -> dict[str, Any]:
    """A head that only keeps the books, and one worker that hosts."""
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {"name": NAME},
        "spec": {
            "upgradeStrategy": {"type": "NewCluster"},
            # The head hosts no replica, so no door is open there.
            "excludeHeadPodFromServeSvc": True,
            "serveConfigV2": yaml.safe_dump(SERVE),
            "rayClusterConfig": {
                "rayVersion": "2.60.0",
                "headGroupSpec": {
                    "rayStartParams": {"num-cpus": "0", "metrics-export-port": str(METRICS)},
                    "template": {"spec": pod("ray-head", image)},
                },
                "workerGroupSpecs": [
                    {
                        "groupName": "hosts",
                        "replicas": 1,
                        "minReplicas": 1,
                        "maxReplicas": 1,
                        "rayStartParams": {"num-cpus": "1", "metrics-export-port": str(METRICS)},
                        "template": {"spec": pod("ray-worker", image)},
                    }
                ],
            },
        },
    }


def pod(name: str, image: str) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"memory": "3Gi"}},
        "ports": [
            {"name": "gcs-server", "containerPort": 6379},
            {"name": "dashboard", "containerPort": 8265},
            {"name": "serve", "containerPort": 8000},
            {"name": "serve-mcp", "containerPort": DOOR},
            {"name": "metrics", "containerPort": METRICS},
        ],
        "securityContext": {"runAsUser": 1000, "runAsGroup": 100, "allowPrivilegeEscalation": False},
    }
    certificates = os.environ.get("SSL_CERT_FILE")
    if certificates is None:
        return {"containers": [container]}
    # Behind a proxy that signs TLS anew, the pods trust what this machine trusts.
    folder = str(Path(certificates).parent)
    container["env"] = [{"name": "SSL_CERT_FILE", "value": certificates}]
    container["volumeMounts"] = [{"name": "certificates", "mountPath": folder, "readOnly": True}]
    return {"containers": [container], "volumes": [{"name": "certificates", "hostPath": {"path": folder}}]}


def is_ready(cluster: Cluster) -> bool:
    found = cluster.access.get("ray.io/v1", "RayService", NAME) or {}
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def test_a_client_calls_a_tool_that_a_ray_service_hosts_through_its_service(
    node_cluster: Cluster, serve_image: Image
) -> None:
    node_cluster.apply(ray_service(serve_image.name))
    try:
        node_cluster.access.wait("the RayService", lambda: is_ready(node_cluster), 240)
        with node_cluster.service(f"{NAME}-serve-svc", DOOR) as address:
            async with Client(f"http://{address}/servers/time/mcp", mode="2026-07-28") as client:
                tools = (await client.list_tools()).tools
                assert {tool.name for tool in tools} == {"get_current_time", "convert_time"}
                answer = await client.call_tool("get_current_time", {"timezone": "Europe/Tallinn"})
                assert not answer.is_error
                assert "Europe/Tallinn" in answer.content[0].text
                assert client.protocol_version == "2026-07-28"
    finally:
        node_cluster.access.delete("ray.io/v1", "RayService", NAME)
