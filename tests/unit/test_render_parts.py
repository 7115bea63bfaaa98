"""The pieces that whole fleets are rendered from, at their edges."""

from fractions import Fraction
from typing import Any

import pytest

from mcpfleet_api.base import Cloud
from mcpfleet_api.fleet import MCPFleet
from mcpfleet_operator.clouds import PROFILES
from mcpfleet_operator.render.pods import worker_template
from mcpfleet_operator.render.quantity import bytes_of, cores, mebibytes_of, number_of
from mcpfleet_operator.render.secrets import secret_mounts, secret_volumes
from mcpfleet_operator.render.target import Target
from mcpfleet_operator.world import Member

GPU_TAINT = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def pool_of(cloud: Cloud, **pool: Any) -> dict[str, Any]:
    """What a pool's pods say of the nodes that they want."""
    document = {
        "apiVersion": "mcpfleet.dev/v1alpha1",
        "kind": "MCPFleet",
        "metadata": {"name": "shop"},
        "spec": {
            "servers": [{"name": "a", "python": {"app": "servers:build"}}],
            "nodePools": [{"name": "p", **pool}],
        },
    }
    target = Target(MCPFleet.model_validate(document), Member(cloud), "image")
    spec = worker_template(target, target.groups[1])["spec"]
    return {key: spec[key] for key in ("nodeSelector", "affinity", "tolerations") if key in spec}


def any_of(*terms: dict[str, str]) -> dict[str, Any]:
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [
                            {"key": key, "operator": "In", "values": [value]} for key, value in term.items()
                        ]
                    }
                    for term in terms
                ]
            }
        }
    }


@pytest.mark.parametrize("cloud", Cloud)
def test_a_plain_pool_runs_anywhere(cloud: Cloud):
    assert pool_of(cloud) == {}


@pytest.mark.parametrize(
    ("cloud", "expected"),
    [
        (
            Cloud.AKS,
            {
                "affinity": any_of(
                    {"kubernetes.azure.com/accelerator": "nvidia"},
                    {"accelerator": "nvidia"},
                    {
                        "karpenter.azure.com/sku-gpu-manufacturer": "nvidia",
                        "karpenter.azure.com/sku-gpu-name": "l4",
                    },
                ),
                "tolerations": [
                    GPU_TAINT,
                    {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
                ],
            },
        ),
        (
            Cloud.EKS,
            {
                "affinity": any_of(
                    {"k8s.amazonaws.com/accelerator": "l4"},
                    {"karpenter.k8s.aws/instance-gpu-name": "l4"},
                    {"eks.amazonaws.com/instance-gpu-name": "l4"},
                ),
                "tolerations": [GPU_TAINT],
            },
        ),
        (
            Cloud.GKE,
            {"nodeSelector": {"cloud.google.com/gke-accelerator": "l4"}, "tolerations": [GPU_TAINT]},
        ),
        (
            Cloud.DOKS,
            {
                "nodeSelector": {
                    "doks.digitalocean.com/gpu-brand": "nvidia",
                    "doks.digitalocean.com/gpu-model": "l4",
                },
                "tolerations": [GPU_TAINT],
            },
        ),
        (Cloud.HETZNER, {"nodeSelector": {"nvidia.com/gpu.product": "l4"}, "tolerations": [GPU_TAINT]}),
        # Nothing is known of its nodes; the GPUs that a pod asks for find them.
        (Cloud.GENERIC, {"tolerations": [GPU_TAINT]}),
    ],
)
def test_a_gpu_pool_finds_the_nodes_of_its_cloud(cloud: Cloud, expected: dict[str, Any]):
    assert pool_of(cloud, accelerator={"type": "l4"}) == expected


@pytest.mark.parametrize(
    ("cloud", "expected"),
    [
        (
            Cloud.AKS,
            {
                "affinity": any_of(
                    {"kubernetes.azure.com/scalesetpriority": "spot"},
                    {"kubernetes.azure.com/priority": "spot"},
                    {"karpenter.sh/capacity-type": "spot"},
                ),
                "tolerations": [
                    {
                        "key": "kubernetes.azure.com/scalesetpriority",
                        "operator": "Equal",
                        "value": "spot",
                        "effect": "NoSchedule",
                    }
                ],
            },
        ),
        (
            Cloud.EKS,
            {
                "affinity": any_of(
                    {"eks.amazonaws.com/capacityType": "SPOT"}, {"karpenter.sh/capacity-type": "spot"}
                )
            },
        ),
        (
            Cloud.GKE,
            {
                "nodeSelector": {"cloud.google.com/gke-spot": "true"},
                "tolerations": [
                    {
                        "key": "cloud.google.com/gke-spot",
                        "operator": "Equal",
                        "value": "true",
                        "effect": "NoSchedule",
                    }
                ],
            },
        ),
    ],
)
def test_a_spot_pool_finds_the_spot_nodes_of_its_cloud(cloud: Cloud, expected: dict[str, Any]):
    assert pool_of(cloud, spot=True) == expected


def test_a_pool_with_gpus_of_another_maker_tolerates_that_makers_taint():
    assert pool_of(Cloud.AKS, accelerator={"type": "mi300", "resource": "amd.com/gpu"})["tolerations"][0] == {
        "key": "amd.com/gpu",
        "operator": "Exists",
        "effect": "NoSchedule",
    }


def test_what_a_pool_selects_itself_wins():
    chosen = {"cloud.google.com/gke-accelerator": "other", "disk": "fast"}
    assert pool_of(Cloud.GKE, accelerator={"type": "l4"}, nodeSelector=chosen)["nodeSelector"] == chosen


def test_every_cloud_has_a_profile():
    assert set(PROFILES) == set(Cloud)
    assert len({profile.name for profile in PROFILES.values()}) == len(Cloud)


@pytest.mark.parametrize(
    ("quantity", "number"),
    [("1", 1), ("500m", Fraction(1, 2)), ("1.5Gi", 3 * 2**29), ("2k", 2000), ("1Mi", 2**20), ("3G", 3 * 10**9)],
)
def test_a_quantity_is_a_number(quantity: str, number: Fraction):
    assert number_of(quantity) == number


def test_quantities_come_as_bytes_and_mebibytes_and_cores():
    assert bytes_of("1Gi") == 2**30
    assert mebibytes_of("1G") == 953
    assert mebibytes_of("1k") == 1
    assert [cores(0.1), cores(2.0), cores(7.5)] == ["100m", "2", "7500m"]


def test_secrets_are_mounted_once_and_in_the_order_of_their_names():
    server = MCPFleet.model_validate(
        {
            "apiVersion": "mcpfleet.dev/v1alpha1",
            "kind": "MCPFleet",
            "metadata": {"name": "shop"},
            "spec": {
                "servers": [
                    {
                        "name": "a",
                        "command": {"command": ["a"]},
                        "env": [
                            {"name": "A", "secretKeyRef": {"name": "z", "key": "1"}},
                            {"name": "B", "secretKeyRef": {"name": "b", "key": "1"}},
                            {"name": "C", "secretKeyRef": {"name": "z", "key": "2"}},
                        ],
                    }
                ]
            },
        }
    ).spec.servers
    assert [each["secret"]["secretName"] for each in secret_volumes(server)] == ["b", "z"]
    assert [each["mountPath"] for each in secret_mounts(server)] == [
        "/etc/mcpfleet/secrets/b",
        "/etc/mcpfleet/secrets/z",
    ]
