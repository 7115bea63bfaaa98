"""One MCP server of a fleet: where it comes from, how it runs, and what of it clients see."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from mcpfleet_api.base import Duration, LongText, Model, Name, Quantity, SecretKeyRef, ShortText

# An exact version; a range, a tag or "latest" would make two starts of one fleet differ.
ExactVersion = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*([-+.]?[0-9A-Za-z]+([-+.][0-9A-Za-z]+)*)?$", max_length=64),
]
Argument = Annotated[str, StringConstraints(max_length=4096)]
Arguments = Annotated[tuple[Argument, ...], Field(max_length=64)]
ToolName = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class NpmSource(Model):
    """A stdio server from the npm registry, installed ahead and run by Node directly."""

    package: Annotated[
        str, StringConstraints(pattern=r"^(@[a-z0-9~][a-z0-9-._~]*/)?[a-z0-9~][a-z0-9-._~]*$", max_length=214)
    ] = Field(description='Package name, such as "@modelcontextprotocol/server-filesystem".')
    version: ExactVersion = Field(description="Exact version, such as 2026.8.31.")
    args: Arguments = Field(default=(), description="Arguments of the server.")
    entry_point: ShortText | None = Field(
        default=None, description="Which of the package's commands (`bin`) to run, when it has several."
    )
    allow_scripts: bool = Field(
        default=False, description="Let the package and its dependencies run their npm install scripts."
    )


class PypiSource(Model):
    """A stdio server from PyPI, installed ahead into a virtual environment of its own."""

    package: Annotated[
        str,
        StringConstraints(
            pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9._,-]+\])?$", max_length=214
        ),
    ] = Field(description='Package name, extras allowed, such as "mcp-server-time".')
    version: ExactVersion = Field(description="Exact version, such as 2026.10.19.")
    args: Arguments = Field(default=(), description="Arguments of the server.")
    entry_point: ShortText | None = Field(
        default=None, description="Which of the package's console scripts to run, when it has several."
    )


class CommandSource(Model):
    """A stdio server that is already there: in the image, or on this machine."""

    command: Annotated[tuple[Argument, ...], Field(min_length=1, max_length=65)] = Field(
        description="Program and arguments; no shell is involved."
    )


class PythonSource(Model):
    """A Python server that runs inside the hosting replica, with no process of its own."""

    app: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$", max_length=253)] = (
        Field(
            description="`module:attribute` of an `MCPServer`, a `FastMCP`, or a function that returns one of them."
        )
    )


class Header(Model):
    """One HTTP header for a remote server."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=128)]
    value: LongText | None = Field(default=None, description="Literal value.")
    secret_key_ref: SecretKeyRef | None = Field(default=None, description="Value from a Secret.")


class RemoteSource(Model):
    """A server that runs elsewhere and speaks Streamable HTTP."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2048)]
    headers_from: Annotated[tuple[Header, ...], Field(max_length=32)] = Field(
        default=(), description="Headers to send with each request, such as an Authorization header."
    )


class EnvVar(Model):
    """One environment variable of a server."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
    value: LongText | None = Field(default=None, description="Literal value.")
    secret_key_ref: SecretKeyRef | None = Field(default=None, description="Value from a Secret.")


class Isolation(StrEnum):
    """Who shares a running instance of a server."""

    SHARED = "Shared"
    PER_SESSION = "PerSession"
    PER_PRINCIPAL = "PerPrincipal"


class ToolRename(Model):
    """One tool under another name."""

    name: ToolName = Field(description="The server's own name for the tool.")
    to: ToolName = Field(description="The name that clients see.")


class ToolFilter(Model):
    """Which tools of a server clients see, and under which names. Patterns are globs (`read_*`)."""

    include: Annotated[tuple[ToolName, ...], Field(max_length=256)] = Field(
        default=(), description="Globs of tools to offer; empty offers all."
    )
    exclude: Annotated[tuple[ToolName, ...], Field(max_length=256)] = Field(
        default=(), description="Globs of tools to leave out; wins over include."
    )
    rename: Annotated[tuple[ToolRename, ...], Field(max_length=256)] = Field(
        default=(), description="Other names for single tools."
    )


class Resources(Model):
    """What one replica of a server needs."""

    cpu: Annotated[float, Field(ge=0, le=256)] | None = Field(default=None, description="CPU cores.")
    memory: Quantity | None = Field(default=None, description="Memory, such as 4Gi.")
    gpu: Annotated[float, Field(ge=0, le=64)] | None = Field(
        default=None, description="GPUs; a fraction shares one."
    )


class Scaling(Model):
    """How many replicas a server has, and when it sleeps."""

    min_replicas: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0, description="0 lets an idle server sleep; 1 or more keeps it warm."
    )
    max_replicas: Annotated[int, Field(ge=1, le=1000)] = Field(default=1, description="Upper bound.")
    target_ongoing_requests: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=16, description="Calls in progress per replica that scaling aims at."
    )
    idle_after: Duration = Field(default="10m", description="How long without a call until a server sleeps.")


class Server(Model):
    """One MCP server. Exactly one of npm, pypi, command, python and remote says where it comes from."""

    name: Name = Field(description="Its name in the fleet: in URLs, in tool prefixes, in status.")
    npm: NpmSource | None = None
    pypi: PypiSource | None = None
    command: CommandSource | None = None
    python: PythonSource | None = None
    remote: RemoteSource | None = None
    env: Annotated[tuple[EnvVar, ...], Field(max_length=128)] = Field(
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
    resources: Resources = Field(default=Resources(), description="What the server needs.")
    hosting: Literal["Shared", "Dedicated"] = Field(
        default="Shared",
        description="Shared packs the server with others; Dedicated gives it a Serve application of its own.",
    )
    node_pool: Name | None = Field(default=None, description="The node pool to run on; see spec.nodePools.")
    scaling: Scaling = Field(default=Scaling(), description="Replicas and sleep.")
    volumes: Annotated[tuple[Name, ...], Field(max_length=32)] = Field(
        default=(), description="Names of spec.volumes that the server uses."
    )

    @property
    def source(self) -> NpmSource | PypiSource | CommandSource | PythonSource | RemoteSource:
        """The one source that is set."""
        for source in (self.npm, self.pypi, self.command, self.python, self.remote):
            if source is not None:
                return source
        raise AssertionError(self.name)

    @model_validator(mode="after")
    def _has_exactly_one_source(self) -> Self:
        given = [
            name for name in ("npm", "pypi", "command", "python", "remote") if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise ValueError(
                "exactly one of npm, pypi, command, python and remote must be set, "
                + (f"not {' and '.join(given)}" if given else "and none is")
            )
        return self
