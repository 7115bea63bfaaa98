"""What a fleet cannot have, found before anything is applied: facts in, findings out."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from mcpfleet_api.base import OBJECT_NAME
from mcpfleet_api.rules import Fault, Path
from mcpfleet_api.server import Hosting
from mcpfleet_api.volumes import CloudStorage
from mcpfleet_operator.clouds import PROFILES
from mcpfleet_operator.clouds.profile import BucketKind, IdentityKind
from mcpfleet_operator.render.groups import needs
from mcpfleet_operator.render.identity import binding
from mcpfleet_operator.render.quantity import bytes_of
from mcpfleet_operator.render.secrets import SECRETS_FOLDER
from mcpfleet_operator.render.target import Target
from mcpfleet_operator.render.volumes import S3_DRIVER, bucket_kind, source

Check = Callable[[Target], Iterator[Fault]]

_FIELDS: Final[dict[BucketKind, str]] = {"azure_blob": "azureBlob", "s3": "s3", "gcs": "gcs"}
_IDENTITIES: Final[tuple[IdentityKind, ...]] = ("azure", "aws", "gcp")
_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")

# A volume over one of these would hide what the image or Ray has there.
_TAKEN_FOLDERS: Final = (
    *("/bin", "/dev/shm", "/etc", "/home/ray", "/lib", "/lib64", "/opt/mcpfleet", "/opt/product", "/proc"),  # noqa: S108
    *("/sbin", "/sys", "/tmp/ray", "/usr", "/var/run/secrets", SECRETS_FOLDER),  # noqa: S108
)

# Long-lived keys of clouds. A cloud identity gives short-lived ones, and a Secret at least is no plain text.
_KEYS: Final = frozenset(
    {
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AZURE_CLIENT_SECRET",
        "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_STORAGE_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "GOOGLE_CREDENTIALS",
    }
)
_KEY_ATTRIBUTES: Final = frozenset(
    {"accountkey", "azurestorageaccountkey", "azurestorageaccountsastoken", "password"}
)

# KubeRay cuts the names of autoscalers' ServiceAccounts here, and then finds none.
_LONGEST_ACCOUNT: Final = 50
_FIRST_RAY_WITH_TOKENS: Final = (2, 52, 0)


def refusals(target: Target) -> tuple[Fault, ...]:
    """Everything that stands against the fleet in this cluster; nothing when it can be rendered."""
    return tuple(fault for check in CHECKS for fault in check(target))


def _identity_of_another_cloud(target: Target) -> Iterator[Fault]:
    if target.spec.placement is not None:
        return  # it may run in clouds of several kinds, each with its own
    for kind in _IDENTITIES:
        if getattr(target.spec.identity, kind) is not None and kind != target.profile.identity:
            yield Fault(("identity", kind), f"{target.profile.name} knows no identity.{kind}")


def _bucket_of_another_cloud(target: Target) -> Iterator[Fault]:
    for path, kind in _buckets(target):
        if kind != target.profile.bucket:
            home = next(profile.name for profile in PROFILES.values() if profile.bucket == kind)
            yield Fault(
                path,
                f"{_FIELDS[kind]} is mounted on {home}, not on {target.profile.name}; use a"
                " persistentVolumeClaim or csi here",
            )


def _bucket_without_identity(target: Target) -> Iterator[Fault]:
    for path, kind in _buckets(target):
        # On GKE the ServiceAccount is a principal by itself.
        if kind == target.profile.bucket and kind != "gcs" and binding(target) is None:
            yield Fault(
                path,
                f"{_FIELDS[kind]} is mounted as the fleet's identity; write identity.{target.profile.identity}",
            )


def _bucket_for_untrusted(target: Target) -> Iterator[Fault]:
    for index, server in enumerate(target.spec.servers):
        if target.group_of[server.name].is_trusted:
            continue
        for place, name in enumerate(server.volumes):
            volume = next(each for each in target.spec.volumes if each.name == name)
            kind = bucket_kind(source(target, volume))
            if kind is not None:
                yield Fault(
                    ("servers", index, "volumes", place),
                    f'volume "{name}" is mounted with the fleet\'s identity, and the pods of node pool'
                    f' "{server.node_pool}" have none, since they run in a sandbox (runtimeClassName)',
                )


def _mount_over_the_image(target: Target) -> Iterator[Fault]:
    for index, volume in enumerate(target.spec.volumes):
        path = volume.mount_path.rstrip("/")
        covers = [folder for folder in _TAKEN_FOLDERS if folder == path or folder.startswith(f"{path}/")]
        within = [folder for folder in ("/dev", "/proc", "/sys", SECRETS_FOLDER) if path.startswith(f"{folder}/")]
        if covers or within or ".." in path.split("/"):
            yield Fault(
                ("volumes", index, "mountPath"),
                f'"{volume.mount_path}" would hide parts of the image; mount it elsewhere, such as under /mnt',
            )


def _empty_and_read_only(target: Target) -> Iterator[Fault]:
    for index, volume in enumerate(target.spec.volumes):
        if volume.empty_dir is not None and volume.read_only and source(target, volume) is volume:
            yield Fault(
                ("volumes", index, "readOnly"), "an emptyDir that nothing may write to stays empty; leave it out"
            )


def _inline_mountpoint(target: Target) -> Iterator[Fault]:
    for path, storage in _sources(target):
        if storage.csi is not None and storage.csi.driver == S3_DRIVER:
            yield Fault((*path, "csi", "driver"), "Mountpoint mounts no inline volumes; write s3")


def _key_in_plain_text(target: Target) -> Iterator[Fault]:
    for index, server in enumerate(target.spec.servers):
        for place, variable in enumerate(server.env):
            if variable.name in _KEYS and variable.value is not None:
                yield Fault(
                    ("servers", index, "env", place),
                    f"{variable.name} is a key of a cloud; give the fleet an identity, or write a secretKeyRef",
                )
    for path, storage in _sources(target):
        for name in storage.csi.volume_attributes if storage.csi else ():
            if name.lower() in _KEY_ATTRIBUTES:
                yield Fault(
                    (*path, "csi", "volumeAttributes", name),
                    "is a key in plain text; give the fleet an identity, or name a nodePublishSecret",
                )


def _no_such_secret_name(target: Target) -> Iterator[Fault]:
    for index, server in enumerate(target.spec.servers):
        headers = server.remote.headers_from if server.remote else ()
        for path, values in ((("env",), server.env), (("remote", "headersFrom"), headers)):
            for place, value in enumerate(values):
                ref = value.secret_key_ref
                if ref is not None and re.fullmatch(OBJECT_NAME, ref.name) is None:
                    yield Fault(
                        ("servers", index, *path, place, "secretKeyRef", "name"),
                        f'"{ref.name}" cannot name a Secret; write lower-case letters, digits, "-" and "."',
                    )


def _no_spot_machines(target: Target) -> Iterator[Fault]:
    for index, pool in enumerate(target.spec.node_pools):
        if pool.spot and not target.profile.spot_labels:
            yield Fault(
                ("nodePools", index, "spot"),
                f"no label for spot machines is known on {target.profile.name}; select your own with nodeSelector",
            )


def _accelerator_is_no_label(target: Target) -> Iterator[Fault]:
    for index, pool in enumerate(target.spec.node_pools):
        if pool.accelerator is not None and _LABEL_VALUE.fullmatch(pool.accelerator.type) is None:
            yield Fault(
                ("nodePools", index, "accelerator", "type"),
                f'"{pool.accelerator.type}" cannot be the value of a node\'s label; write it such as "nvidia-l4"',
            )


def _server_too_big(target: Target) -> Iterator[Fault]:
    for index, server in enumerate(target.spec.servers):
        if server.hosting is not Hosting.DEDICATED:
            continue
        group, wanted = target.group_of[server.name], needs(server)
        where = (
            f'a worker of node pool "{group.pool.name}"' if group.pool else "one of the fleet's ordinary workers"
        )
        if wanted.cpus > group.resources.cpu:
            yield Fault(
                ("servers", index, "resources", "cpu"),
                f"{wanted.cpus:g} cores do not fit into {where}, which has {group.resources.cpu:g};"
                " choose another nodePool",
            )
        if wanted.memory > bytes_of(group.resources.memory):
            yield Fault(
                ("servers", index, "resources", "memory"),
                f"{server.resources.memory or 'the default of 1Gi'} does not fit into {where}, which has"
                f" {group.resources.memory}; choose another nodePool",
            )
        if wanted.gpus and group.pool and group.pool.accelerator and not _is_gpu(group.pool.accelerator.resource):
            yield Fault(
                ("servers", index, "resources", "gpu"),
                f"{group.pool.accelerator.resource} is no GPU to Ray; leave resources.gpu out; its pods"
                " have the accelerators all the same",
            )
        if wanted.gpus > 1 and wanted.gpus != int(wanted.gpus):
            yield Fault(
                ("servers", index, "resources", "gpu"),
                f"{wanted.gpus:g} GPUs cannot be had: Ray shares one GPU, and gives several whole",
            )


def _is_gpu(resource: str) -> bool:
    """Whether Ray and KubeRay count a resource of a container as GPUs."""
    return resource.endswith("gpu")


def _account_name_is_cut(target: Target) -> Iterator[Fault]:
    name = target.spec.identity.service_account_name
    if name is not None and len(name) > _LONGEST_ACCOUNT:
        yield Fault(
            ("identity", "serviceAccountName"),
            f"has {len(name)} characters, and KubeRay knows only {_LONGEST_ACCOUNT} of them",
        )


def _ray_without_tokens(target: Target) -> Iterator[Fault]:
    ray = target.spec.ray
    if ray.auth.enabled and tuple(int(part) for part in ray.version.split(".")) < _FIRST_RAY_WITH_TOKENS:
        yield Fault(
            ("ray", "version"),
            f"Ray {ray.version} has no token authentication; take 2.52.0 or later, or set ray.auth.enabled: false",
        )


def _access_not_enforced(target: Target) -> Iterator[Fault]:
    """A fleet that is open although it was told not to be is worse than none."""
    gateway = target.spec.gateway
    for name, given in (
        ("auth", gateway.auth.oidc or gateway.auth.api_keys),
        ("rateLimits", gateway.rate_limits),
    ):
        if given:
            yield Fault(
                ("gateway", name), f"gateway.{name} is not enforced in a cluster by this version; leave it out"
            )
    for index, server in enumerate(target.spec.servers):
        if server.authorization is not None:
            yield Fault(
                ("servers", index, "authorization"),
                "authorization is not enforced in a cluster by this version; leave it out",
            )


CHECKS: Final[tuple[Check, ...]] = (
    _identity_of_another_cloud,
    _bucket_of_another_cloud,
    _bucket_without_identity,
    _bucket_for_untrusted,
    _mount_over_the_image,
    _empty_and_read_only,
    _inline_mountpoint,
    _key_in_plain_text,
    _no_such_secret_name,
    _no_spot_machines,
    _accelerator_is_no_label,
    _server_too_big,
    _account_name_is_cut,
    _ray_without_tokens,
    _access_not_enforced,
)


def _sources(target: Target) -> Iterator[tuple[Path, CloudStorage]]:
    for index, volume in enumerate(target.spec.volumes):
        used = source(target, volume)
        regional = next((place for place, each in enumerate(volume.per_region) if each is used), None)
        yield ("volumes", index) if regional is None else ("volumes", index, "perRegion", regional), used


def _buckets(target: Target) -> Iterator[tuple[Path, BucketKind]]:
    for path, storage in _sources(target):
        kind = bucket_kind(storage)
        if kind is not None:
            yield (*path, _FIELDS[kind]), kind
