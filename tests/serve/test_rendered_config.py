"""Ray itself reads what is rendered: Serve its configuration, the autoscaler the sizes of the worker groups."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, at its import
    from ray.autoscaler._private.kuberay import autoscaling_config
    from ray.serve.schema import ServeDeploySchema

from mcpfleet_api.base import Cloud

pytestmark = pytest.mark.serve

CASES = Path(__file__).parents[1] / "cases" / "render"


def ray_service(cloud: Cloud) -> dict[str, Any]:
    objects = yaml.safe_load_all((CASES / f"{cloud}.objects.yaml").read_text())
    return next(each["spec"] for each in objects if each["kind"] == "RayService")


@pytest.mark.parametrize("cloud", Cloud)
def test_serve_takes_the_configuration(cloud: Cloud):
    config = yaml.safe_load(ray_service(cloud)["serveConfigV2"])
    read = ServeDeploySchema.model_validate(config)
    assert [each.name for each in read.applications] == [each["name"] for each in config["applications"]]


def test_the_autoscaler_knows_what_a_worker_of_each_group_has():
    cluster = {"metadata": {"name": "a", "namespace": "b"}, "spec": ray_service(Cloud.AKS)["rayClusterConfig"]}
    groups = autoscaling_config._derive_autoscaling_config_from_ray_cr(cluster)["available_node_types"]
    assert {name: group["resources"] for name, group in groups.items()} == {
        "headgroup": {"CPU": 0, "memory": 4 * 1024**3},
        "workers": {"CPU": 2, "memory": 8 * 1024**3, "workers": 1},
        "pool-gpu": {"CPU": 8, "GPU": 2, "memory": 48 * 1024**3, "pool-gpu": 1},
        "pool-sandbox": {"CPU": 1, "memory": 2 * 1024**3, "pool-sandbox": 1},
    }
    bounds = {name: (group["min_workers"], group["max_workers"]) for name, group in groups.items()}
    assert bounds == {"headgroup": (0, 0), "workers": (1, 1), "pool-gpu": (0, 4), "pool-sandbox": (1, 1)}
    assert groups["pool-gpu"]["idle_timeout_s"] == 600
