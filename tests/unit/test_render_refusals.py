"""What a fleet cannot have is found before anything is applied, each with its place and the reason."""

from typing import Any

import pytest

from mcpfleet_api.base import Cloud
from mcpfleet_api.fleet import MCPFleet
from mcpfleet_operator.render.refusals import refusals
from mcpfleet_operator.render.target import Target
from mcpfleet_operator.world import Member

AZURE = {"azure": {"clientID": "11111111-2222-3333-4444-555555555555"}}
AWS = {"aws": {"roleARN": "arn:aws:iam::123456789012:role/shop"}}
BLOB = {"azureBlob": {"storageAccount": "abc", "container": "abc", "resourceGroup": "g"}}
S3 = {"s3": {"bucket": "abc", "region": "eu-central-1"}}
GCS = {"gcs": {"bucket": "abc"}}
SANDBOX = {"name": "p", "runtimeClassName": "gvisor"}


def server(**fields: Any) -> dict[str, Any]:
    return {"name": "a", "python": {"app": "servers:build"}, **fields}


def volume(source: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", "mountPath": "/mnt/v", **source, **fields}]}


def found(spec: dict[str, Any], cloud: str | None = None, region: str | None = None) -> list[tuple[str, str]]:
    document = {"apiVersion": "mcpfleet.dev/v1alpha1", "kind": "MCPFleet", "metadata": {"name": "shop"}}
    fleet = MCPFleet.model_validate({**document, "spec": {"servers": [server()], **spec}})
    target = Target(fleet, Member(Cloud(cloud) if cloud else fleet.spec.cloud, region=region), "image")
    return [(".".join(map(str, fault.path)), fault.message) for fault in refusals(target)]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"cloud": "aks", "identity": AZURE, **volume(BLOB)},
        {"cloud": "eks", "identity": AWS, **volume(S3)},
        {"cloud": "eks", "identity": {"aws": {"podIdentity": {}}}, **volume(S3)},
        {"cloud": "gke", **volume(GCS)},
        {"cloud": "gke", "identity": {"gcp": {}}, **volume(GCS)},
        {"cloud": "hetzner", **volume({"persistentVolumeClaim": {"claimName": "nfs"}}, readOnly=True)},
        {"nodePools": [SANDBOX], "servers": [server(nodePool="p")]},
        # A runtime that brings a GPU into the container is no sandbox.
        {
            "cloud": "eks",
            "identity": AWS,
            "nodePools": [{"name": "p", "runtimeClassName": "nvidia"}],
            "servers": [server(nodePool="p", volumes=["v"])],
            **volume(S3),
        },
        {"ray": {"version": "2.40.0", "auth": {"enabled": False}}},
        {"servers": [server(env=[{"name": "AZURE_CLIENT_SECRET", "secretKeyRef": {"name": "s", "key": "k"}}])]},
    ],
)
def test_a_fleet_that_can_be_is_not_refused(spec: dict[str, Any]):
    assert found(spec) == []


@pytest.mark.parametrize(
    ("spec", "cloud", "place", "says"),
    [
        ({"cloud": "aks", "identity": AZURE}, "gke", "identity.azure", "GKE knows no identity.azure"),
        (volume(BLOB), None, "volumes.0.azureBlob", "mounted on AKS, not on a generic cluster"),
        ({"cloud": "gke", **volume(S3)}, None, "volumes.0.s3", "mounted on EKS, not on GKE"),
        ({"cloud": "aks", **volume(GCS)}, None, "volumes.0.gcs", "mounted on GKE, not on AKS"),
        ({"cloud": "aks", **volume(BLOB)}, None, "volumes.0.azureBlob", "write identity.azure"),
        ({"cloud": "eks", **volume(S3)}, None, "volumes.0.s3", "write identity.aws"),
        (
            {
                "cloud": "gke",
                "nodePools": [SANDBOX],
                "servers": [server(nodePool="p", volumes=["v"])],
                **volume(GCS),
            },
            None,
            "servers.0.volumes.0",
            "have none, since they run in a sandbox",
        ),
        (volume({"emptyDir": {}}, mountPath="/usr"), None, "volumes.0.mountPath", "would hide"),
        (volume({"emptyDir": {}}, mountPath="/opt"), None, "volumes.0.mountPath", "would hide"),
        (volume({"emptyDir": {}}, mountPath="/tmp/"), None, "volumes.0.mountPath", "would hide"),
        (volume({"emptyDir": {}}, mountPath="/proc/1"), None, "volumes.0.mountPath", "would hide"),
        (volume({"emptyDir": {}}, mountPath="/mnt/../usr"), None, "volumes.0.mountPath", "would hide"),
        (volume({"emptyDir": {}}, readOnly=True), None, "volumes.0.readOnly", "stays empty"),
        (volume({"csi": {"driver": "s3.csi.aws.com"}}), None, "volumes.0.csi.driver", "write s3"),
        (
            volume({"csi": {"driver": "x", "volumeAttributes": {"accountKey": "abc"}}}),
            None,
            "volumes.0.csi.volumeAttributes.accountKey",
            "a key in plain text",
        ),
        (
            {"servers": [server(env=[{"name": "AWS_SECRET_ACCESS_KEY", "value": "abc"}])]},
            None,
            "servers.0.env.0",
            "is a key of a cloud",
        ),
        (
            {"servers": [server(env=[{"name": "A", "secretKeyRef": {"name": "../../etc", "key": "k"}}])]},
            None,
            "servers.0.env.0.secretKeyRef.name",
            "cannot name a Secret",
        ),
        (
            {
                "servers": [
                    {
                        "name": "a",
                        "remote": {
                            "url": "https://example.com",
                            "headersFrom": [{"name": "A", "secretKeyRef": {"name": "My Secret", "key": "k"}}],
                        },
                    }
                ]
            },
            None,
            "servers.0.remote.headersFrom.0.secretKeyRef.name",
            "cannot name a Secret",
        ),
        (
            {"cloud": "hetzner", "nodePools": [{"name": "p", "spot": True}]},
            None,
            "nodePools.0.spot",
            "known on Hetzner; select your own",
        ),
        (
            {"nodePools": [{"name": "p", "accelerator": {"type": "Tesla T4"}}]},
            None,
            "nodePools.0.accelerator.type",
            "cannot be the value of a node's label",
        ),
        (
            {"servers": [server(hosting="Dedicated", resources={"cpu": 3})]},
            None,
            "servers.0.resources.cpu",
            "3 cores do not fit into one of the fleet's ordinary workers, which has 2",
        ),
        (
            {
                "nodePools": [{"name": "p", "resources": {"memory": "512Mi"}}],
                "servers": [server(hosting="Dedicated", nodePool="p")],
            },
            None,
            "servers.0.resources.memory",
            'the default of 1Gi does not fit into a worker of node pool "p", which has 512Mi',
        ),
        (
            {
                "nodePools": [{"name": "p", "accelerator": {"type": "t4", "count": 4}}],
                "servers": [server(hosting="Dedicated", nodePool="p", resources={"gpu": 1.5})],
            },
            None,
            "servers.0.resources.gpu",
            "1.5 GPUs cannot be had",
        ),
        (
            {
                "nodePools": [{"name": "p", "accelerator": {"type": "g3", "resource": "habana.ai/gaudi"}}],
                "servers": [server(hosting="Dedicated", nodePool="p", resources={"gpu": 1})],
            },
            None,
            "servers.0.resources.gpu",
            "habana.ai/gaudi is no GPU to Ray",
        ),
        (
            {"identity": {"serviceAccountName": "a" * 51}},
            None,
            "identity.serviceAccountName",
            "has 51 characters, and KubeRay knows only 50",
        ),
        ({"ray": {"version": "2.51.9"}}, None, "ray.version", "has no token authentication"),
        (
            {"gateway": {"auth": {"apiKeys": {"secretName": "keys"}}}},
            None,
            "gateway.auth",
            "is not enforced",
        ),
        ({"gateway": {"rateLimits": [{"name": "r", "calls": 1}]}}, None, "gateway.rateLimits", "is not enforced"),
        (
            {"servers": [server(authorization={"allow": [{}]})]},
            None,
            "servers.0.authorization",
            "is not enforced",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place_and_the_reason(
    spec: dict[str, Any], cloud: str | None, place: str, says: str
):
    ((where, message),) = found(spec, cloud)
    assert where == place
    assert says in message


def test_a_volume_is_judged_by_what_it_is_in_the_region():
    claim = {"persistentVolumeClaim": {"claimName": "nfs"}}
    spec = {"cloud": "gke", **volume(claim, perRegion=[{"region": "west", **S3}])}
    assert found(spec) == []
    ((place, message),) = found(spec, region="west")
    assert place == "volumes.0.perRegion.0.s3"
    assert "not on GKE" in message
