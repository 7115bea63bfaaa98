"""kwok: nodes that only seem to run their pods, a thousand of them for a few hundred megabytes."""

import json
from typing import Any

from cluster import go
from cluster.access import Access
from cluster.place import Place
from cluster.progress import step
from cluster.versions import module

NODES = "/api/v1/nodes"


def start_kwok(place: Place, access: Access, nodes: int) -> None:
    """Add that many nodes to a control plane; kwok keeps them Ready and lets their pods seem to run."""
    program = go.programs(module("kwok")) / "kwok"
    with step(f"adding {nodes} kwok nodes to {place.ledger.name}"):
        place.start(
            "kwok",
            [
                str(program),
                f"--kubeconfig={access.kubeconfig}",
                "--manage-all-nodes=false",
                "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
                "--node-lease-duration-seconds=200",
                f"--server-address=127.0.0.1:{place.port(10247)}",
            ],
        )
        for number in range(nodes):
            access.send("POST", NODES, kwok_node(f"kwok-{number}"))
        # Asked less often than most, because the answer is megabytes.
        access.wait(f"{nodes} kwok nodes", lambda: ready_nodes(access) >= nodes, 300, every=2)


def kwok_node(name: str) -> dict[str, Any]:
    room = {"cpu": "32", "memory": "256Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"type": "kwok", "kubernetes.io/hostname": name},
        },
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
        "status": {"allocatable": room, "capacity": room},
    }


def ready_nodes(access: Access) -> int:
    nodes = json.loads(access.send("GET", f"{NODES}?labelSelector=type%3Dkwok"))["items"]
    return sum(
        any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"].get("conditions", []))
        for node in nodes
    )
