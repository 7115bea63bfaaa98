"""Pod templates of the Ray cluster: the head, which steers, and the workers, which host."""

from collections.abc import Iterable
from itertools import product
from typing import Any, Final

from mcpfleet_api.names import NODE_POOL_LABEL
from mcpfleet_api.pools import Accelerator, NodePool, PodResources, Toleration
from mcpfleet_operator.clouds.profile import CloudProfile, NodeLabels
from mcpfleet_operator.render.applications import host_names
from mcpfleet_operator.render.groups import WorkerGroup
from mcpfleet_operator.render.identity import account_name, binding
from mcpfleet_operator.render.ports import DOOR, HEAD_PORTS, RAY_AGENT, WORKER_PORTS
from mcpfleet_operator.render.quantity import cores
from mcpfleet_operator.render.secrets import SECRETS_FOLDER, secret_mounts, secret_volumes
from mcpfleet_operator.render.target import RAY_CLUSTER, RAY_NODE_TYPE, Manifest, Target
from mcpfleet_operator.render.volumes import GROUP, USER, mounted, pod_annotations, pod_volume, volume_mount

# The restricted Pod Security Standard, for every container: KubeRay gives the first one's to its init container.
CONTAINER_SECURITY: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": GROUP,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_POD_SECURITY: Final[dict[str, Any]] = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": GROUP,
    # Tokens and secrets that are mounted belong to this group; without it only root could read them.
    "fsGroup": GROUP,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}

# Probes by the kubelet itself. KubeRay's own are bash and wget, which need not be in an image, and look at Serve's
# proxy, which carries no calls.
_RAY_HEALTH: Final[dict[str, Any]] = {"httpGet": {"path": "/api/healthz", "port": RAY_AGENT}}
_LIVENESS: Final[dict[str, Any]] = {
    **_RAY_HEALTH,
    "initialDelaySeconds": 30,
    "periodSeconds": 5,
    "timeoutSeconds": 5,
    "failureThreshold": 120,
}
_HEAD_READINESS: Final[dict[str, Any]] = {
    **_RAY_HEALTH,
    "initialDelaySeconds": 10,
    "periodSeconds": 5,
    "timeoutSeconds": 5,
    "failureThreshold": 10,
}

_SPREAD_OVER: Final = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")

# Endpoints are told first; then the calls that are under way have this long.
_LEAVE_SECONDS: Final = 10
_GRACE_SECONDS: Final = 40


def head_template(target: Target) -> Manifest:
    """The head's pod. It hosts no server and has no door."""
    head = target.spec.ray.head
    container = _ray_container(target, "ray-head", HEAD_PORTS, _resources(head.resources), _HEAD_READINESS)
    spec = _pod_spec(target, None, container)
    # Its autoscaler's container talks to Kubernetes; without one nothing does.
    spec["automountServiceAccountToken"] = autoscales(target)
    if head.node_selector:
        spec["nodeSelector"] = dict(head.node_selector)
    if head.tolerations:
        spec["tolerations"] = _tolerations(head.tolerations)
    return {"metadata": _metadata(target, None), "spec": spec}


def worker_template(target: Target, group: WorkerGroup) -> Manifest:
    """A worker's pod. It is ready while a hosting replica in it has its door open."""
    pool = group.pool
    # Named, so that a fleet with allowed hosts lets it in.
    door = {
        "path": "/-/healthz",
        "port": DOOR,
        "httpHeaders": [{"name": "Host", "value": host_names(target)[0]}],
    }
    readiness = {"httpGet": door, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3}
    resources = _resources(group.resources, pool.accelerator if pool else None)
    container = _ray_container(target, "ray-worker", WORKER_PORTS, resources, readiness)
    # By the kubelet: no program in the image is needed to wait.
    container["lifecycle"] = {"preStop": {"sleep": {"seconds": _LEAVE_SECONDS}}}
    secrets = secret_mounts(group.servers)
    if secrets:
        container["volumeMounts"] = [*container.get("volumeMounts", []), *secrets]
    spec = _pod_spec(target, group, container)
    if secrets:
        spec["volumes"] = [*spec.get("volumes", []), *secret_volumes(group.servers)]
    spec["automountServiceAccountToken"] = False
    spec["terminationGracePeriodSeconds"] = _GRACE_SECONDS
    spec["topologySpreadConstraints"] = [_spread(target, key) for key in _SPREAD_OVER]
    if pool is not None:
        spec |= _scheduling(target.profile, pool)
    return {"metadata": _metadata(target, group), "spec": spec}


def autoscales(target: Target) -> bool:
    """Whether Ray's autoscaler runs. KubeRay shifts traffic in steps only where it does."""
    return target.scales or target.spec.ray.upgrade.strategy == "Incremental"


def _metadata(target: Target, group: WorkerGroup | None) -> Manifest:
    labels, annotations = target.labels, pod_annotations(target, mounted(target, group))
    if group is not None and group.pool is not None:
        labels = labels | {NODE_POOL_LABEL: group.pool.name}
    bound = binding(target) if group is None or group.is_trusted else None
    if bound is not None:
        labels, annotations = labels | dict(bound.pod_labels), annotations | dict(bound.pod_annotations)
    return {"labels": labels} | ({"annotations": annotations} if annotations else {})


def _pod_spec(target: Target, group: WorkerGroup | None, container: Manifest) -> Manifest:
    volumes = mounted(target, group)
    if volumes:
        container["volumeMounts"] = [volume_mount(volume) for volume in volumes] + container.get(
            "volumeMounts", []
        )
    spec: Manifest = {
        "serviceAccountName": account_name(target, trusted=group is None or group.is_trusted),
        "securityContext": _POD_SECURITY,
        # Else each Service of the namespace is a handful of variables, some of them with Ray's own names.
        "enableServiceLinks": False,
        "containers": [container],
    }
    if volumes:
        spec["volumes"] = [pod_volume(target, volume) for volume in volumes]
    secrets = target.spec.ray.image_pull_secrets
    if secrets:
        spec["imagePullSecrets"] = [{"name": secret.name} for secret in secrets]
    return spec


def _ray_container(
    target: Target, name: str, ports: Iterable[Manifest], resources: Manifest, readiness: Manifest
) -> Manifest:
    return {
        "name": name,
        "image": target.image,
        "imagePullPolicy": target.spec.ray.image_pull_policy,
        "env": [
            {"name": "MCPFLEET_SECRETS", "value": SECRETS_FOLDER},
            {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"},
        ],
        "ports": list(ports),
        "resources": resources,
        "livenessProbe": _LIVENESS,
        "readinessProbe": readiness,
        "securityContext": CONTAINER_SECURITY,
    }


def _resources(wanted: PodResources, accelerator: Accelerator | None = None) -> Manifest:
    amounts = {"cpu": cores(wanted.cpu), "memory": wanted.memory}
    if wanted.ephemeral_storage:
        amounts["ephemeral-storage"] = wanted.ephemeral_storage
    if accelerator is not None:
        amounts[accelerator.resource] = str(accelerator.count)
    return {"requests": amounts, "limits": dict(amounts)}


def _spread(target: Target, topology: str) -> Manifest:
    return {
        "maxSkew": 1,
        "topologyKey": topology,
        # A fleet in one zone still runs.
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {**target.labels, RAY_NODE_TYPE: "worker"}},
        # During an upgrade the old cluster's pods do not count.
        "matchLabelKeys": [RAY_CLUSTER],
    }


def _scheduling(profile: CloudProfile, pool: NodePool) -> Manifest:
    tolerations: list[Manifest] = []
    choices: list[tuple[NodeLabels, ...]] = []
    if pool.accelerator is not None:
        words = {
            "type": pool.accelerator.type,
            "resource": pool.accelerator.resource,
            "vendor": pool.accelerator.resource.split(".")[0],
        }
        choices.append(
            tuple(
                tuple((key.format_map(words), value.format_map(words)) for key, value in labels)
                for labels in profile.accelerator_labels
            )
        )
        tolerations.append({"key": pool.accelerator.resource, "operator": "Exists", "effect": "NoSchedule"})
        tolerations += [dict(taint) for taint in profile.accelerator_tolerations]
    if pool.spot:
        choices.append(profile.spot_labels)
        tolerations += [dict(taint) for taint in profile.spot_tolerations]
    tolerations += _tolerations(pool.tolerations)

    selector: dict[str, str] = {}
    terms = [()]
    for alternatives in choices:
        if len(alternatives) == 1:
            selector |= dict(alternatives[0])
        elif alternatives:
            terms = [one + other for one, other in product(terms, alternatives)]
    scheduling: Manifest = {}
    if selector or pool.node_selector:
        scheduling["nodeSelector"] = selector | dict(pool.node_selector)
    if terms != [()]:
        required = {"nodeSelectorTerms": [_term(labels) for labels in terms]}
        scheduling["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    if tolerations:
        scheduling["tolerations"] = tolerations
    if pool.runtime_class_name:
        scheduling["runtimeClassName"] = pool.runtime_class_name
    return scheduling


def _term(labels: NodeLabels) -> Manifest:
    return {"matchExpressions": [{"key": key, "operator": "In", "values": [value]} for key, value in labels]}


def _tolerations(tolerations: Iterable[Toleration]) -> list[Manifest]:
    return [toleration.model_dump(mode="json", by_alias=True, exclude_none=True) for toleration in tolerations]
