"""The ground that the operator's tests stand on: real control planes, several at once, and a thousand nodes."""

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kubernetes.client import VersionApi

from cluster import choose, go, own
from cluster.cluster import Cluster
from cluster.ledger import Started
from cluster.versions import KUBERNETES, kubernetes, minor, module

pytestmark = [pytest.mark.api, pytest.mark.timeout(900)]


def test_a_control_plane_is_the_kubernetes_that_was_chosen(control_plane: Cluster) -> None:
    version = VersionApi(control_plane.api).get_code()
    assert version.git_version.startswith(f"v{minor()}.")
    assert minor() in KUBERNETES


def test_kuberay_s_types_are_served_and_hold_objects_to_their_schema(control_plane: Cluster) -> None:
    assert control_plane.access.resource("ray.io/v1", "RayService").namespaced
    assert control_plane.access.resource("ray.io/v1", "RayCluster").namespaced


def test_what_an_object_owns_goes_with_it(control_plane: Cluster) -> None:
    control_plane.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}})
    owner = control_plane.access.get("v1", "ConfigMap", "owner")
    assert owner is not None
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "owned", "ownerReferences": [reference]},
    }
    control_plane.apply(owned)

    control_plane.access.delete("v1", "ConfigMap", "owner")

    control_plane.access.wait(
        "the garbage collector", lambda: control_plane.access.get("v1", "ConfigMap", "owned") is None, 60
    )


def test_five_control_planes_live_side_by_side_and_apart(
    way: str, new_control_plane: Callable[[], Cluster]
) -> None:
    if choose.first_that_fits(way) != "modules":
        pytest.skip("missing: control planes that are light enough for five of them (--cluster=modules)")
    with ThreadPoolExecutor(5) as pool:
        planes = list(pool.map(lambda _: new_control_plane(), range(5)))
    try:
        for number, plane in enumerate(planes):
            name = f"plane-{number}"
            plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for number, plane in enumerate(planes):
            there = {each.metadata.name for each in plane.access.resource("v1", "Namespace").get().items}
            assert {name for name in there if name.startswith("plane-")} == {f"plane-{number}"}
    finally:
        for plane in planes:
            plane.down()


def test_a_control_plane_carries_a_thousand_nodes(new_control_plane: Callable[[], Cluster]) -> None:
    with new_control_plane() as plane:
        plane.start_kwok(1000)
        plane.apply(deployment(replicas=200))

        def available() -> int:
            found = plane.access.get("apps/v1", "Deployment", "many") or {}
            return found.get("status", {}).get("availableReplicas", 0)

        plane.access.wait("200 seeming pods", lambda: available() == 200, 120)
        pods = plane.access.resource("v1", "Pod").get(namespace="default").items
        assert len({pod.spec.nodeName for pod in pods}) > 100


def deployment(replicas: int) -> dict[str, object]:
    labels = {"app": "many"}
    taint = {"key": "kwok.x-k8s.io/node", "operator": "Exists"}
    pod = {"containers": [{"name": "seeming", "image": "seeming"}], "tolerations": [taint]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "many"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def test_envtest_s_binaries_make_a_control_plane_of_api_server_and_etcd_alone(
    tmp_path: Path, run: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in (go.programs(kubernetes(minor())) / "kube-apiserver", go.programs(module("etcd")) / "etcd"):
        (tmp_path / program.name).symlink_to(program)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with choose.control_plane("envtest", f"envtest-{run.pid}", run) as plane:
        assert plane.access.is_ready()
        assert plane.access.resource("ray.io/v1", "RayService").namespaced


def test_an_existing_cluster_is_used_as_it_is_and_outlives_the_test(
    control_plane: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    with choose.control_plane("existing", "unused", None) as existing:
        assert existing.access.is_ready()
    assert control_plane.access.is_ready()


def test_a_kubeconfig_is_for_its_owner_alone(control_plane: Cluster) -> None:
    assert stat.S_IMODE(control_plane.kubeconfig.stat().st_mode) == 0o600


def test_programs_are_built_once(run: Started) -> None:
    first = own.from_modules()
    before = {name: path.stat().st_mtime_ns for name, path in first.items()}
    assert {name: path.stat().st_mtime_ns for name, path in own.from_modules().items()} == before
