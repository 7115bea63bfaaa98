"""What an agent without a model does in a city: a fixed plan over five servers of the fleet."""

import json
from dataclasses import dataclass

from toolbox import Toolbox

NOTEBOOK = "agents"
SERVERS = ("everything", "files", "memory", "primes", "time")
TASK = """You are {agent}, a travelling clerk. Your city is {city}. With the tools at hand:
1. find the local time there, and how many minutes have passed since its last midnight;
2. find the largest prime number up to that count of minutes;
3. write one line with the city, its time and that prime into the file {folder}/{file}.
Then answer with that line and nothing else."""
CITIES = (
    "Africa/Cairo",
    "Africa/Nairobi",
    "America/Bogota",
    "America/Halifax",
    "America/Lima",
    "America/Mexico_City",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Vancouver",
    "Asia/Dubai",
    "Asia/Jakarta",
    "Asia/Kathmandu",
    "Asia/Seoul",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Europe/Berlin",
    "Europe/Istanbul",
    "Europe/Lisbon",
    "Europe/Oslo",
    "Pacific/Auckland",
)


@dataclass(frozen=True)
class Finding:
    """What was found out in one city."""

    city: str
    agent: str
    text: str


async def missing(tools: Toolbox) -> list[str]:
    """The servers of the plan whose tools the fleet does not offer."""
    offered = {tool.name.partition("__")[0] for tool in await tools.tools()}
    return [server for server in SERVERS if server not in offered]


def file_of(city: str) -> str:
    """The note's file name."""
    return city.lower().replace("/", "-") + ".md"


async def notebook(tools: Toolbox) -> str:
    """A folder that the file server may write to."""
    allowed = await tools.call("files__list_allowed_directories")
    folder = f"{allowed.splitlines()[1]}/{NOTEBOOK}"
    await tools.call("files__create_directory", path=folder)
    return folder


async def visit(tools: Toolbox, agent: str, city: str, folder: str) -> Finding:
    """Ask for the time, compute with it, write the result down and read it back."""
    now = json.loads(await tools.call("time__get_current_time", timezone=city))["datetime"]
    noon = json.loads(
        await tools.call("time__convert_time", source_timezone=city, time="12:00", target_timezone="UTC")
    )["target"]["datetime"]
    clock = int(now[11:13]) * 60 + int(now[14:16]) + 2
    primes = json.loads(await tools.call("primes__primes_up_to", limit=clock))["primes"]
    total = await tools.call("everything__get-sum", a=clock, b=primes[-1])
    line = f"{city}: {now[11:16]}, noon is {noon[11:16]} UTC, largest prime so far {primes[-1]}. {total}"
    await tools.call("files__write_file", path=f"{folder}/{file_of(city)}", content=line + "\n")
    read_back = await tools.call("files__read_text_file", path=f"{folder}/{file_of(city)}")
    return Finding(city, agent, read_back.strip())


async def remember(tools: Toolbox, findings: list[Finding]) -> int:
    """Put the last finding of each city into the memory server's graph; how many cities it knows then."""
    by_city = {finding.city: finding.text for finding in findings}
    entities = [{"name": city, "entityType": "city", "observations": [text]} for city, text in by_city.items()]
    await tools.call("memory__create_entities", entities=entities)
    graph = json.loads(await tools.call("memory__open_nodes", names=list(by_city)))
    return len({entity["name"] for entity in graph["entities"]})
