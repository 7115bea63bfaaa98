"""What is rendered for a fleet runs: KubeRay makes a cluster of it, and a client calls through the fleet's Service."""

import os
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from cluster.cluster import Cluster
from cluster.images import Image
from mcpfleet_api.base import Cloud
from mcpfleet_api.fleet import MCPFleet
from mcpfleet_operator.render.fleet import render
from mcpfleet_operator.render.secrets import ray_token
from mcpfleet_operator.render.target import Target
from mcpfleet_operator.world import Member

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "rendered"
FLEET = {
    "apiVersion": "mcpfleet.dev/v1alpha1",
    "kind": "MCPFleet",
    "metadata": {"name": NAME, "namespace": "default"},
    "spec": {
        "servers": [
            {
                "name": "time",
                "pypi": {"package": "mcp-server-time", "version": "2026.10.19"},
                "nodePool": "small",
                "env": [{"name": "ZONE", "secretKeyRef": {"name": "rendered-zone", "key": "zone"}}],
            }
        ],
        # As small as the machine that the test runs on.
        "nodePools": [
            {"name": "small", "replicas": {"min": 1, "max": 1}, "resources": {"cpu": 0.5, "memory": "3Gi"}}
        ],
        "gateway": {"allowedHosts": ["mcp.example.com"]},
        "ray": {"head": {"resources": {"cpu": 0.5, "memory": "3Gi"}}},
    },
}


def trusting(template: dict[str, Any]) -> None:
    """Behind a proxy that signs TLS anew, the pods trust what this machine trusts."""
    certificates = os.environ.get("SSL_CERT_FILE")
    if certificates is None:
        return
    folder = str(Path(certificates).parent)
    container = template["spec"]["containers"][0]
    container["env"] = [*container["env"], {"name": "SSL_CERT_FILE", "value": certificates}]
    mount = {"name": "certificates", "mountPath": folder, "readOnly": True}
    container["volumeMounts"] = [*container.get("volumeMounts", []), mount]
    volume = {"name": "certificates", "hostPath": {"path": folder}}
    template["spec"]["volumes"] = [*template["spec"].get("volumes", []), volume]


async def test_a_client_calls_a_tool_of_a_rendered_fleet_through_its_own_service(
    node_cluster: Cluster, serve_image: Image
) -> None:
    target = Target(MCPFleet.model_validate(FLEET), Member(Cloud.GENERIC), serve_image.name)
    objects = render(target)
    service = next(each for each in objects if each["kind"] == "RayService")
    cluster = service["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        trusting(group["template"])
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "rendered-zone"},
        "stringData": {"zone": "Europe/Tallinn"},
    }
    node_cluster.apply([secret, ray_token(target, "a-token-for-a-test"), *objects])

    def answers() -> bool:
        found = node_cluster.access.resource("discovery.k8s.io/v1", "EndpointSlice").get(
            namespace="default", label_selector=f"kubernetes.io/service-name={NAME}"
        )
        ready = [
            endpoint["conditions"]["ready"]
            for each in found.items
            for endpoint in each.to_dict().get("endpoints") or ()
        ]
        return True in ready

    try:
        node_cluster.access.wait("an endpoint of the fleet", answers, 300)
        with node_cluster.service(NAME, 80) as address:
            url = f"http://{address}/servers/time/mcp"
            # The fleet takes its Service's name for a host, and no address.
            http = httpx2.AsyncClient(headers={"Host": NAME}, trust_env=False, timeout=60)
            transport = streamable_http_client(url, http_client=http)
            async with http, Client(transport, mode="2026-07-28") as client:
                answer = await client.call_tool("get_current_time", {"timezone": "Europe/Tallinn"})
                assert not answer.is_error
                assert "Europe/Tallinn" in answer.content[0].text
    finally:
        for each in reversed(objects):
            node_cluster.access.delete(each["apiVersion"], each["kind"], each["metadata"]["name"])
