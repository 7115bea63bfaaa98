"""Every mistake of a file, with its place and what to write."""

import io
import sys
from pathlib import Path

import pytest

from mcpfleet_cli.fleet_file import STDIN, Finding, load, parse

GOOD = """\
apiVersion: mcpfleet.dev/v1alpha1
kind: MCPFleet
metadata: {name: shop}
spec:
  servers:
    - name: time
      pypi: {package: mcp-server-time, version: 2026.10.19}
"""

BAD = """\
apiVersion: mcpfleet.dev/v1alpha1
kind: MCPFleet
metadata:
  name: shop
spec:
  cloud: ask
  servers:
    - name: time
      npm: {package: x, version: latest}
      nodePol: gpu
      args: [1]
    - name: time
      pypi: {package: mcp-server-time, version: 2.0}
      nodePool: gpu
    - name: c
      nmp: {package: x}
  nodePools:
    - {name: x, spot: "yes"}
  identity: {aws: {roleArn: s}}
  identity: {aws: {roleArn: s}}
  observability:
    podMonitor:
      labels: {"a b": x, y: 1}
"""


def said(content: str) -> list[str]:
    return [str(finding).removeprefix("f.yaml:") for finding in parse(content.encode(), "f.yaml").findings]


def test_all_mistakes_are_found_at_once_in_the_order_of_the_file():
    assert said(BAD) == [
        '6:10: error: spec.cloud: "ask" is not known here; write aks',
        '9:34: error: spec.servers[0].npm.version: "latest" is not exact; write the exact version, such as "2026.8.31"',
        '10:7: error: spec.servers[0].nodePol: there is no such field; did you mean "nodePool"?',
        "11:7: error: spec.servers[0].args: there is no such field here; write it inside npm or pypi",
        '12:13: error: spec.servers[1].name: "time" is taken already by servers[0]',
        '13:49: error: spec.servers[1].pypi.version: must be text; write it in quotes: "2.0"',
        '14:17: error: spec.servers[1].nodePool: there is no node pool "gpu"; spec.nodePools has x',
        '16:7: error: spec.servers[2].nmp: there is no such field; did you mean "npm"?',
        "18:23: error: spec.nodePools[0].spot: must be true or false, without quotes",
        '20:3: error: "identity" is written twice; keep one',
        '20:20: error: spec.identity.aws.roleArn: there is no such field; did you mean "roleARN"?',
        (
            '23:16: error: spec.observability.podMonitor.labels.a b: "a b" is no label key; write it such as "team"'
            ' or "example.com/team"'
        ),
        '23:29: error: spec.observability.podMonitor.labels.y: must be text; write it in quotes: "1"',
    ]


def test_a_missing_field_is_said_where_it_should_stand():
    assert said(GOOD.replace("version: 2026.10.19", "args: []")) == [
        "7:7: error: spec.servers[0].pypi.version: is missing: Exact version, such as 2026.10.19."
    ]


def test_several_documents_and_other_kinds_are_fine():
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    cluster = "apiVersion: mcpfleet.dev/v1alpha1\nkind: MCPCluster\nmetadata: {name: eu}\nspec: {region: eu}\n"
    loaded = parse("---\n".join([GOOD, other, cluster, GOOD.replace("shop", "shop2")]).encode(), "f.yaml")
    assert loaded.findings == ()
    assert [fleet.metadata.name for fleet in loaded.fleets] == ["shop", "shop2"]
    assert [cluster.metadata.name for cluster in loaded.clusters] == ["eu"]
    assert loaded.others == 1


def test_the_same_fleet_twice_is_a_mistake():
    assert said(GOOD + "---\n" + GOOD) == [
        "11:18: error: metadata.name: this MCPFleet is written already in line 3"
    ]


def test_a_mistaken_document_leaves_the_others_usable():
    loaded = parse((GOOD + "---\n" + GOOD.replace("shop", "Shop") + "---\na: ]").encode(), "f.yaml")
    assert len(loaded.fleets) == 1
    assert [finding.line for finding in loaded.findings] == [11, 17]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("MCPFleet", "MCPfleets"), '2:7: error: kind: there is no kind "MCPfleets"; write MCPFleet'),
        (("MCPFleet", "Fleet"), '2:7: error: kind: there is no kind "Fleet"; write MCPFleet'),
        (
            ("v1alpha1", "v1"),
            '1:13: error: apiVersion: "mcpfleet.dev/v1" is not known here; write mcpfleet.dev/v1alpha1',
        ),
    ],
)
def test_a_misspelt_kind_is_a_mistake_and_not_another_kind(change: tuple[str, str], message: str):
    assert said(GOOD.replace(*change)) == [message]


@pytest.mark.parametrize("content", ["3", "[]", "a: 1", "spec: {servers: []}"])
def test_what_is_no_object_is_told_how_to_begin(content: str):
    assert said(content) == [
        "1:1: error: is no object of Kubernetes; begin it with apiVersion: mcpfleet.dev/v1alpha1 and kind: MCPFleet"
    ]


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path):
    missing = tmp_path / "no.yaml"
    assert load(missing).findings == (
        Finding(str(missing), 1, 1, "", "cannot be read: No such file or directory"),
    )
    assert load(tmp_path).findings[0].message == "cannot be read: Is a directory"


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert [fleet.metadata.name for fleet in load(STDIN).fleets] == ["shop"]


def test_anchors_and_merges_serve_many_servers():
    content = GOOD + "    - &base {name: a, python: {app: 'a:b'}, startTimeout: 5}\n    - {<<: *base, name: b}\n"
    assert said(content) == [
        '8:59: error: spec.servers[1].startTimeout: must be text; write it in quotes: "5"',
        '8:59: error: spec.servers[2].startTimeout: must be text; write it in quotes: "5"',
    ]
