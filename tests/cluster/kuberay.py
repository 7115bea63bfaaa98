"""KubeRay: its CRDs from the pinned Go module, and its operator as a process beside the control plane."""

from pathlib import Path

from cluster import go
from cluster.access import Access
from cluster.place import Place
from cluster.progress import step
from cluster.versions import module


def apply_crds(access: Access) -> None:
    """Give a cluster KubeRay's types."""
    access.apply(go.crds(module("kuberay")))


def start_operator(place: Place, kubeconfig: Path) -> None:
    """Start KubeRay's operator for a cluster. It reaches Ray's dashboards through the API server."""
    program = go.programs(module("kuberay")) / "kuberay-operator"
    with step(f"starting KubeRay's operator for {place.ledger.name}"):
        place.start(
            "kuberay-operator",
            [
                *("env", f"KUBECONFIG={kubeconfig}"),
                str(program),
                "--use-kubernetes-proxy",
                "--enable-leader-election=false",
                # The default of 1 would handle the RayServices of a test one after the other.
                "--reconcile-concurrency=8",
                f"--metrics-addr=127.0.0.1:{place.port(8080)}",
                f"--health-probe-bind-address=127.0.0.1:{place.port(8082)}",
            ],
        )
