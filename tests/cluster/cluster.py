"""What a test sees of a cluster, whichever way it was made."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cluster.access import Access, Manifest
from cluster.images import Image
from cluster.missing import Missing


class Cluster(ABC):
    """A Kubernetes cluster with KubeRay's types in it."""

    def __init__(self, name: str, kubeconfig: Path, access: Access) -> None:
        self.name = name
        self.kubeconfig = kubeconfig
        self.access = access

    @property
    def api(self) -> Any:
        """A ready `kubernetes.client.ApiClient`."""
        return self.access.api

    def apply(self, manifests: str | Manifest | Iterable[Manifest], namespace: str = "default") -> None:
        """Server-side apply of YAML text or objects."""
        self.access.apply(manifests, namespace)

    @abstractmethod
    def start_kuberay(self) -> None:
        """Run KubeRay's operator; a second call does nothing."""

    def load_image(self, image: Image) -> None:
        """Bring an image to the nodes."""
        raise Missing(f"a node: the cluster {self.name} is a control plane only")

    def cut_off(self) -> None:
        """Let no packet into the cluster or out of it, as when its region fails."""
        raise Missing(f"the means to cut off the cluster {self.name}")

    def heal(self) -> None:
        """Take back `cut_off`."""
        raise Missing(f"the means to cut off the cluster {self.name}")

    @abstractmethod
    def down(self) -> None:
        """End the cluster and leave nothing of it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()
