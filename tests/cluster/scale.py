"""kwok: nodes that only seem to run their pods, a thousand of them for a few hundred megabytes."""

from cluster import go
from cluster.access import Access
from cluster.place import Place
from cluster.progress import step
from cluster.versions import module


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
            access.apply(kwok_node(f"kwok-{number}"))
        place.wait(f"{nodes} kwok nodes", lambda: ready_nodes(access) >= nodes, 120)


def kwok_node(name: str) -> dict[str, object]:
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
    nodes = access.resource("v1", "Node").get(label_selector="type=kwok").items
    return sum(
        any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions or [])
        for node in nodes
    )
