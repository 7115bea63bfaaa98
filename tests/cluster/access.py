"""A cluster's API, for the tool itself and for tests: apply, read, wait."""

import json
import tempfile
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import client, config, dynamic
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import NotFoundError

from cluster import cache

Manifest = dict[str, Any]
MANAGER = "cluster-tool"


class Access:
    """Speaks to the cluster of a kubeconfig."""

    def __init__(self, kubeconfig: Path, context: str | None = None) -> None:
        configuration = client.Configuration()
        config.load_kube_config(
            str(kubeconfig), context=context, client_configuration=configuration, persist_config=False
        )
        # The client's own retries would hide from a test that a cluster is cut off.
        configuration.retries = False
        self.kubeconfig = kubeconfig
        self.api = client.ApiClient(configuration)
        self._dynamic: dynamic.DynamicClient | None = None
        # By default the dynamic client would share one file in /tmp with every cluster. In the folder of a cluster of
        # ours it goes with the cluster, even after a crash.
        within = kubeconfig.parent if kubeconfig.is_relative_to(cache.root()) else None
        self._scratch = tempfile.TemporaryDirectory(prefix="mcpfleet-", dir=within)

    def close(self) -> None:
        self._scratch.cleanup()
        self.api.close()
        self.api.rest_client.pool_manager.clear()

    def is_ready(self, seconds: float = 2) -> bool:
        """Whether the API server answers, and says that it is ready."""
        try:
            self._read("/readyz", seconds)
        except (ApiException, urllib3.exceptions.HTTPError, OSError):
            return False
        return True

    def has_service_account(self) -> bool:
        accounts = client.CoreV1Api(self.api).list_namespaced_service_account("default").items
        return any(account.metadata.name == "default" for account in accounts)

    def resource(self, api_version: str, kind: str) -> Any:
        """The dynamic client's handle of a kind."""
        if self._dynamic is None:
            self._dynamic = dynamic.DynamicClient(self.api, cache_file=f"{self._scratch.name}/discovered.json")
        return self._dynamic.resources.get(api_version=api_version, kind=kind)

    def apply(self, manifests: str | Manifest | Iterable[Manifest], namespace: str = "default") -> None:
        """Server-side apply, in order; CRDs are waited for before their objects follow."""
        fresh: list[Manifest] = []  # CRDs that are applied and not yet known to serve their types
        for manifest in each(manifests):
            is_crd = manifest["kind"] == "CustomResourceDefinition"
            if fresh and not is_crd:
                self._wait_for_crds(fresh)
                fresh = []
            metadata = manifest["metadata"]
            resource = self.resource(manifest["apiVersion"], manifest["kind"])
            resource.server_side_apply(
                body=manifest,
                name=metadata["name"],
                namespace=metadata.get("namespace", namespace) if resource.namespaced else None,
                field_manager=MANAGER,
                force_conflicts=True,
            )
            if is_crd:
                fresh.append(manifest)
        if fresh:
            self._wait_for_crds(fresh)

    def get(self, api_version: str, kind: str, name: str, namespace: str = "default") -> Manifest | None:
        """One object, or None."""
        resource = self.resource(api_version, kind)
        try:
            return resource.get(name=name, namespace=namespace if resource.namespaced else None).to_dict()
        except NotFoundError:
            return None

    def delete(self, api_version: str, kind: str, name: str, namespace: str = "default") -> None:
        """Delete an object with what it owns, unless it is gone already."""
        resource = self.resource(api_version, kind)
        try:
            resource.delete(
                name=name,
                namespace=namespace if resource.namespaced else None,
                body={"propagationPolicy": "Foreground"},
            )
        except NotFoundError:
            return

    def wait(self, what: str, ready: Callable[[], bool], seconds: float, every: float = 0.25) -> None:
        """Wait until something is so, asking every so many seconds."""
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come within {seconds:.0f} s")
            time.sleep(every)

    def serves(self, crd: Manifest) -> bool:
        """Whether the API server serves the types of a CRD."""
        group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        versions = [version["name"] for version in crd["spec"]["versions"] if version["served"]]
        return all(plural in self._plurals(group, version) for version in versions)

    def _wait_for_crds(self, crds: list[Manifest]) -> None:
        """Wait until the API server serves their types: the condition alone comes a moment too early."""

        self.wait("the new types", lambda: all(map(self.serves, crds)), 60)
        self._dynamic = None  # it would not look for the new types again
        Path(self._scratch.name, "discovered.json").unlink(missing_ok=True)

    def _plurals(self, group: str, version: str) -> list[str]:
        try:
            resources = json.loads(self._read(f"/apis/{group}/{version}"))["resources"]
        except ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return []
            raise
        return [resource["name"] for resource in resources]

    def _read(self, path: str, seconds: float = 10) -> bytes:
        return self.send("GET", path, seconds=seconds)

    def send(self, method: str, path: str, body: Manifest | None = None, seconds: float = 30) -> bytes:
        """One request as it is, for what must be quick: nothing is discovered before, or parsed after."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        request = self.api.param_serialize(
            method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        answer = self.api.call_api(*request, _request_timeout=seconds)
        content = answer.read()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise ApiException(http_resp=answer)
        return content


def each(manifests: str | Manifest | Iterable[Manifest]) -> Iterable[Manifest]:
    """The objects, however they are given."""
    if isinstance(manifests, str):
        return [document for document in yaml.safe_load_all(manifests) if document]
    return [manifests] if isinstance(manifests, dict) else manifests
