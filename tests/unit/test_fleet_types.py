"""The types hold fleets to the same table that a real API server is held to in tests/api."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from mcpfleet_api.base import API_VERSION
from mcpfleet_api.cluster import MCPCluster
from mcpfleet_api.fleet import Cloud, MCPFleet
from mcpfleet_api.server import NpmSource, Server
from mcpfleet_cli.fleet_file import parse

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases" / "fleets.yaml").read_text())


def fleet(spec: dict[str, Any], name: str = "fleet") -> dict[str, Any]:
    servers = [{"name": "a", "npm": {"package": "x", "version": "1.0.0"}}]
    return {
        "apiVersion": API_VERSION,
        "kind": "MCPFleet",
        "metadata": {"name": name},
        "spec": {"servers": servers} | spec,
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["it"].replace(" ", "_"))
def test_a_fleet_is_taken_or_refused_as_the_table_says(case: dict[str, Any]):
    loaded = parse(yaml.safe_dump(fleet(case["spec"])).encode(), "fleet.yaml")
    findings = [(finding.path, finding.message) for finding in loaded.findings]
    if "says" not in case:
        assert findings == []
        assert len(loaded.fleets) == 1
    else:
        assert [path for path, _ in findings] == [case["at"]]
        assert case["says"] in findings[0][1]


def test_only_servers_are_needed():
    spec = MCPFleet.model_validate(fleet({})).spec
    assert spec.cloud is Cloud.GENERIC
    assert spec.servers == (Server(name="a", npm=NpmSource(package="x", version="1.0.0")),)
    assert spec.model_dump(exclude_defaults=True).keys() == {"servers"}


@pytest.mark.parametrize("name", ["Shop", "a" * 41, "my.shop", "-a", "1a"])
def test_a_fleet_has_a_name_that_kuberay_can_use(name: str):
    with pytest.raises(ValidationError, match="cannot name"):
        MCPFleet.model_validate(fleet({}, name))


def test_one_mistake_hides_no_other():
    document = fleet(
        {
            "servers": [
                {"name": "a", "npm": {"package": "x", "version": "latest"}, "nodePool": "gpu", "typo": 1},
                {"name": "a", "env": [{"name": "A"}], "volumes": ["data"]},
                7,
            ],
            "cloud": "azure",
        }
    )
    with pytest.raises(ValidationError) as caught:
        MCPFleet.model_validate(document)
    places = {detail["loc"][1:] for detail in caught.value.errors()}
    assert places >= {
        ("cloud",),
        ("servers", 0, "npm", "version"),
        ("servers", 0, "nodePool"),
        ("servers", 0, "typo"),
        ("servers", 1),
        ("servers", 1, "name"),
        ("servers", 1, "env", 0),
        ("servers", 1, "volumes", 0),
        ("servers", 2),
    }


def test_a_server_made_in_python_keeps_the_same_rules():
    with pytest.raises(ValidationError, match="exactly one of npm"):
        Server(name="a")
    with pytest.raises(ValidationError, match="minReplicas 2 is greater"):
        Server.model_validate({"name": "a", "python": {"app": "a:b"}, "scaling": {"min_replicas": 2}})


def test_a_cluster_has_one_way_to_its_credentials():
    document = {
        "apiVersion": API_VERSION,
        "kind": "MCPCluster",
        "metadata": {"name": "eu-1", "labels": {"tier": "prod"}},
        "spec": {"region": "eu", "provider": "gke", "kubeconfig": {"secretName": "eu-1"}, "maxGPUs": 8},
    }
    assert MCPCluster.model_validate(document).spec.max_gpus == 8
    document["spec"] |= {"clusterProfile": {"name": "eu-1"}}
    with pytest.raises(ValidationError, match="at most one of kubeconfig and clusterProfile"):
        MCPCluster.model_validate(document)
