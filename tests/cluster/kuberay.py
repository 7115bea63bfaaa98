"""KubeRay: its CRDs from the pinned Go module, and its operator as a process beside the control plane."""

from cluster import go
from cluster.access import Access
from cluster.place import Place
from cluster.progress import step
from cluster.versions import module

# What a fleet is made of. The operator wants the other types as well, but each costs the API server a second.
FLEET = {"RayCluster", "RayService"}


def apply_crds(access: Access, *, every: bool = False) -> None:
    """Give a cluster those of KubeRay's types that it lacks: those of a fleet, or every one."""
    crds = go.crds(module("kuberay"))
    wanted = [crd for crd in crds if every or crd["spec"]["names"]["kind"] in FLEET]
    access.apply([crd for crd in wanted if not access.serves(crd)])


def start_operator(place: Place, access: Access) -> None:
    """Start KubeRay's operator for a cluster. It reaches Ray's dashboards through the API server."""
    program = go.programs(module("kuberay")) / "kuberay-operator"
    with step(f"starting KubeRay's operator for {place.ledger.name}"):
        apply_crds(access, every=True)
        place.start(
            "kuberay-operator",
            [
                *("env", f"KUBECONFIG={access.kubeconfig}"),
                str(program),
                "--use-kubernetes-proxy",
                "--enable-leader-election=false",
                # The default of 1 would handle the RayServices of a test one after the other.
                "--reconcile-concurrency=8",
                f"--metrics-addr=127.0.0.1:{place.port(8080)}",
                f"--health-probe-bind-address=127.0.0.1:{place.port(8082)}",
            ],
        )
