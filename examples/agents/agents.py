"""Agents on Ray that share one fleet of MCP servers.

Each agent is a Ray actor with an MCP connection of its own. What it finds goes into Ray's object store as it
works; a task gathers it from there, so this program moves references, not results.
"""

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import model
import plan
import ray
import report
from mcp import Client, MCPError
from model import Model
from plan import Finding
from rich.console import Console
from rich.progress import Progress
from toolbox import Call, Toolbox, ToolFailed


@dataclass(frozen=True)
class Visit:
    """One city done: the agent's finding and the calls that it took."""

    finding: Finding
    calls: list[Call]


@dataclass(frozen=True)
class Outcome:
    """What all agents did together."""

    findings: list[Finding]
    calls: list[Call]
    remembered: int


@ray.remote(num_cpus=0)  # an agent waits for tools and models; it does not compute
class Agent:
    """Visits cities one after the other, by plan or led by a model."""

    def __init__(self, name: str, url: str, brain: Model | None) -> None:
        self._name = name
        self._url = url
        self._brain = brain

    async def travel(self, cities: list[str]) -> AsyncIterator[Visit]:
        """One visit after the other, each put into the object store when it is done."""
        async with Client(self._url) as client:
            tools = Toolbox(client, self._name)
            folder = await plan.notebook(tools)
            for city in cities:
                finding = await self._visit(tools, city, folder)
                calls, tools.calls = tools.calls, []
                yield Visit(finding, calls)

    async def _visit(self, tools: Toolbox, city: str, folder: str) -> Finding:
        if self._brain is None:
            try:
                return await plan.visit(tools, self._name, city, folder)
            except (ToolFailed, MCPError) as error:  # one city less; the others still count
                return Finding(city, self._name, f"{city}: {error}")
        task = plan.TASK.format(agent=self._name, city=city, folder=folder, file=plan.file_of(city))
        return Finding(city, self._name, await model.work(self._brain, tools, task))


@ray.remote(num_cpus=0)
def gather(url: str, *visits: Visit) -> Outcome:
    """Put all findings into the fleet's memory: one writer, since that server rewrites its file each time."""
    findings = [visit.finding for visit in visits]
    calls = [call for visit in visits for call in visit.calls]

    async def remember() -> Outcome:
        async with Client(url) as client:
            tools = Toolbox(client, "gatherer")
            known = await plan.remember(tools, findings)
            return Outcome(findings, calls + tools.calls, known)

    return asyncio.run(remember())


async def check(url: str) -> None:
    """End with a clear word if the fleet lacks what the agents need."""
    try:
        async with Client(url) as client:
            missing = await plan.missing(Toolbox(client, "check"))
    except* (MCPError, httpx2.HTTPError) as errors:
        raise SystemExit(
            f"no fleet answers at {url} ({errors.exceptions[0]!r}); start one with `make up`"
        ) from None
    if missing:
        raise SystemExit(f"the fleet offers no tools of {', '.join(missing)}; see `mcpfleet status`")


async def run(url: str, agents: int, cities: list[str], brain: Model | None) -> Outcome:
    """Send the agents out, wait for all of them, and gather what they found."""
    visits: list[ray.ObjectRef] = []
    with Progress() as progress:
        starting = progress.add_task("agents", total=agents)
        visiting = progress.add_task("cities", total=len(cities))
        crew = [Agent.remote(f"agent-{number:02}", url, brain) for number in range(agents)]
        for agent in crew:
            await agent.__ray_ready__.remote()
            progress.advance(starting)

        async def follow(number: int) -> None:
            async for visit in crew[number].travel.remote(cities[number::agents]):
                visits.append(visit)
                progress.advance(visiting)

        await asyncio.gather(*(follow(number) for number in range(agents)))
    return await gather.remote(url, *visits)


def main() -> None:
    """Run the agents on a Ray of their own, which no other Ray on the machine notices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000/mcp", help="the fleet's aggregated endpoint")
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--visits", type=int, default=200, help="cities to visit, by all agents together")
    parser.add_argument("--plot", type=Path, default=Path("agents.png"))
    options = parser.parse_args()
    cities = [plan.CITIES[number % len(plan.CITIES)] for number in range(options.visits)]
    brain = Model.from_environment()
    console = Console()
    asyncio.run(check(options.url))
    console.print(f"{options.agents} agents, led by {brain.name if brain else 'a fixed plan'}, on {options.url}")
    # A short path: Ray's sockets lie in it, and the system limits their names to about 100 characters.
    scratch = tempfile.mkdtemp(prefix="agents-", dir="/tmp")
    ray.init(address="local", _temp_dir=scratch, include_dashboard=False, configure_logging=False)
    try:
        outcome = asyncio.run(run(options.url, options.agents, cities, brain))
    finally:
        ray.shutdown()
        shutil.rmtree(scratch, ignore_errors=True)
    for finding in outcome.findings[: len(plan.CITIES)]:
        console.print(f"{finding.agent}  {finding.text}", highlight=False)
    console.print(report.table(outcome.calls))
    report.plot(outcome.calls, options.plot)
    console.print(f"{len(outcome.findings)} findings, {outcome.remembered} cities in the memory server's graph")
    console.print(f"picture: {options.plot}")


if __name__ == "__main__":
    main()
