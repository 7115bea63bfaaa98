"""One MCP server of a fleet: where it comes from, how it runs, and what of it clients see."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field, StringConstraints

from mcpfleet_api.base import (
    Duration,
    Int,
    Keyed,
    Model,
    Name,
    Number,
    Quantity,
    ShortText,
)
from mcpfleet_api.rules import Fault, Rule, View, exactly_one_of, ordered, unique
from mcpfleet_api.sources import CommandSource, EnvVar, Header, NpmSource, PypiSource, PythonSource, RemoteSource

# A server's sources and values are imported from here as well: to its readers they are parts of it.
__all__ = [
    "DEDICATED_ONLY",
    "SOURCES",
    "AccessRule",
    "Authorization",
    "CommandSource",
    "EnvVar",
    "Header",
    "Hosting",
    "Isolation",
    "NpmSource",
    "PypiSource",
    "PythonSource",
    "RemoteSource",
    "Resources",
    "Scaling",
    "Server",
    "ToolFilter",
    "ToolName",
    "ToolRename",
]

ToolName = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class Isolation(StrEnum):
    """Who shares a running instance of a server."""

    SHARED = "Shared"
    PER_SESSION = "PerSession"
    PER_PRINCIPAL = "PerPrincipal"


class ToolRename(Model):
    """One tool under another name."""

    name: ToolName = Field(description="The server's own name for the tool.")
    to: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description="The name that clients see."
    )


class ToolFilter(Model):
    """Which tools of a server clients see, and under which names. Patterns are globs (`read_*`)."""

    rules: ClassVar = (unique("rename", "to"),)

    include: Annotated[tuple[ToolName, ...], Field(max_length=256)] = Field(
        default=(), description="Globs of tools to offer; empty offers all."
    )
    exclude: Annotated[tuple[ToolName, ...], Field(max_length=256)] = Field(
        default=(), description="Globs of tools to leave out; wins over include."
    )
    # 24: the rule that no two have one name costs the square of it, for each of 500 servers.
    rename: Annotated[tuple[ToolRename, ...], Field(max_length=24), Keyed()] = Field(
        default=(), description="Other names for single tools."
    )


class Resources(Model):
    """What one replica of a server needs."""

    cpu: Annotated[Number, Field(ge=0, le=256)] | None = Field(default=None, description="CPU cores.")
    memory: Quantity | None = Field(default=None, description="Memory, such as 4Gi.")
    gpu: Annotated[Number, Field(ge=0, le=64)] | None = Field(
        default=None, description="GPUs; a fraction shares one."
    )


class Scaling(Model):
    """How many replicas a server has, and when it sleeps."""

    rules: ClassVar = (ordered("minReplicas", "maxReplicas"),)

    min_replicas: Annotated[Int, Field(ge=0, le=1000)] = Field(
        default=0, description="0 lets an idle server sleep; 1 or more keeps it warm."
    )
    max_replicas: Annotated[Int, Field(ge=1, le=1000)] = Field(default=1, description="Upper bound.")
    target_ongoing_requests: Annotated[Int, Field(ge=1, le=10_000)] = Field(
        default=16, description="Calls in progress per replica that scaling aims at."
    )
    idle_after: Duration = Field(default="10m", description="How long without a call until a server sleeps.")


class AccessRule(Model):
    """Who may use which tools. What is empty does not restrict; what is given must all fit."""

    principals: Annotated[tuple[ShortText, ...], Field(max_length=64)] = Field(
        default=(), description="Callers, by the name that the gateway's authentication gives them."
    )
    groups: Annotated[tuple[ShortText, ...], Field(max_length=64)] = Field(
        default=(), description="Groups, of which the caller must be in one."
    )
    scopes: Annotated[tuple[ShortText, ...], Field(max_length=64)] = Field(
        default=(), description="OAuth scopes, all of which the caller's token must carry."
    )
    tools: Annotated[tuple[ToolName, ...], Field(max_length=64)] = Field(
        default=(), description="Globs of the tools that this rule allows; empty allows all."
    )


class Authorization(Model):
    """Who may use a server. A caller that no rule allows is refused."""

    allow: Annotated[tuple[AccessRule, ...], Field(min_length=1, max_length=32)] = Field(
        description="Rules, one of which must fit the call."
    )


class Hosting(StrEnum):
    """Whom a server shares its Serve application with."""

    SHARED = "Shared"
    DEDICATED = "Dedicated"


SOURCES: Final = ("npm", "pypi", "command", "python", "remote")


def _faults_of_hosting(server: View) -> Iterator[Fault]:
    if server.get("hosting") == Hosting.DEDICATED:
        return
    resources = server.child("resources")
    for name in ("cpu", "gpu"):
        if resources.number(name):
            yield Fault(("resources", name), f"resources.{name} needs a host of its own; write hosting: Dedicated")
    if (server.child("scaling").number("maxReplicas") or 0) > 1:
        yield Fault(
            ("scaling", "maxReplicas"),
            "more than one replica needs a host of its own; write hosting: Dedicated, or maxReplicas: 1",
        )


DEDICATED_ONLY: Final = Rule(
    "resources.cpu, resources.gpu and scaling.maxReplicas above 1 need hosting: Dedicated",
    "self.hosting == 'Dedicated' || ("
    "(!has(self.resources.cpu) || self.resources.cpu == 0.0) && "
    "(!has(self.resources.gpu) || self.resources.gpu == 0.0) && "
    "self.scaling.maxReplicas <= 1)",
    _faults_of_hosting,
)


class Server(Model):
    """One MCP server. Exactly one of npm, pypi, command, python and remote says where it comes from."""

    rules: ClassVar = (exactly_one_of(*SOURCES), DEDICATED_ONLY)

    name: Name = Field(description="Its name in the fleet: in URLs, in tool prefixes, in status.")
    npm: NpmSource | None = None
    pypi: PypiSource | None = None
    command: CommandSource | None = None
    python: PythonSource | None = None
    remote: RemoteSource | None = None
    env: Annotated[tuple[EnvVar, ...], Field(max_length=64), Keyed()] = Field(
        default=(), description="Environment variables."
    )
    isolation: Isolation = Field(
        default=Isolation.PER_SESSION,
        description=(
            "PerSession gives each stateful client session an instance of its own; Shared lets all clients share"
            " one (for servers without state); PerPrincipal one per caller credential."
        ),
    )
    start_timeout: Duration = Field(
        default="60s", description="How long the server may take from start to its first answer."
    )
    tools: ToolFilter = Field(default=ToolFilter(), description="Which tools clients see.")
    authorization: Authorization | None = Field(
        default=None, description="Who may use it; left out, everyone whom the gateway lets in."
    )
    resources: Resources = Field(
        default=Resources(),
        description="What one replica needs. cpu and gpu are for Dedicated servers; memory bounds a Shared one.",
    )
    hosting: Hosting = Field(
        default=Hosting.SHARED,
        description="Shared packs the server with others; Dedicated gives it a Serve application of its own.",
    )
    node_pool: Name | None = Field(
        default=None,
        description="The node pool to run on, one of spec.nodePools; left out, the fleet's ordinary workers.",
    )
    scaling: Scaling = Field(default=Scaling(), description="Replicas and sleep.")
    volumes: Annotated[tuple[Name, ...], Field(max_length=16)] = Field(
        default=(), description="Names of the volumes, of spec.volumes, that the server uses."
    )

    @property
    def source(self) -> NpmSource | PypiSource | CommandSource | PythonSource | RemoteSource:
        """The one source that is set."""
        for source in (self.npm, self.pypi, self.command, self.python, self.remote):
            if source is not None:
                return source
        raise AssertionError(self.name)
