"""A cluster that is there already, used only when asked for; KubeRay's operator must run in it."""

import os
from pathlib import Path

from cluster import kuberay
from cluster.access import Access
from cluster.cluster import Cluster
from cluster.missing import Missing


class ExistingCluster(Cluster):
    """The cluster of KUBECONFIG's current context. It is left as it is found, but for what a test applies."""

    def start_kuberay(self) -> None:
        if not any(
            deployment.metadata.labels.get("app.kubernetes.io/name") == "kuberay-operator"
            for deployment in self.access.resource("apps/v1", "Deployment").get().items
            if deployment.metadata.labels
        ):
            raise Missing("KubeRay's operator in the existing cluster: install its Helm chart kuberay-operator")

    def down(self) -> None:
        self.access.close()


def existing_cluster() -> ExistingCluster:
    path = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    if not path.exists():
        raise Missing(f"the kubeconfig {path}; set KUBECONFIG to use a cluster that exists")
    access = Access(path)
    if not access.is_ready(10):
        access.close()
        raise Missing(f"an answer from the cluster of {path}")
    kuberay.apply_crds(access)
    return ExistingCluster("existing", access)
