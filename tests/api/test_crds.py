"""A real API server takes the generated CRDs, and holds fleets to the same table as the types in Python."""

import json
import re
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from kubernetes.client import ApiClient

from cluster.cluster import Cluster
from mcpfleet_api.base import API_VERSION, GROUP, VERSION
from mcpfleet_api.crd import KINDS, crd
from mcpfleet_api.fleet import MCPFleet

pytestmark = pytest.mark.api

CASES_FOLDER = Path(__file__).parents[1] / "cases"
CASES = yaml.safe_load((CASES_FOLDER / "fleets.yaml").read_text())
SCALARS = yaml.safe_load((CASES_FOLDER / "scalars.yaml").read_text())
NAMESPACE = "fleet-types"
FLEETS = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/mcpfleets"
STRICT = [("fieldValidation", "Strict")]
TRY = [*STRICT, ("dryRun", "All")]


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]

    @property
    def refused(self) -> bool:
        return self.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


def send(  # noqa: PLR0917 - an HTTP request has that many parts
    api: ApiClient,
    method: str,
    path: str,
    body: Any = None,
    query: list[tuple[str, str]] | None = None,
    content_type: str = "application/json",
    accept: str = "application/json",
) -> Answer:
    request = api.param_serialize(
        method,
        path,
        query_params=query or [],
        header_params={"Accept": accept, "Content-Type": content_type},
        body=body,
        auth_settings=["BearerToken"],
    )
    answer = api.call_api(*request)
    content = answer.read()
    # A group that is not served yet is answered with plain text.
    is_json = "json" in answer.headers["Content-Type"]
    return Answer(answer.status, json.loads(content) if is_json else {"message": content.decode()})


@pytest.fixture(scope="module")
def api(control_plane: Cluster) -> ApiClient:
    """The API server, with our kinds in it."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    send(control_plane.api, "POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    apply = [*STRICT, ("fieldManager", "test"), ("force", "true")]
    for kind in KINDS:
        definition = json.dumps(crd(kind))
        target = f"{path}/{kind.plural}.{GROUP}"
        made = send(
            control_plane.api, "PATCH", target, definition, apply, content_type="application/apply-patch+yaml"
        )
        assert made.status in (HTTPStatus.OK, HTTPStatus.CREATED), made.message
    deadline = time.monotonic() + 20
    while send(control_plane.api, "GET", FLEETS).status != HTTPStatus.OK:
        assert time.monotonic() < deadline, "fleets are not served"
        time.sleep(0.1)
    return control_plane.api


def fleet(spec: dict[str, Any], name: str = "fleet") -> dict[str, Any]:
    servers = [{"name": "a", "npm": {"package": "x", "version": "1.0.0"}}]
    return {
        "apiVersion": API_VERSION,
        "kind": "MCPFleet",
        "metadata": {"name": name},
        "spec": {"servers": servers} | spec,
    }


def attempt(api: ApiClient, document: dict[str, Any]) -> Answer:
    return send(api, "POST", FLEETS, document, TRY)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["it"].replace(" ", "_"))
def test_a_fleet_is_taken_or_refused_as_the_table_says(api: ApiClient, case: dict[str, Any]):
    answer = attempt(api, fleet(case["spec"]))
    assert answer.refused is ("says" in case), answer.message
    if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        # The server names the object that breaks a rule where we name the field in it.
        places = [cause["field"] for cause in answer.body["details"]["causes"]]
        assert any(case["at"].startswith(place) for place in places), places


@pytest.mark.parametrize("name", ["Shop", "a" * 41, "my.shop", "1a"])
def test_a_fleet_has_a_name_that_kuberay_can_use(api: ApiClient, name: str):
    assert attempt(api, fleet({}, name)).refused


def test_a_fleet_of_five_hundred_full_servers_costs_less_than_the_server_spends(api: ApiClient):
    def name(prefix: str, number: int) -> str:
        return f"{prefix}{number:039d}"

    servers = [
        {
            "name": name("s", number),
            "npm": {"package": "x", "version": "1.0.0"},
            "hosting": "Dedicated",
            "nodePool": name("p", 31),
            "resources": {"gpu": 1},
            "volumes": [name("v", 31 - volume) for volume in range(16)],
            "tools": {"rename": [{"name": f"{tool:0100d}", "to": f"{tool:064d}"} for tool in range(8)]},
        }
        for number in range(500)
    ]
    pools = [{"name": name("p", number), "accelerator": {"type": "nvidia-l4"}} for number in range(32)]
    volumes = [
        {"name": name("v", number), "mountPath": f"/{number:0200d}", "emptyDir": {}} for number in range(32)
    ]
    answer = attempt(api, fleet({"servers": servers, "nodePools": pools, "volumes": volumes}))
    assert answer.status == HTTPStatus.CREATED, answer.message


def test_the_server_fills_in_the_same_defaults(api: ApiClient):
    document = fleet({"nodePools": [{"name": "p"}], "volumes": [{"name": "v", "mountPath": "/v", "emptyDir": {}}]})
    filled = attempt(api, document).body
    assert MCPFleet.model_validate(filled).spec == MCPFleet.model_validate(document).spec
    # Whatever has a default of ours stands in the stored object, too.
    assert filled["spec"] == MCPFleet.model_validate(document).spec.model_dump(
        mode="json", by_alias=True, exclude_none=True
    )


def test_status_is_written_apart_from_the_spec_and_shown_in_columns(api: ApiClient):
    made = send(api, "POST", FLEETS, fleet({}, "shown"), STRICT)
    assert made.status == HTTPStatus.CREATED, made.message
    try:
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "ServersReady",
            "message": "",
            "lastTransitionTime": "2026-11-21T12:00:00Z",
        }
        status = {"readyServers": "1/1", "endpoint": "http://shown/mcp", "region": "eu", "conditions": [ready]}
        written = send(api, "PUT", f"{FLEETS}/shown/status", made.body | {"status": status}, STRICT)
        assert written.status == HTTPStatus.OK, written.message
        table = send(api, "GET", FLEETS, accept="application/json;as=Table;v=v1;g=meta.k8s.io").body
        names = [column["name"] for column in table["columnDefinitions"]]
        assert names == ["Name", "Servers", "Ready", "Endpoint", "Region", "Age"]
        assert table["rows"][0]["cells"][:5] == ["shown", "1/1", "True", "http://shown/mcp", "eu"]
    finally:
        send(api, "DELETE", f"{FLEETS}/shown")


@pytest.mark.parametrize(("kind", "scalar"), [(kind, scalar) for kind in SCALARS for scalar in SCALARS[kind]])
def test_a_plain_scalar_is_read_as_the_table_says(api: ApiClient, kind: str, scalar: str):
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: scalar}}\ndata: {{a: {scalar}}}\n"
    answer = send(api, "POST", path, text.encode(), [("dryRun", "All")], content_type="application/yaml")
    if answer.status == HTTPStatus.CREATED:
        read = "text" if answer.body["data"]["a"] else "null"
    else:
        read = re.findall(r"cannot unmarshal (\w+)", answer.message)[0]
    assert read == kind
