"""Volumes: storage that servers see as a folder, in a cloud as on a laptop."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from mcpfleet_api.base import (
    Bool,
    Keyed,
    LongText,
    Model,
    Name,
    ObjectName,
    Quantity,
    Shape,
    ShortText,
)
from mcpfleet_api.rules import exactly_one_of

MountOptions = Annotated[tuple[ShortText, ...], Field(max_length=32)]
BucketName = Annotated[
    str,
    StringConstraints(min_length=3, max_length=222),
    Shape(
        r"^[a-z0-9][-a-z0-9._]*[a-z0-9]$",
        'is no bucket name; write lower-case letters, digits, "-" and ".", without "s3://" or "gs://"',
    ),
]


class AzureBlob(Model):
    """A container of Azure Blob Storage, mounted by BlobFuse2 with the fleet's workload identity."""

    storage_account: Annotated[
        str,
        StringConstraints(min_length=3, max_length=24),
        Shape(r"^[a-z0-9]+$", "is no storage account; write lower-case letters and digits"),
    ] = Field(description="Name of the storage account.")
    container: Annotated[
        str,
        StringConstraints(min_length=3, max_length=63),
        Shape(r"^[a-z0-9$]([-a-z0-9]*[a-z0-9])?$", 'is no container; write lower-case letters, digits and "-"'),
    ] = Field(description="Name of the container.")
    resource_group: Annotated[str, StringConstraints(min_length=1, max_length=90)] = Field(
        description="Resource group of the storage account."
    )
    cache_size: Quantity = Field(default="1Gi", description="Most disk that the file cache may take on a node.")
    mount_options: MountOptions = Field(
        default=(), description="BlobFuse2 options beside those that MCPFleet sets."
    )


class S3(Model):
    """A bucket of Amazon S3, mounted by Mountpoint."""

    bucket: BucketName = Field(description="Name of the bucket.")
    region: Annotated[
        str,
        StringConstraints(max_length=32),
        Shape(r"^[a-z]{2}(-[a-z]+)+-[0-9]+$", 'is no AWS region; write it such as "eu-central-1"'),
    ] = Field(description="Region of the bucket.")
    prefix: ShortText | None = Field(default=None, description='Only the keys under this prefix, ending in "/".')
    cache_size: Quantity | None = Field(default=None, description="Size of the local cache; left out, none.")
    mount_options: MountOptions = Field(default=(), description="Mountpoint options beside those of MCPFleet.")


class Gcs(Model):
    """A bucket of Google Cloud Storage, mounted by Cloud Storage FUSE."""

    bucket: BucketName = Field(description="Name of the bucket.")
    only_folder: ShortText | None = Field(default=None, description="Only this folder of the bucket.")
    cache_size: Quantity | None = Field(default=None, description="Size of the file cache; left out, none.")
    mount_options: MountOptions = Field(
        default=(), description="Cloud Storage FUSE options beside those of MCPFleet."
    )


class PersistentVolumeClaim(Model):
    """A claim that exists in the fleet's namespace."""

    claim_name: ObjectName = Field(description="Name of the claim. Several pods mount it, so ReadWriteMany.")


class Csi(Model):
    """Any CSI driver's inline volume."""

    driver: ShortText = Field(description="Name of the driver, such as nfs.csi.k8s.io.")
    volume_attributes: Annotated[dict[ShortText, LongText], Field(max_length=32)] = Field(
        default={}, description="The driver's own attributes."
    )
    node_publish_secret: ObjectName | None = Field(
        default=None, description="Name of a Secret that the driver asks for."
    )


class EmptyDir(Model):
    """Scratch space of one pod, gone with it."""

    size_limit: Quantity = Field(default="1Gi", description="Most that it may hold.")
    medium: Literal["Disk", "Memory"] = Field(default="Disk", description="Where it lies.")


class LocalFolder(Model):
    """The folder that stands for a volume under `mcpfleet up`."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=1024)] = Field(
        description="Path of the folder, relative to the fleet file."
    )


CLOUD_SOURCES: Final = ("azureBlob", "s3", "gcs", "persistentVolumeClaim", "csi")


class CloudStorage(Model):
    """Storage outside the pod: one of a cloud's buckets, a claim, or any CSI driver."""

    azure_blob: AzureBlob | None = Field(default=None, description="A container of Azure Blob Storage.")
    s3: S3 | None = Field(default=None, description="A bucket of Amazon S3.")
    gcs: Gcs | None = Field(default=None, description="A bucket of Google Cloud Storage.")
    persistent_volume_claim: PersistentVolumeClaim | None = Field(
        default=None, description="A PersistentVolumeClaim that exists."
    )
    csi: Csi | None = Field(default=None, description="Any CSI driver's inline volume.")


class RegionalStorage(CloudStorage):
    """What a volume is in one region. Exactly one source says so."""

    rules: ClassVar = (exactly_one_of(*CLOUD_SOURCES),)

    region: ShortText = Field(description="Region of the member clusters that use it, as in MCPCluster.")


class Volume(CloudStorage):
    """Storage that servers use under one path. Exactly one source says where it lies.

    Data does not move with a failover: `perRegion` names a region's own copy.
    """

    rules: ClassVar = (exactly_one_of(*CLOUD_SOURCES, "emptyDir"),)

    name: Name = Field(description="Its name, by which servers use it.")
    mount_path: Annotated[
        str,
        StringConstraints(min_length=2, max_length=256),
        Shape(r"^/[^:\x00/][^:\x00]*$", 'is no absolute path; write it such as "/mnt/data"'),
    ] = Field(description="Where servers see it. Absolute, without a colon.")
    read_only: Bool = Field(default=False, description="Mount it so that servers cannot write.")
    empty_dir: EmptyDir | None = Field(default=None, description="Scratch space, gone with the pod.")
    per_region: Annotated[tuple[RegionalStorage, ...], Field(max_length=16), Keyed("region")] = Field(
        default=(), description="Sources that take the place of this one in single regions."
    )
    local: LocalFolder | None = Field(
        default=None,
        description='The folder in its place under `mcpfleet up`; left out, "./<name>". No cluster reads it.',
    )

    @property
    def local_path(self) -> str:
        """The folder, relative to the fleet file, that stands for the volume on a laptop."""
        return self.local.path if self.local else f"./{self.name}"
