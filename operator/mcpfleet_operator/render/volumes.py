"""Storage: what stands in the cluster for a volume, and how a pod mounts it."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

from mcpfleet_api.volumes import S3, AzureBlob, CloudStorage, Csi, EmptyDir, Gcs, Volume
from mcpfleet_operator.clouds.profile import BucketKind
from mcpfleet_operator.render.groups import WorkerGroup
from mcpfleet_operator.render.quantity import mebibytes_of
from mcpfleet_operator.render.target import Manifest, Target

BLOB_DRIVER: Final = "blob.csi.azure.com"
S3_DRIVER: Final = "s3.csi.aws.com"
GCS_DRIVER: Final = "gcsfuse.csi.storage.gke.io"

# Those of Ray's own images and of ours.
USER: Final = 1000
GROUP: Final = 100

# A bucket has no size, and Kubernetes asks for one.
_SIZE: Final = "1Ti"
_BUCKETS: Final[tuple[BucketKind, ...]] = ("azure_blob", "s3", "gcs")
# The cache of the sidecar of Cloud Storage FUSE, beside what volumes ask for.
_GCS_SCRATCH_MIB: Final = 1024


def source(target: Target, volume: Volume) -> CloudStorage:
    """Where the volume lies in the member's region."""
    return next((each for each in volume.per_region if each.region == target.member.region), volume)


def bucket_kind(storage: CloudStorage) -> BucketKind | None:
    """Which cloud's bucket it is, if it is one: those need the fleet's identity."""
    return next((kind for kind in _BUCKETS if getattr(storage, kind) is not None), None)


def mounted(target: Target, group: WorkerGroup | None) -> tuple[Volume, ...]:
    """The volumes of a group's pods; of the head's for None.

    All of them wherever pods are trusted: if it followed from the servers, editing one would roll the cluster.
    Untrusted pods see no more than their own servers use.
    """
    if group is None or group.is_trusted:
        return target.spec.volumes
    used = {name for server in group.servers for name in server.volumes}
    return tuple(volume for volume in target.spec.volumes if volume.name in used)


def storage_objects(target: Target) -> list[Manifest]:
    """StorageClasses, PersistentVolumes and claims, for volumes that a pod cannot simply name.

    All of these are immutable, so their names follow from what they say: a changed volume is another one, and the
    old one goes when nothing mounts it any more. Nothing of it deletes data.
    """
    return [each for volume in target.spec.volumes for each in _objects(target, volume)]


def pod_volume(target: Target, volume: Volume) -> dict[str, Any]:
    """The entry in a pod's `volumes`."""
    storage = source(target, volume)
    name = volume_name(volume)
    if storage.persistent_volume_claim is not None:
        # Read-only is the mount's business: a claim is attached once for all pods of a node.
        return {"name": name, "persistentVolumeClaim": {"claimName": storage.persistent_volume_claim.claim_name}}
    if storage.csi is not None:
        return {"name": name, "csi": _csi(storage.csi, volume)}
    if storage.gcs is not None:
        return {"name": name, "csi": _gcs(storage.gcs, volume)}
    if bucket_kind(storage) is not None:
        return {"name": name, "persistentVolumeClaim": {"claimName": _names(target, volume)[1]}}
    return {"name": name, "emptyDir": _empty_dir(volume.empty_dir or EmptyDir())}


def volume_mount(volume: Volume) -> dict[str, Any]:
    """The entry in a container's `volumeMounts`."""
    mount: dict[str, Any] = {"name": volume_name(volume), "mountPath": volume.mount_path}
    return mount | ({"readOnly": True} if volume.read_only else {})


def volume_name(volume: Volume) -> str:
    return f"volume-{volume.name}"


def pod_annotations(target: Target, volumes: Iterable[Volume]) -> dict[str, str]:
    """What the sidecar of Cloud Storage FUSE wants to know; nothing without it."""
    buckets = [storage.gcs for volume in volumes if (storage := source(target, volume)).gcs is not None]
    if not buckets:
        return {}
    cache = _GCS_SCRATCH_MIB + sum(mebibytes_of(gcs.cache_size) for gcs in buckets if gcs and gcs.cache_size)
    return {
        "gke-gcsfuse/volumes": "true",
        "gke-gcsfuse/cpu-limit": "500m",
        "gke-gcsfuse/memory-limit": "512Mi",
        "gke-gcsfuse/ephemeral-storage-limit": f"{cache}Mi",
    }


def _empty_dir(empty: EmptyDir) -> dict[str, Any]:
    return {"sizeLimit": empty.size_limit} | ({"medium": "Memory"} if empty.medium == "Memory" else {})


def _csi(csi: Csi, volume: Volume) -> dict[str, Any]:
    body: dict[str, Any] = {"driver": csi.driver, "readOnly": volume.read_only}
    if csi.volume_attributes:
        body["volumeAttributes"] = dict(csi.volume_attributes)
    if csi.node_publish_secret:
        body["nodePublishSecretRef"] = {"name": csi.node_publish_secret}
    return body


def _gcs(gcs: Gcs, volume: Volume) -> dict[str, Any]:
    options = ["implicit-dirs", f"uid={USER}", f"gid={GROUP}"]
    if gcs.only_folder:
        options.append(f"only-dir={gcs.only_folder}")
    attributes = {"bucketName": gcs.bucket, "mountOptions": ",".join((*options, *gcs.mount_options))}
    if gcs.cache_size:
        attributes["fileCacheCapacity"] = gcs.cache_size
    return {"driver": GCS_DRIVER, "readOnly": volume.read_only, "volumeAttributes": attributes}


def _objects(target: Target, volume: Volume) -> list[Manifest]:
    described = _description(target, volume)
    if described is None:
        return []
    storage_class, mode = described["class"], "ReadOnlyMany" if volume.read_only else "ReadWriteMany"
    persistent, claim = _names(target, volume)
    class_name = persistent if storage_class else ""
    objects = [
        target.manifest(
            "v1",
            "PersistentVolume",
            persistent,
            {
                "spec": {
                    "capacity": {"storage": _SIZE},
                    "accessModes": [mode],
                    "persistentVolumeReclaimPolicy": "Retain",
                    "storageClassName": class_name,
                    "mountOptions": described["mountOptions"],
                    # For this claim alone, and no other of the cluster.
                    "claimRef": {
                        "apiVersion": "v1",
                        "kind": "PersistentVolumeClaim",
                        "namespace": target.namespace,
                        "name": claim,
                    },
                    "csi": {
                        "driver": described["driver"],
                        # Two volumes of one handle on a node would share a mount, and its end.
                        "volumeHandle": described["handle"] + persistent,
                        "volumeAttributes": described["attributes"],
                    }
                    | ({"readOnly": True} if volume.read_only else {}),
                }
            },
            cluster_wide=True,
        ),
        target.manifest(
            "v1",
            "PersistentVolumeClaim",
            claim,
            {
                "spec": {
                    "accessModes": [mode],
                    "resources": {"requests": {"storage": _SIZE}},
                    "storageClassName": class_name,
                    "volumeName": persistent,
                }
            },
        ),
    ]
    if storage_class:
        body = {
            "provisioner": described["driver"],
            "parameters": storage_class,
            "mountOptions": described["mountOptions"],
            "reclaimPolicy": "Retain",
            "volumeBindingMode": "Immediate",
        }
        objects.insert(
            0, target.manifest("storage.k8s.io/v1", "StorageClass", persistent, body, cluster_wide=True)
        )
    return objects


def _names(target: Target, volume: Volume) -> tuple[str, str]:
    """Of the PersistentVolume and of its claim."""
    described = json.dumps([_description(target, volume), volume.read_only], sort_keys=True)
    digest = hashlib.sha256(described.encode()).hexdigest()[:8]
    claim = target.part(f"{volume.name}.{digest}")
    return f"{target.namespace}.{claim}", claim


def _description(target: Target, volume: Volume) -> dict[str, Any] | None:
    """What a PersistentVolume for it says; None when none is wanted."""
    storage = source(target, volume)
    if storage.azure_blob is not None:
        return _azure_blob(target, storage.azure_blob, volume)
    return None if storage.s3 is None else _s3(storage.s3, volume)


def _azure_blob(target: Target, blob: AzureBlob, volume: Volume) -> dict[str, Any]:
    azure = target.spec.identity.azure
    assert azure is not None, "refused before: BlobFuse2 needs an identity"
    place = {
        "protocol": "fuse2",
        "resourceGroup": blob.resource_group,
        "storageAccount": blob.storage_account,
        "containerName": blob.container,
        # Not derived from the pod's ServiceAccount, so each identity has volumes of its own.
        "clientID": azure.client_id,
        "mountWithWorkloadIdentityToken": "true",
    }
    options = [
        "-o allow_other",
        f"-o uid={USER}",
        f"-o gid={GROUP}",
        "-o attr_timeout=120",
        "-o entry_timeout=120",
        "-o negative_timeout=120",
        "--file-cache-timeout-in-seconds=120",
        "--use-attr-cache=true",
        "--cancel-list-on-mount-seconds=10",
        "--log-level=LOG_WARNING",
        # The cache lies on the node's own disk where it has no other.
        f"--cache-size-mb={mebibytes_of(blob.cache_size)}",
    ]
    return {
        "driver": BLOB_DRIVER,
        "handle": f"{blob.resource_group}#{blob.storage_account}#{blob.container}#",
        "attributes": place,
        "class": place,
        "mountOptions": [*options, *(["-o ro"] if volume.read_only else []), *blob.mount_options],
    }


def _s3(s3: S3, volume: Volume) -> dict[str, Any]:
    attributes = {"bucketName": s3.bucket, "authenticationSource": "pod", "stsRegion": s3.region}
    if s3.cache_size:
        attributes |= {"cache": "emptyDir", "cacheEmptyDirSizeLimit": s3.cache_size}
    options = [f"region {s3.region}", f"uid={USER}", f"gid={GROUP}", "allow-other"]
    if s3.prefix:
        options.append(f"prefix {s3.prefix}")
    if volume.read_only:
        options.append("read-only")
    return {
        "driver": S3_DRIVER,
        "handle": "",
        "attributes": attributes,
        # Mountpoint has static provisioning only.
        "class": None,
        "mountOptions": [*options, *s3.mount_options],
    }
