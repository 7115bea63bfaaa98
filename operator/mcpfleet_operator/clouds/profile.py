"""What a cloud's profile holds."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

# The labels of one kind of node, as pairs. They may hold the accelerator's `{type}`, `{resource}` (nvidia.com/gpu)
# and `{vendor}` (nvidia).
NodeLabels = tuple[tuple[str, str], ...]
Taint = tuple[tuple[str, Any], ...]
IdentityKind = Literal["azure", "aws", "gcp"]
BucketKind = Literal["azure_blob", "s3", "gcs"]


class Endpoint(NamedTuple):
    """An address inside the cloud's network that pods get their identity from."""

    cidr: str
    port: int


@dataclass(frozen=True)
class CloudProfile:
    """How one cloud labels its nodes, mounts its buckets and gives pods an identity.

    Nodes come from several provisioners with labels of their own: labels are alternatives, one of which must fit.
    """

    name: str
    accelerator_labels: tuple[NodeLabels, ...] = ()
    accelerator_tolerations: tuple[Taint, ...] = ()
    # Empty: this cloud has no spot machines.
    spot_labels: tuple[NodeLabels, ...] = ()
    spot_tolerations: tuple[Taint, ...] = ()
    identity: IdentityKind | None = None
    identity_endpoints: tuple[Endpoint, ...] = ()
    bucket: BucketKind | None = None
