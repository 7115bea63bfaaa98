"""Which way to make a cluster: the first that fits, or the one that was asked for."""

import os
from collections.abc import Callable
from pathlib import Path

from cluster import debian, existing, go, images, kind, own, store
from cluster.cluster import Cluster
from cluster.images import Image
from cluster.ledger import Started
from cluster.missing import Missing
from cluster.versions import module


def control_plane(way: str, name: str, owner: Started | None) -> Cluster:
    """A cluster whose API server is real; whether its pods run is another matter."""
    starts: dict[str, Callable[[], Cluster]] = {
        "existing": existing.existing_cluster,
        "kind": lambda: kind.start_kind_cluster(name, owner, []),
        "envtest": lambda: own.start_control_plane(name, owner, assets()),
        "modules": lambda: own.start_control_plane(name, owner),
    }
    return starts[first_that_fits(way)]()


def node_cluster(way: str, name: str, owner: Started | None, preloaded: list[Image]) -> Cluster:
    """A cluster that runs pods, with these images on its node."""
    starts: dict[str, Callable[[], Cluster]] = {
        "existing": existing.existing_cluster,
        "kind": lambda: kind.start_kind_cluster(name, owner, preloaded),
        "modules": lambda: own.start_node_cluster(name, owner, preloaded),
    }
    chosen = first_that_fits(way, with_node=True)
    if chosen == "envtest":
        raise Missing("a node: envtest gives a control plane only; choose kind or modules")
    return starts[chosen]()


def serve_image(way: str) -> Image:
    """The product's image for Ray pods, in the form that this way of making clusters takes."""
    chosen = first_that_fits(way, with_node=True)
    if chosen == "existing":
        name = os.environ.get("MCPFLEET_IMAGE")
        if not name:
            raise Missing("MCPFLEET_IMAGE, an image of ours that the existing cluster can pull")
        return Image(name, None)
    if chosen == "kind":
        return kind.build_image()
    own.require_node()
    debian.require(debian.IMAGES)
    return images.serve()


def build_control_plane(way: str) -> None:
    """Build all that a control plane of this way needs, so that a start is quick."""
    go.crds(module("kuberay"))
    if first_that_fits(way) == "modules":
        own.from_modules()


def build_node(way: str) -> None:
    """Likewise for a cluster with a node."""
    image = serve_image(way)
    go.programs(module("kuberay"))
    if first_that_fits(way, with_node=True) == "modules":
        own.from_modules(with_node=True)
        store.filled([images.pause(), image])


def first_that_fits(way: str, *, with_node: bool = False) -> str:
    if way != "auto":
        return way
    if kind.docker_runs():
        return "kind"
    if os.environ.get("KUBEBUILDER_ASSETS") and not with_node:
        return "envtest"
    return "modules"


def assets() -> Path:
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if not folder or not Path(folder).is_dir():
        raise Missing("KUBEBUILDER_ASSETS, the folder of envtest's binaries")
    return Path(folder)
