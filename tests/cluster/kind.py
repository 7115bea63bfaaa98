"""kind, through pytest-kind, where Docker runs: each cluster is a container."""

import contextlib
import shutil
import subprocess

from pytest_kind import cluster as pytest_kind

from cluster import cache, commands, images, kuberay, ledger
from cluster.access import Access
from cluster.cluster import PlacedCluster
from cluster.images import Image
from cluster.ledger import Started
from cluster.namespaces import CUT
from cluster.place import Place
from cluster.progress import step
from cluster.versions import VERSIONS, minor

KIND = VERSIONS["kind"]
# Its own defaults are older than the Kubernetes that is asked for.
pytest_kind.KIND_VERSION = KIND["version"]
pytest_kind.KUBECTL_VERSION = KIND["kubectl"]


def docker_runs() -> bool:
    """Whether a Docker answers."""
    docker = shutil.which("docker")
    return (
        docker is not None and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0
    )


class KindCluster(PlacedCluster):
    """A cluster of one container. Its KubeRay runs as a process beside it, as everywhere."""

    def load_image(self, image: Image) -> None:
        self.place.run([self.place.ledger.kind, "load", "docker-image", "--name", self.name, image.name])

    def cut_off(self) -> None:
        self._on_node("-I")

    def heal(self) -> None:
        self._on_node("-D")

    def _on_node(self, verb: str) -> None:
        for chain, way, _ in CUT:
            rule = ["iptables", "-w", "-t", "mangle", verb, chain, way, "eth0", "-j", "DROP"]
            self.place.run(["docker", "exec", f"{self.name}-control-plane", *rule])


def start_kind_cluster(name: str, owner: Started | None, preloaded: list[Image]) -> KindCluster:
    """A kind cluster with these images."""
    tools = cache.root() / "kind"
    tools.mkdir(parents=True, exist_ok=True)
    place = Place(ledger.new(name, owner))
    with contextlib.ExitStack() as undo:
        undo.callback(place.release)
        made = pytest_kind.KindCluster(
            name,
            kubeconfig=place.folder / "kubeconfig",
            image=KIND["nodes"][minor()],
            kind_path=tools / f"kind-{KIND['version']}",
            kubectl_path=tools / f"kubectl-{KIND['kubectl']}",
        )
        place.ledger.kind = str(made.kind_path)
        place.ledger.save()
        with step(f"starting the kind cluster {name}"):
            made.create()
        cluster = KindCluster(place, Access(made.kubeconfig_path))
        undo.callback(cluster.access.close)
        kuberay.apply_crds(cluster.access)
        for image in preloaded:
            cluster.load_image(image)
        undo.pop_all()
    return cluster


def build_image() -> Image:
    """The product's image, built by Docker; it keeps what has not changed."""
    with step(f"building the image {images.SERVE_NAME} with Docker"):
        commands.run(["docker", "build", "--target=serve", f"--tag={images.SERVE_NAME}", str(images.CHECKOUT)])
    return Image(images.SERVE_NAME, None)
