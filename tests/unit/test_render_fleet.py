"""Whole fleets as they are applied: compared object by object, and under edits."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcpfleet_api.base import DNS_LABEL, Cloud
from mcpfleet_api.fleet import MAX_FLEET_NAME, MCPFleet, MCPFleetSpec
from mcpfleet_api.serve import HostArgs, HostConfig
from mcpfleet_operator.place import place
from mcpfleet_operator.render.fleet import Refused, render
from mcpfleet_operator.render.secrets import ray_token
from mcpfleet_operator.render.target import Target
from mcpfleet_operator.world import Member, World

CASES = Path(__file__).parents[1] / "cases" / "render"
IMAGE = "example.com/serve:1"
MOST_FOR_KUBERAY = 47


def target(document: dict[str, Any], **facts: Any) -> Target:
    fleet = MCPFleet.model_validate(document)
    return Target(fleet, Member(fleet.spec.cloud, **facts), IMAGE)


def fleet(name: str = "shop", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "mcpfleet.dev/v1alpha1",
        "kind": "MCPFleet",
        "metadata": {"name": name},
        "spec": {"servers": [server("time")], **spec},
    }


def server(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "python": {"app": "servers:build"}, **fields}


def dedicated(name: str, **fields: Any) -> dict[str, Any]:
    return server(name, hosting="Dedicated", **fields)


def read(cloud: Cloud) -> dict[str, Any]:
    return yaml.safe_load((CASES / f"{cloud}.fleet.yaml").read_text())


def one(document: dict[str, Any], kind: str, **facts: Any) -> dict[str, Any]:
    (found,) = (each for each in render(target(document, **facts)) if each["kind"] == kind)
    return found


def applications(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    config = yaml.safe_load(one(document, "RayService")["spec"]["serveConfigV2"])
    return {each["name"]: each for each in config["applications"]}


def groups(document: dict[str, Any], **facts: Any) -> list[tuple[str, int, int]]:
    cluster = one(document, "RayService", **facts)["spec"]["rayClusterConfig"]
    return [(g["groupName"], g["minReplicas"], g["maxReplicas"]) for g in cluster["workerGroupSpecs"]]


@pytest.mark.parametrize("cloud", Cloud)
def test_a_fleet_becomes_the_objects_of_its_cloud(cloud: Cloud):
    expected = list(yaml.safe_load_all((CASES / f"{cloud}.objects.yaml").read_text()))
    assert render(target(read(cloud))) == expected


@pytest.mark.parametrize("cloud", Cloud)
def test_rendering_twice_gives_the_same_bytes(cloud: Cloud):
    document = read(cloud)
    again = {key: document[key] for key in reversed(document)}
    again["spec"] = {key: document["spec"][key] for key in reversed(document["spec"])}
    assert yaml.safe_dump(render(target(document)), sort_keys=False) == yaml.safe_dump(
        render(target(again)), sort_keys=False
    )


def test_the_serve_configuration_is_what_the_data_plane_reads():
    host = applications(read(Cloud.AKS))["host"]
    assert HostArgs.model_validate(host["args"]).fleet == "shop"
    config = HostConfig.model_validate(host["deployments"][0]["user_config"])
    spec = MCPFleetSpec.model_validate(read(Cloud.AKS)["spec"])
    assert config.servers == tuple(s for s in spec.servers if s.node_pool is None)


@pytest.mark.parametrize(
    "edit",
    [
        {"python": {"app": "servers:other"}},
        {"env": [{"name": "LEVEL", "value": "y"}]},
        {"isolation": "Shared"},
        {"startTimeout": "2m"},
        {"volumes": ["data"]},
        {"resources": {"memory": "1Gi"}},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_an_edit_of_one_server_changes_only_user_config(edit: dict[str, Any]):
    volumes = [{"name": "data", "mountPath": "/mnt/data", "emptyDir": {}}]
    before, after = (
        render(target(fleet(servers=[server("a"), server("b", **change)], volumes=volumes)))
        for change in ({}, edit)
    )
    for objects in (before, after):
        service = next(each for each in objects if each["kind"] == "RayService")["spec"]
        config = yaml.safe_load(service["serveConfigV2"])
        service["serveConfigV2"] = config
        servers = config["applications"][0]["deployments"][0]["user_config"]["servers"]
        assert [each["name"] for each in servers] == ["a", "b"]
        servers.pop()
    assert before == after


def test_text_of_any_kind_comes_out_as_it_went_in():
    texts = ["1e3", "y", "0o7", "null", "a: b", "", "\x85 \x7f \u2028", "two\nlines", "\N{ROCKET} é", "\\u0085"]
    env = [{"name": f"V{number}", "value": text} for number, text in enumerate(texts)]
    document = fleet(servers=[server("a", env=env)])
    (hosted,) = applications(document)["host"]["deployments"][0]["user_config"]["servers"]
    assert hosted["env"] == env
    config = one(document, "RayService")["spec"]["serveConfigV2"]
    assert '"value": "1e3"' in config
    assert not {"\x85", "\x7f", "\u2028"} & set(config)


def test_a_dedicated_server_has_an_application_with_its_own_replicas():
    made = applications(
        fleet(
            servers=[
                dedicated("one", resources={"cpu": 1.5, "memory": "3Gi"}),
                dedicated("fixed", scaling={"minReplicas": 3, "maxReplicas": 3}),
                dedicated("elastic", scaling={"minReplicas": 0, "maxReplicas": 4, "targetOngoingRequests": 2}),
            ]
        )
    )
    assert list(made) == ["server-elastic", "server-fixed", "server-one"]
    assert [each["route_prefix"] for each in made.values()] == [
        "/servers/elastic",
        "/servers/fixed",
        "/servers/one",
    ]
    deployments = {name: each["deployments"][0] for name, each in made.items()}
    assert deployments["server-one"]["ray_actor_options"] == {
        "num_cpus": 1.5,
        "memory": 3 * 1024**3,
        "resources": {"workers": 0.0001},
    }
    assert deployments["server-one"]["num_replicas"] == 1
    assert deployments["server-fixed"]["num_replicas"] == 3
    # One stays: with none there is no door that could wake it.
    assert deployments["server-elastic"]["autoscaling_config"] == {
        "min_replicas": 1,
        "max_replicas": 4,
        "target_ongoing_requests": 2,
    }


@pytest.mark.parametrize(
    ("servers", "workers"),
    [
        ([server("a")], (1, 1)),
        ([server("a"), server("b")], (1, 1)),
        ([server("a"), dedicated("b")], (1, 1)),
        ([dedicated("a", scaling={"minReplicas": 2, "maxReplicas": 9})], (1, 3)),
        ([dedicated("a", resources={"cpu": 2}, scaling={"minReplicas": 2, "maxReplicas": 2})], (2, 2)),
        ([dedicated("a", resources={"cpu": 0, "memory": "6Gi"}), server("b")], (2, 2)),
        ([server("a", nodePool="p")], (0, 0)),
    ],
)
def test_ordinary_workers_are_as_many_as_their_servers_need(servers: list[Any], workers: tuple[int, int]):
    assert groups(fleet(servers=servers, nodePools=[{"name": "p"}]))[0] == ("workers", *workers)


def test_an_edit_of_a_pools_size_changes_only_numbers_of_workers():
    before, after = (
        one(fleet(nodePools=[{"name": "p", "replicas": {"min": low, "max": 5}}]), "RayService") for low in (1, 3)
    )
    (_, old), (_, new) = (each["spec"]["rayClusterConfig"]["workerGroupSpecs"] for each in (before, after))
    assert {key for key in old if old[key] != new[key]} == {"replicas", "minReplicas"}
    new |= {key: old[key] for key in ("replicas", "minReplicas")}
    assert before == after


def test_a_new_pool_comes_after_the_groups_that_are_in_place():
    pools = [{"name": "new"}, {"name": "b"}, {"name": "a"}]
    names = [name for name, _, _ in groups(fleet(nodePools=pools))]
    assert names == ["workers", "pool-new", "pool-b", "pool-a"]
    in_place = ("workers", "pool-a", "pool-gone", "pool-b")
    names = [name for name, _, _ in groups(fleet(nodePools=pools), worker_groups=in_place)]
    assert names == ["workers", "pool-a", "pool-b", "pool-new"]


def test_the_service_follows_the_cluster_that_kuberay_sends_traffic_to():
    everywhere = {"mcpfleet.dev/fleet": "shop", "ray.io/node-type": "worker"}
    assert one(fleet(), "Service")["spec"]["selector"] == everywhere
    assert one(fleet(), "Service", active_ray_cluster="shop-x7")["spec"]["selector"] == {
        **everywhere,
        "ray.io/cluster": "shop-x7",
    }


def test_names_at_their_limits_are_names():
    longest = "a" * MAX_FLEET_NAME
    volume = {
        "name": "v" * 40,
        "mountPath": "/mnt/data",
        "azureBlob": {"storageAccount": "abc", "container": "abc", "resourceGroup": "g"},
    }
    document = fleet(
        longest,
        cloud="aks",
        servers=[server("s" * 40, nodePool="p" * 40), dedicated("d" * 40)],
        nodePools=[{"name": "p" * 40, "runtimeClassName": "gvisor"}],
        volumes=[volume],
        identity={"azure": {"clientID": "11111111-2222-3333-4444-555555555555"}},
    )
    document["metadata"]["namespace"] = "n" * 63
    for each in render(target(document)):
        assert len(each["metadata"]["name"]) <= 253
        if each["kind"] in {"RayService", "Service"}:
            assert re.fullmatch(DNS_LABEL, each["metadata"]["name"])
            assert len(each["metadata"]["name"]) <= MOST_FOR_KUBERAY
        for labels in _values_of("labels", each):
            assert all(len(value) <= 63 for value in labels.values())


def test_two_fleets_of_a_namespace_share_no_name():
    # The one's name and a suffix of ours must not be the other's.
    names = [
        {(each["kind"], each["metadata"]["name"]) for each in render(target(fleet(name, nodePools=[POOL])))}
        for name in ("a", "a-head", "a-untrusted", "a-ray-token")
    ]
    assert len(set.union(*names)) == sum(len(each) for each in names)


POOL = {"name": "p", "runtimeClassName": "gvisor"}


def test_a_changed_volume_is_another_volume():
    def names(container: str) -> set[str]:
        document = read(Cloud.AKS)
        document["spec"]["volumes"][0]["azureBlob"]["container"] = container
        objects = render(target(document))
        kinds = {"StorageClass", "PersistentVolume", "PersistentVolumeClaim"}
        return {each["metadata"]["name"] for each in objects if each["kind"] in kinds}

    assert not names("files") & names("other")


def test_a_region_has_its_own_copy_of_a_volume():
    volume = one(read(Cloud.AKS), "PersistentVolume", region="westus")
    assert volume["spec"]["csi"]["volumeAttributes"]["storageAccount"] == "shopwest"


def test_untrusted_pods_stand_for_nobody_and_reach_only_the_fleet():
    document = read(Cloud.AKS)
    objects = render(target(document))
    cluster = one(document, "RayService")["spec"]["rayClusterConfig"]
    sandbox = next(g for g in cluster["workerGroupSpecs"] if g["groupName"] == "pool-sandbox")["template"]
    assert sandbox["metadata"]["labels"] == {"mcpfleet.dev/fleet": "shop", "mcpfleet.dev/node-pool": "sandbox"}
    assert sandbox["spec"]["serviceAccountName"] == "shop.untrusted"
    assert sandbox["spec"]["automountServiceAccountToken"] is False
    assert "volumes" not in sandbox["spec"]
    account = next(each for each in objects if each["metadata"]["name"] == "shop.untrusted")
    assert "annotations" not in account["metadata"]
    outside = next(each for each in objects if each["metadata"]["name"] == "shop.outside")["spec"]
    assert outside["podSelector"]["matchExpressions"] == [
        {"key": "mcpfleet.dev/node-pool", "operator": "NotIn", "values": ["sandbox"]}
    ]


def test_a_sandbox_sees_the_volumes_of_its_own_servers_alone():
    document = fleet(
        servers=[server("a", nodePool="p", volumes=["mine"])],
        nodePools=[POOL],
        volumes=[
            {"name": name, "mountPath": f"/mnt/{name}", "persistentVolumeClaim": {"claimName": name}}
            for name in ("mine", "other")
        ],
    )
    workers, sandbox = one(document, "RayService")["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    assert [v["name"] for v in workers["template"]["spec"]["volumes"]] == ["volume-mine", "volume-other"]
    assert [v["name"] for v in sandbox["template"]["spec"]["volumes"]] == ["volume-mine"]


def test_the_token_of_ray_is_made_only_for_a_fleet_that_brings_none():
    assert ray_token(target(fleet()), "t") == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "shop.ray-token",
            "namespace": "default",
            "labels": {"mcpfleet.dev/fleet": "shop"},
        },
        "type": "Opaque",
        "stringData": {"auth_token": "t"},
    }
    assert ray_token(target(fleet(ray={"auth": {"secretName": "mine"}})), "t") is None
    assert ray_token(target(fleet(ray={"auth": {"enabled": False}})), "t") is None


def test_a_budget_exists_only_where_a_second_door_can_stay_open():
    twice = dedicated("a", resources={"cpu": 2}, scaling={"minReplicas": 2, "maxReplicas": 2})
    assert one(fleet(servers=[twice]), "PodDisruptionBudget")["spec"]["minAvailable"] == 1
    assert "PodDisruptionBudget" not in {each["kind"] for each in render(target(fleet()))}


def test_an_http_route_leads_to_the_service():
    route = {"parentRefs": [{"name": "edge", "namespace": "infra"}], "hostnames": ["mcp.example.com"]}
    assert one(fleet(gateway={"expose": {"httpRoute": route}}), "HTTPRoute")["spec"] == {
        "parentRefs": [{"name": "edge", "namespace": "infra"}],
        "hostnames": ["mcp.example.com"],
        "rules": [{"backendRefs": [{"name": "shop", "port": 80}], "timeouts": {"request": "0s"}}],
    }


def test_a_fleet_is_placed_where_the_operator_is():
    here = Member(Cloud.GENERIC)
    world = World((here, Member(Cloud.AKS, name="far")))
    assert place(MCPFleetSpec.model_validate(fleet()["spec"]), world) == (here,)
    assert place(MCPFleetSpec.model_validate({**fleet()["spec"], "placement": {}}), world) == ()


def test_a_fleet_that_cannot_be_names_every_reason():
    document = fleet(nodePools=[{"name": "p", "spot": True}], ray={"version": "2.40.0"})
    with pytest.raises(Refused) as refused:
        render(target(document))
    assert [fault.path for fault in refused.value.faults] == [("nodePools", 0, "spot"), ("ray", "version")]


def _values_of(key: str, value: Any) -> list[dict[str, str]]:
    if isinstance(value, list):
        return [found for each in value for found in _values_of(key, each)]
    if not isinstance(value, dict):
        return []
    here = [value[key]] if isinstance(value.get(key), dict) else []
    return here + [found for each in value.values() for found in _values_of(key, each)]
