"""The RayService: Serve's configuration and the Ray cluster under it."""

from typing import Any, Final

from mcpfleet_api.base import seconds
from mcpfleet_api.ray import UpgradeStrategy
from mcpfleet_operator.render.applications import serve_config_v2
from mcpfleet_operator.render.groups import WorkerGroup
from mcpfleet_operator.render.pods import CONTAINER_SECURITY, autoscales, head_template, worker_template
from mcpfleet_operator.render.ports import METRICS
from mcpfleet_operator.render.secrets import ray_token_name
from mcpfleet_operator.render.target import Manifest, Target

_UPGRADES: Final = {
    UpgradeStrategy.NEW_CLUSTER: "NewCluster",
    UpgradeStrategy.INCREMENTAL: "NewClusterWithIncrementalUpgrade",
    UpgradeStrategy.NONE: "None",
}


def ray_service(target: Target) -> Manifest:
    """The fleet's RayService.

    What KubeRay rolls the cluster for is in `rayClusterConfig`, all but the numbers of workers; so nothing of the
    servers stands there but the Secrets that they need mounted.
    """
    upgrade = target.spec.ray.upgrade
    spec = {
        "upgradeStrategy": _upgrade_strategy(target),
        "rayClusterDeletionDelaySeconds": int(seconds(upgrade.delete_old_after).total_seconds()),
        # The head has no door.
        "excludeHeadPodFromServeSvc": True,
        "serveConfigV2": serve_config_v2(target),
        "rayClusterConfig": _ray_cluster(target),
    }
    return target.manifest("ray.io/v1", "RayService", target.name, {"spec": spec})


def _upgrade_strategy(target: Target) -> dict[str, Any]:
    upgrade = target.spec.ray.upgrade
    strategy: dict[str, Any] = {"type": _UPGRADES[upgrade.strategy]}
    if upgrade.strategy is UpgradeStrategy.INCREMENTAL:
        strategy["clusterUpgradeOptions"] = {
            "maxSurgePercent": upgrade.max_surge_percent,
            "stepSizePercent": upgrade.step_size_percent,
            "intervalSeconds": int(seconds(upgrade.interval).total_seconds()),
            "gatewayClassName": upgrade.gateway_class_name,
        }
    return strategy


def _ray_cluster(target: Target) -> Manifest:
    ray, token = target.spec.ray, ray_token_name(target)
    cluster: Manifest = {
        "rayVersion": ray.version,
        # Said even when it is off: an empty authOptions would leave it off, too, and not say so.
        "authOptions": {"mode": "token", "secretName": token} if token else {"mode": "disabled"},
        "enableInTreeAutoscaling": autoscales(target),
        "headGroupSpec": {
            # No replica lands on the head, so that nothing stops serving when it goes.
            "rayStartParams": _start_params() | {"num-cpus": "0"},
            "template": head_template(target),
        },
        "workerGroupSpecs": [_worker_group(target, group) for group in target.groups],
    }
    if autoscales(target):
        cluster["autoscalerOptions"] = {
            "version": "v2",
            "upscalingMode": "Default",
            "imagePullPolicy": ray.image_pull_policy,
            # KubeRay gives its container none by itself.
            "securityContext": CONTAINER_SECURITY,
        }
    redis = ray.gcs_fault_tolerance
    if redis is not None:
        # No externalStorageNamespace: the active and the pending cluster would share a fixed one.
        options: Manifest = {"redisAddress": redis.redis_address}
        for field, ref in (("redisUsername", redis.username), ("redisPassword", redis.password)):
            if ref is not None:
                options[field] = {"valueFrom": {"secretKeyRef": {"name": ref.name, "key": ref.key}}}
        cluster["gcsFaultToleranceOptions"] = options
    return cluster


def _worker_group(target: Target, group: WorkerGroup) -> Manifest:
    spec: Manifest = {
        "groupName": group.name,
        "replicas": group.workers.min,
        "minReplicas": group.workers.min,
        "maxReplicas": group.workers.max,
        "rayStartParams": _start_params(),
        # What makes a server's replicas land here; CPU, memory and GPUs Ray takes from the container's limits.
        "resources": {group.name: "1"},
        "template": worker_template(target, group),
    }
    if autoscales(target) and group.pool is not None:
        spec["idleTimeoutSeconds"] = int(seconds(group.pool.idle_timeout).total_seconds())
    return spec


def _start_params() -> dict[str, str]:
    return {"metrics-export-port": str(METRICS)}
