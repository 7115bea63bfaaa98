"""The official conformance suite of MCP, against a server behind the fleet's door. Nothing is expected to fail."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from mcpfleet_api.sources import NpmSource
from mcpfleet_serve.host import package_cache
from mcpfleet_serve.packages import Installed, install

pytestmark = [
    pytest.mark.serve,
    pytest.mark.asyncio(loop_scope="module"),
    # For clients up to 2025-11-25 each session starts a process, and the suite opens more than thirty.
    pytest.mark.timeout(600),
    # The suite tests what 2026-07-28 deprecates.
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

SUITE = NpmSource(package="@modelcontextprotocol/conformance", version="0.2.0-alpha.12")
SCORED = {"2025-11-25": 30, "2026-07-28": 37}
# Scenarios that name no tool and no prompt, which have other names on the aggregated endpoint.
NAMELESS = frozenset(
    "caching dns-rebinding-protection http-custom-header-server-validation http-header-validation"
    " input-required-result-unsupported-methods logging-set-level ping prompts-list resources-list"
    " resources-read-binary resources-read-text resources-subscribe resources-templates-read"
    " resources-unsubscribe sep-2164-resource-not-found server-initialize server-session-lifecycle"
    " server-sse-multiple-streams server-stateless tools-list".split()
)
# Those checks of server-stateless that do name a tool.
NAMING = frozenset(
    f"sep-2575-{check}"
    for check in (
        "http-server-no-independent-requests-on-stream",
        "missing-capability-http-400",
        "server-no-log-without-loglevel",
        "server-rejects-undeclared-capability",
        "server-sends-prompts-list-changed-on-subscription",
        "server-sends-tools-list-changed-on-subscription",
    )
)
Findings = dict[str, list[dict]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite() -> Installed:
    return await install(SUITE, package_cache())


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def servers(fleet):
    program = Path(__file__).parent / "servers" / "conformance.py"
    await fleet.apply(
        {"name": "in-process", "python": {"app": "conformance:build"}},
        {"name": "stdio", "command": {"command": [sys.executable, str(program)]}},
    )
    await fleet.ready("in-process", "stdio")


async def run(suite: Installed, url: str, revision: str, folder: Path) -> tuple[int, Findings]:
    """The suite's exit status, and its checks by scenario."""
    process = await asyncio.create_subprocess_exec(
        *suite.argv,
        *("server", "--url", url, "--requirements", revision, "--output-dir", str(folder)),
        env={**os.environ, **suite.env},
        stdout=asyncio.subprocess.DEVNULL,
    )
    status = await process.wait()
    findings = {}
    for file in folder.glob("server-*/checks.json"):
        scenario = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z", file.parent.name)
        findings[scenario[1]] = json.loads(file.read_text())
    return status, findings


def required(suite: Installed, revision: str) -> tuple[list[str], list[str]]:
    """The scenarios that the suite scores, and those that it does not, the extensions apart.

    The latter are newer than the revision, or too much for the suite's own reference.
    """
    (file,) = suite.folder.glob(f"node_modules/{SUITE.package}/requirements/{revision}.yaml")
    requirements = yaml.safe_load(file.read_text())
    beyond = [
        entry["scenario"]
        for entry in requirements["not_scored"]
        if entry["leg"] == "server" and entry["reason"] != "extension"
    ]
    return requirements["server"], beyond


def shortcomings(checks: list[dict]) -> list[str]:
    if not checks:
        return ["it was not run"]
    return [
        f"{check['id']} ({check['status']}): {check.get('errorMessage', check['description'])}"
        for check in checks
        if check["status"] not in {"SUCCESS", "INFO"}
    ]


def explain(failed: dict[str, list[str]]) -> str:
    return "\n".join(f"{scenario}:\n  " + "\n  ".join(faults) for scenario, faults in failed.items())


@pytest.mark.parametrize("server", ["stdio", "in-process"])
@pytest.mark.parametrize("revision", SCORED)
async def test_a_server_in_the_fleet_conforms(fleet, suite, tmp_path, server, revision):
    scored, beyond = required(suite, revision)
    status, findings = await run(suite, fleet.url + fleet.path(server), revision, tmp_path)
    faults = {scenario: shortcomings(findings.get(scenario, [])) for scenario in (*scored, *beyond)}
    failed = {scenario: found for scenario, found in faults.items() if found}
    assert not failed, explain(failed)
    assert status == 0
    assert len(scored) >= SCORED[revision]


@pytest.mark.parametrize(("revision", "scenarios"), [("2025-11-25", 14), ("2026-07-28", 14)])
async def test_all_servers_as_one_conform_where_names_do_not_matter(fleet, suite, tmp_path, revision, scenarios):
    scored, beyond = required(suite, revision)
    _, findings = await run(suite, fleet.url + fleet.path(""), revision, tmp_path)
    tried = NAMELESS & {*scored, *beyond}
    failed = {
        scenario: found
        for scenario in sorted(tried)
        if (found := shortcomings([check for check in findings[scenario] if check["id"] not in NAMING]))
    }
    assert not failed, explain(failed)
    assert len(tried) == scenarios
