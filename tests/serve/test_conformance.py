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
Findings = dict[str, list[dict]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite() -> Installed:
    return await install(SUITE, package_cache())


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def servers(fleet):
    program = Path(__file__).parent / "servers" / "conformance.py"
    await fleet.apply(
        {"name": "stdio", "command": {"command": [sys.executable, str(program)]}},
        {"name": "in-process", "python": {"app": "conformance:build"}},
    )
    await fleet.ready("stdio", "in-process")


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


def shortcomings(checks: list[dict]) -> list[str]:
    if not checks:
        return ["it was not run"]
    return [
        f"{check['id']} ({check['status']}): {check.get('errorMessage', check['description'])}"
        for check in checks
        if check["status"] not in {"SUCCESS", "INFO"}
    ]


@pytest.mark.parametrize("server", ["stdio", "in-process"])
@pytest.mark.parametrize("revision", SCORED)
async def test_a_server_in_the_fleet_conforms(fleet, suite, tmp_path, server, revision):
    (required_file,) = suite.folder.glob(f"node_modules/{SUITE.package}/requirements/{revision}.yaml")
    requirements = yaml.safe_load(required_file.read_text())
    status, findings = await run(suite, fleet.url + fleet.path(server), revision, tmp_path)

    scored = requirements["server"]
    # Those that the suite's own reference does not pass, or that are newer than the revision: ours passes them.
    beyond = [
        entry["scenario"]
        for entry in requirements["not_scored"]
        if entry["leg"] == "server" and entry["reason"] != "extension"
    ]
    failed = {
        scenario: faults for scenario in (*scored, *beyond) if (faults := shortcomings(findings.get(scenario, [])))
    }
    assert not failed, "\n".join(
        f"{scenario}:\n" + "\n".join(f"  {fault}" for fault in faults) for scenario, faults in failed.items()
    )
    assert status == 0
    assert len(scored) >= SCORED[revision]
