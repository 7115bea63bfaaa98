"""A real API server takes what is rendered, and lets KubeRay make pods of it where only restricted pods may be."""

import json
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.cluster import Cluster
from mcpfleet_api.base import Cloud
from mcpfleet_api.fleet import MCPFleet
from mcpfleet_operator.render.fleet import render
from mcpfleet_operator.render.secrets import ray_token
from mcpfleet_operator.render.target import Target
from mcpfleet_operator.world import Member

pytestmark = pytest.mark.api

CASES = Path(__file__).parents[1] / "cases" / "render"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
# Their types are others' to install; whole objects are compared in tests/unit.
FOREIGN = {"PodMonitor", "HTTPRoute"}
TRY = [("dryRun", "All"), ("fieldValidation", "Strict"), ("fieldManager", "mcpfleet-operator"), ("force", "true")]


def target(cloud: Cloud) -> Target:
    document = yaml.safe_load((CASES / f"{cloud}.fleet.yaml").read_text())
    document["metadata"]["namespace"] = f"render-{cloud}"
    return Target(MCPFleet.model_validate(document), Member(cloud), "example.com/serve:1")


def attempt(cluster: Cluster, manifest: dict[str, Any]) -> tuple[int, str, list[str]]:
    """A server-side apply that nothing remains of: the status, what is said, and warnings."""
    metadata = manifest["metadata"]
    resource = cluster.access.resource(manifest["apiVersion"], manifest["kind"])
    path = resource.path(metadata["name"], metadata.get("namespace"))
    header = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}
    request = cluster.api.param_serialize(
        "PATCH",
        path,
        query_params=TRY,
        header_params=header,
        body=json.dumps(manifest),
        auth_settings=["BearerToken"],
    )
    answer = cluster.api.call_api(*request)
    return answer.status, answer.read().decode(), answer.headers.getlist("Warning")


def prepare(cluster: Cluster, cloud: Cloud) -> Target:
    """What must be there before the pods of a fleet: a namespace for restricted pods, and the runtimes."""
    fleet = target(cloud)
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": fleet.namespace, "labels": RESTRICTED}}
    )
    for name in ("gvisor", "nvidia"):
        cluster.apply(
            {
                "apiVersion": "node.k8s.io/v1",
                "kind": "RuntimeClass",
                "metadata": {"name": name},
                "handler": name,
            }
        )
    accounts = [each for each in render(fleet) if each["kind"] == "ServiceAccount"]
    cluster.apply(accounts)
    return fleet


@pytest.fixture(scope="module")
def with_kuberay(new_control_plane: Callable[[], Cluster]) -> Iterator[Cluster]:
    """A control plane of its own, with KubeRay's operator. It has no nodes: pods are made and stay pending."""
    with new_control_plane() as cluster:
        cluster.start_kuberay()
        yield cluster


@pytest.mark.parametrize("cloud", Cloud)
def test_every_object_is_taken_and_every_field_is_known(control_plane: Cluster, cloud: Cloud):
    for manifest in render(prepare(control_plane, cloud)):
        if manifest["kind"] not in FOREIGN:
            status, said, warnings = attempt(control_plane, manifest)
            assert status in {HTTPStatus.OK, HTTPStatus.CREATED}, said
            assert warnings == [], manifest


@pytest.mark.parametrize("cloud", Cloud)
def test_every_pod_template_is_a_restricted_pod(control_plane: Cluster, cloud: Cloud):
    fleet = prepare(control_plane, cloud)
    cluster = next(each for each in render(fleet) if each["kind"] == "RayService")["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        metadata = {"name": "pod", "namespace": fleet.namespace, **group["template"]["metadata"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": group["template"]["spec"]}
        status, said, warnings = attempt(control_plane, pod)
        assert status == HTTPStatus.CREATED, said
        assert warnings == [], said


def test_a_pod_that_is_not_restricted_would_be_refused(control_plane: Cluster):
    fleet = prepare(control_plane, Cloud.GENERIC)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": fleet.namespace},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    }
    status, said, _ = attempt(control_plane, pod)
    assert status == HTTPStatus.FORBIDDEN
    assert "restricted" in said


@pytest.mark.parametrize("cloud", Cloud)
def test_kuberay_makes_the_pods_and_claims_are_bound(with_kuberay: Cluster, cloud: Cloud):
    fleet = prepare(with_kuberay, cloud)
    objects = [each for each in render(fleet) if each["kind"] not in FOREIGN]
    token = ray_token(fleet, "not-a-secret")
    with_kuberay.apply([*objects, *([token] if token else [])])
    cluster = next(each for each in objects if each["kind"] == "RayService")["spec"]["rayClusterConfig"]
    wanted = {group["groupName"]: group["minReplicas"] for group in cluster["workerGroupSpecs"]}
    expected = {"headgroup": 1} | {name: count for name, count in wanted.items() if count}

    def pods() -> list[Any]:
        found = with_kuberay.access.resource("v1", "Pod").get(namespace=fleet.namespace)
        return [each.to_dict() for each in found.items]

    def made() -> bool:
        groups = [pod["metadata"]["labels"]["ray.io/group"] for pod in pods()]
        return {name: groups.count(name) for name in groups} == expected

    try:
        with_kuberay.access.wait(f"the pods {expected}", made, 60)
        for pod in pods():
            containers = {each["name"]: each for each in pod["spec"]["containers"]}
            head = pod["metadata"]["labels"]["ray.io/node-type"] == "head"
            assert ("autoscaler" in containers) is (head and cluster["enableInTreeAutoscaling"])
            # KubeRay adds none of its own, which an image without bash and wget would not pass.
            probe = containers["ray-head" if head else "ray-worker"]["readinessProbe"]
            assert probe.get("exec") is None
            assert pod["spec"].get("serviceAccountName") in {fleet.name, f"{fleet.name}.untrusted", "shop-reader"}
        for manifest in objects:
            if manifest["kind"] == "PersistentVolumeClaim":
                name = manifest["metadata"]["name"]

                def bound(name: str = name) -> bool:
                    claim = with_kuberay.access.get("v1", "PersistentVolumeClaim", name, fleet.namespace)
                    return bool(claim) and claim["status"].get("phase") == "Bound"

                with_kuberay.access.wait(f"the claim {name}", bound, 30)
    finally:
        with_kuberay.access.delete("ray.io/v1", "RayService", fleet.name, fleet.namespace)
