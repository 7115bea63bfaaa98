"""What the control plane hands to the Serve applications, and what they report back.

`HostArgs` are the arguments of a Serve application (a change restarts its replicas); `HostConfig` is its
`user_config` (a change restarts only the servers that it touches).
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mcpfleet_api.base import Model
from mcpfleet_api.server import Server


class HostArgs(Model):
    """Arguments of the hosting application."""

    fleet: str
    door_host: str = Field(default="0.0.0.0", description="Address that the door listens on.")  # noqa: S104
    door_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="Values of Host (without port) to accept; empty accepts any. A guard against DNS rebinding.",
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(), description="Values of Origin to accept beside those on an allowed host."
    )
    max_body_bytes: Annotated[int, Field(ge=1024)] = 4 * 1024 * 1024
    drain_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        default=10, description="How long calls in progress may take at the end of a replica."
    )
    base_folder: str | None = Field(
        default=None,
        description="Folder that relative commands and Python modules are found from: the fleet file's own.",
    )


class HostConfig(Model):
    """The servers that one hosting application hosts."""

    servers: tuple[Server, ...] = ()


class ServerState(StrEnum):
    """Where a server stands. Only Ready and Asleep answer calls at once or after a wake-up."""

    PENDING = "Pending"
    INSTALLING = "Installing"
    STARTING = "Starting"
    READY = "Ready"
    ASLEEP = "Asleep"
    FAILED = "Failed"


class ServerReport(Model):
    """One server's entry in `/-/fleet`."""

    name: str
    state: ServerState
    source: str = Field(description='What it runs, such as "pypi mcp-server-time==2026.10.19".')
    protocols: tuple[str, ...] = Field(default=(), description="Protocol versions that the server itself speaks.")
    tools: int = 0
    resources: int = 0
    prompts: int = 0
    children: tuple[int, ...] = Field(default=(), description="Process ids of its children.")
    sessions: int = Field(default=0, description="Legacy sessions that are open on it.")
    restarts: int = Field(default=0, description="Times that it was started again after it died.")
    calls: int = Field(default=0, description="Requests handed to it since the replica started.")
    reason: str = Field(default="", description="A CamelCase word for what is wrong, empty when nothing is.")
    message: str = Field(default="", description="What is wrong, for a person; with the last lines of stderr.")
    endpoint: str = Field(description="Path of its MCP endpoint.")


class FleetReport(Model):
    """The answer of `/-/fleet`."""

    fleet: str
    version: str = Field(description="Version of MCPFleet.")
    replica: str
    pid: int
    endpoint: str = Field(description="Path of the aggregated MCP endpoint.")
    servers: tuple[ServerReport, ...]
