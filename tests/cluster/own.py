"""Clusters out of programs of our own: control planes that need no root, and whole clusters in namespaces."""

import os
from collections.abc import Mapping
from pathlib import Path

from cluster import control_plane, debian, go, images, kuberay, ledger, node, scale
from cluster.cluster import Cluster
from cluster.control_plane import ControlPlane
from cluster.images import Image
from cluster.ledger import Started
from cluster.missing import Missing
from cluster.namespaces import Namespaces
from cluster.place import Place, is_root
from cluster.versions import CONTROL_PLANE, kubernetes, minor, module


class OwnCluster(Cluster):
    """A control plane on the machine itself: for everything that needs no pods to run."""

    def __init__(self, place: Place, plane: ControlPlane) -> None:
        super().__init__(place.ledger.name, plane.kubeconfig, plane.access)
        self.place = place
        self._plane = plane
        self._has_kuberay = False

    def start_kuberay(self) -> None:
        if not self._has_kuberay:
            kuberay.start_operator(self.place, self.access)
            self._has_kuberay = True

    def start_kwok(self, nodes: int) -> None:
        """Add nodes that only seem to run pods, for tests of scale."""
        scale.start_kwok(self.place, self.access, nodes)

    def down(self) -> None:
        self.access.close()
        self.place.release()


class NodeCluster(OwnCluster):
    """A control plane and a node that runs real pods, in namespaces of their own."""

    place: Namespaces

    def load_image(self, image: Image) -> None:
        images.load(self.place, image)

    def cut_off(self) -> None:
        self.place.cut_off()

    def heal(self) -> None:
        self.place.heal()


def start_control_plane(name: str, owner: Started | None, assets: Path | None = None) -> OwnCluster:
    """A control plane; from the binaries in `assets` where it is given, else from Go modules."""
    programs = from_assets(assets) if assets else from_modules()
    place = Place(ledger.new(name, owner))
    try:
        plane = control_plane.start(place, programs, services="10.0.0.0/24", pods="10.1.0.0/16")
    except BaseException:
        place.release()
        raise
    return OwnCluster(place, plane)


def start_node_cluster(name: str, owner: Started | None) -> NodeCluster:
    """A whole cluster with one node. Needs root on Linux."""
    require_node()
    programs = from_modules(with_node=True)
    of = ledger.new(name, owner)
    place = Namespaces(of)
    try:
        place.join()
        addresses = place.addresses
        plane = control_plane.start(place, programs, services=addresses.services, pods=addresses.pods)
        node.start(place, plane, programs)
    except BaseException:
        place.release()
        raise
    return NodeCluster(place, plane)


def require_node() -> None:
    """Say what is missing for a node, if anything is."""
    if os.uname().sysname != "Linux":
        raise Missing("Linux: a node of our own needs its namespaces; with Docker, kind is used")
    if not is_root():
        raise Missing("root: a node of our own needs namespaces and mounts; run as root, or have Docker for kind")
    debian.require(debian.NODE)


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
