"""What a test sees of a cluster, whichever way it was made."""

import contextlib
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cluster import kuberay, scale
from cluster.access import Access, Manifest
from cluster.images import Image
from cluster.missing import Missing
from cluster.place import Place


class Cluster(ABC):
    """A Kubernetes cluster with the types of KubeRay that a fleet is made of."""

    def __init__(self, name: str, access: Access) -> None:
        self.name = name
        self.access = access

    @property
    def kubeconfig(self) -> Path:
        return self.access.kubeconfig

    @property
    def api(self) -> Any:
        """A ready `kubernetes.client.ApiClient`."""
        return self.access.api

    def apply(self, manifests: str | Manifest | Iterable[Manifest], namespace: str = "default") -> None:
        """Server-side apply of YAML text or objects, in order."""
        self.access.apply(manifests, namespace)

    @abstractmethod
    def start_kuberay(self) -> None:
        """See to it that KubeRay's operator runs."""

    def start_kwok(self, nodes: int) -> None:
        """Add nodes that only seem to run pods, for tests of scale."""
        raise Missing(f"a control plane of our own: {self.name} is not one to fill with seeming nodes")

    def load_image(self, image: Image) -> None:
        """Bring an image to the nodes."""
        raise Missing(f"a node: the cluster {self.name} is a control plane only")

    def cut_off(self) -> None:
        """Let no packet into the cluster or out of it, as when its region fails."""
        raise Missing(f"the means to cut off the cluster {self.name}")

    def heal(self) -> None:
        """Take back `cut_off`."""
        raise Missing(f"the means to cut off the cluster {self.name}")

    @contextlib.contextmanager
    def service(self, name: str, port: int, namespace: str = "default") -> Iterator[str]:
        """The address, `host:port`, at which this machine reaches a port of a Service."""
        kubectl = shutil.which("kubectl")
        if not kubectl:
            raise Missing("kubectl, to reach a Service of a cluster whose network this machine is not part of")
        command = [kubectl, f"--kubeconfig={self.kubeconfig}", "--namespace", namespace, "port-forward"]
        with subprocess.Popen(
            [*command, f"service/{name}", f":{port}"], stdout=subprocess.PIPE, text=True
        ) as forward:
            try:
                line = forward.stdout.readline() if forward.stdout else ""
                match = re.search(r"127\.0\.0\.1:\d+", line)
                if match is None:
                    raise RuntimeError(f"no port of the Service {name} is forwarded: {line}")
                yield match[0]
            finally:
                forward.terminate()

    @abstractmethod
    def down(self) -> None:
        """End the cluster and leave nothing of it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()


class PlacedCluster(Cluster):
    """A cluster of ours, with a place for processes beside it."""

    def __init__(self, place: Place, access: Access) -> None:
        super().__init__(place.ledger.name, access)
        self.place = place
        self._has_kuberay = False

    def start_kuberay(self) -> None:
        if not self._has_kuberay:
            kuberay.start_operator(self.place, self.access)
            self._has_kuberay = True

    def start_kwok(self, nodes: int) -> None:
        scale.start_kwok(self.place, self.access, nodes)

    def down(self) -> None:
        self.access.close()
        self.place.release()
