"""Clusters out of programs of our own: control planes that need no root, and whole clusters in namespaces."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cluster import commands, control_plane, debian, go, images, ledger, node, store
from cluster.access import Access
from cluster.cluster import PlacedCluster
from cluster.images import Image
from cluster.ledger import Started
from cluster.missing import Missing
from cluster.namespaces import Namespaces
from cluster.place import Place, is_root
from cluster.versions import CONTROL_PLANE, kubernetes, minor, module


class NodeCluster(PlacedCluster):
    """A control plane and a node that runs real pods, in namespaces of their own."""

    def __init__(self, place: Namespaces, access: Access) -> None:
        super().__init__(place, access)
        self._namespaces = place

    def load_image(self, image: Image) -> None:
        images.load(self.place, image)

    def cut_off(self) -> None:
        self._namespaces.cut_off()

    def heal(self) -> None:
        self._namespaces.heal()

    @contextlib.contextmanager
    def service(self, name: str, port: int, namespace: str = "default") -> Iterator[str]:
        found = self.access.get("v1", "Service", name, namespace)
        if found is None:
            raise LookupError(f"no Service {namespace}/{name}")
        yield f"{found['spec']['clusterIP']}:{port}"  # this machine has a route to the cluster's Services


def start_control_plane(name: str, owner: Started | None, assets: Path | None = None) -> PlacedCluster:
    """A control plane; from the binaries in `assets` where it is given, else from Go modules."""
    programs = from_assets(assets) if assets else from_modules()
    place = Place(ledger.new(name, owner))
    with contextlib.ExitStack() as undo:
        undo.callback(place.release)
        plane = control_plane.start(place, programs, services="10.0.0.0/24", pods="10.1.0.0/16")
        undo.pop_all()
    return PlacedCluster(place, plane.access)


def start_node_cluster(name: str, owner: Started | None, preloaded: list[Image]) -> NodeCluster:
    """A whole cluster with one node that has these images. Needs root on Linux."""
    require_node()
    filled = store.filled([images.pause(), *preloaded])
    programs = from_modules(with_node=True)
    place = Namespaces(ledger.new(name, owner))
    with contextlib.ExitStack() as undo:
        undo.callback(place.release)
        place.join()
        addresses = place.addresses
        plane = control_plane.start(place, programs, services=addresses.services, pods=addresses.pods)
        undo.callback(plane.access.close)
        node.start(place, plane, programs, filled)
        undo.pop_all()
    return NodeCluster(place, plane.access)


def require_node() -> None:
    """Say what is missing for a node, if anything is."""
    if os.uname().sysname != "Linux":
        raise Missing("Linux: a node of our own needs its namespaces; with Docker, kind is used")
    if not is_root():
        raise Missing("root: a node of our own needs namespaces and mounts; run as root, or have Docker for kind")
    debian.require(debian.NODE)
    try:
        commands.run(["unshare", "--fork", "--pid", "--mount-proc", "--mount", "--net", "true"])
    except RuntimeError as error:
        raise Missing(f"the privilege to make namespaces, which root lacks in most containers; {error}") from error


def from_modules(*, with_node: bool = False) -> Mapping[str, Path]:
    """The programs of a cluster, built from Go modules unless they are in the cache."""
    built = go.programs(kubernetes(minor()))
    programs = {program: built / program for program in CONTROL_PLANE}
    programs["etcd"] = go.programs(module("etcd")) / "etcd"
    if with_node:
        programs |= {program: built / program for program in ("kubelet", "kube-proxy")}
        programs["coredns"] = go.programs(module("coredns")) / "coredns"
    return programs


def from_assets(assets: Path) -> Mapping[str, Path]:
    """The programs in envtest's folder: etcd and kube-apiserver, perhaps more."""
    programs = {path.name: path for path in assets.iterdir() if path.is_file()}
    for program in ("etcd", "kube-apiserver"):
        if program not in programs:
            raise Missing(f"{program} in KUBEBUILDER_ASSETS={assets}; `setup-envtest use` fetches it")
    return programs
