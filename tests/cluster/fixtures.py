"""Pytest fixtures for tests on real clusters. Each cluster is started once per run, when a test first asks.

A cluster that cannot be had is a reason to skip, and the reason says what is missing; with --cluster=<way> or
MCPFLEET_CLUSTER it is an error instead, so that CI cannot pass by skipping.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self, TypeVar

import pytest

from cluster.missing import Missing

if TYPE_CHECKING:
    from cluster.cluster import Cluster
    from cluster.images import Image
    from cluster.ledger import Started

    NewCluster = Callable[[], Cluster]

# The rest of the tool is imported when the first cluster is asked for: the Kubernetes client takes a second to
# import, which no unit test should wait for.
WAYS = ("auto", "existing", "kind", "envtest", "modules")
Made = TypeVar("Made")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cluster",
        choices=WAYS,
        default=os.environ.get("MCPFLEET_CLUSTER", "auto"),
        help="how to get Kubernetes clusters: the first that fits (auto), or this one",
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the chosen tests need before the first of them starts: no test's timeout is for that."""
    if session.config.option.collectonly:
        return
    wanted = {fixture for item in session.items for fixture in getattr(item, "fixturenames", ())}
    if not wanted & {"new_control_plane", "serve_image"}:
        return
    from cluster import choose  # noqa: PLC0415 - see above

    capture = session.config.pluginmanager.getplugin("capturemanager")
    way = str(session.config.getoption("--cluster"))
    # On a cold machine this takes minutes, and a person wants to see why.
    with capture.global_and_fixture_disabled():
        try:
            if "new_control_plane" in wanted:
                choose.build_control_plane(way)
            if "serve_image" in wanted:
                choose.build_node(way)
        except Missing:
            return  # the fixtures say it, test by test


@pytest.fixture(scope="session")
def way(request: pytest.FixtureRequest) -> str:
    """How clusters are to be made."""
    return str(request.config.getoption("--cluster"))


@pytest.fixture(scope="session")
def run(way: str) -> "Started":
    """This run of the tests. What belongs to it is taken away when it is gone, however it ended."""
    from cluster.ledger import Started  # noqa: PLC0415 - see above

    return Started.of(os.getpid(), "pytest")


@pytest.fixture(scope="session")
def new_control_plane(way: str, run: "Started") -> Iterator["NewCluster"]:
    """Starts one more control plane of the test's own, which ends with the run if the test does not end it."""
    from cluster import choose  # noqa: PLC0415 - see above

    with _Series(way) as series:
        yield lambda: series.start(lambda: choose.control_plane(way, f"plane-{run.pid}-{series.next()}", run))


@pytest.fixture(scope="session")
def control_plane(new_control_plane: "NewCluster") -> "Cluster":
    """A control plane that all tests share: a test uses a namespace of its own, and no two the same types."""
    return new_control_plane()


@pytest.fixture(scope="session")
def serve_image(way: str) -> "Image":
    """The product's image for Ray pods; the clusters with nodes have it."""
    from cluster import choose  # noqa: PLC0415 - see above

    return _or_skip(way, lambda: choose.serve_image(way))


@pytest.fixture(scope="session")
def new_node_cluster(way: str, run: "Started", serve_image: "Image") -> Iterator["NewCluster"]:
    """Starts one more cluster with a node."""
    from cluster import choose  # noqa: PLC0415 - see above

    with _Series(way) as series:
        yield lambda: series.start(
            lambda: choose.node_cluster(way, f"node-{run.pid}-{series.next()}", run, [serve_image])
        )


@pytest.fixture(scope="session")
def node_cluster(new_node_cluster: "NewCluster") -> "Cluster":
    """A cluster with a node, KubeRay's operator and the product's image, which all tests share."""
    cluster = new_node_cluster()
    cluster.start_kuberay()
    return cluster


@pytest.fixture(scope="session")
def two_clusters(node_cluster: "Cluster", new_node_cluster: "NewCluster") -> "tuple[Cluster, Cluster]":
    """Two clusters with nodes; either can be cut off. A test heals what it cuts off."""
    second = new_node_cluster()
    second.start_kuberay()
    return node_cluster, second


class _Series:
    """Clusters that end together, and their numbers."""

    def __init__(self, way: str) -> None:
        self._way = way
        self._started: list[Cluster] = []
        self._numbers = itertools.count(1)

    def next(self) -> int:
        return next(self._numbers)

    def start(self, start: "NewCluster") -> "Cluster":
        self._started.append(_or_skip(self._way, start))
        return self._started[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for cluster in self._started:
            cluster.down()


def _or_skip(way: str, make: Callable[[], Made]) -> Made:
    try:
        return make()
    except Missing as missing:
        if way != "auto":
            raise
        pytest.skip(str(missing))
