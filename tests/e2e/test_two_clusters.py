"""Two whole clusters side by side, and one of them out of reach."""

import pytest

from cluster.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def test_a_cluster_is_out_of_reach_while_it_is_cut_off_and_the_other_is_not(
    two_clusters: tuple[Cluster, Cluster],
) -> None:
    first, second = two_clusters
    assert first.access.is_ready()
    assert second.access.is_ready()

    second.cut_off()
    try:
        assert not second.access.is_ready()
        assert first.access.is_ready()
    finally:
        second.heal()

    second.access.wait("the healed cluster", second.access.is_ready, 20)
    assert first.access.is_ready()


def test_two_clusters_know_nothing_of_each_other(two_clusters: tuple[Cluster, Cluster]) -> None:
    first, second = two_clusters
    first.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "only-here"}, "data": {"a": "b"}})
    assert second.access.get("v1", "ConfigMap", "only-here") is None
