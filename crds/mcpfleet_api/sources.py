"""Where a server comes from, and the values that it is given."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from mcpfleet_api.base import Bool, Keyed, LongText, Model, SecretKeyRef, Shape, ShortText
from mcpfleet_api.rules import exactly_one_of

# A range, a tag or "latest" would make two starts of one fleet differ.
NpmVersion = Annotated[
    str,
    StringConstraints(max_length=64),
    Shape(
        r"^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$",
        'is not exact; write the exact version, such as "2026.8.31"',
    ),
]
PypiVersion = Annotated[
    str,
    StringConstraints(max_length=64),
    Shape(
        r"^([0-9]+!)?[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?(\+[0-9A-Za-z.]+)?$",
        'is not exact; write the exact version, such as "2026.10.19"',
    ),
]
Argument = Annotated[str, StringConstraints(max_length=4096)]
Arguments = Annotated[tuple[Argument, ...], Field(max_length=64)]


class NpmSource(Model):
    """A stdio server from the npm registry, installed ahead and run by Node directly."""

    package: Annotated[
        str,
        StringConstraints(min_length=1, max_length=214),
        Shape(
            r"^(@[a-z0-9~][-a-z0-9._~]*/)?[a-z0-9~][-a-z0-9._~]*$",
            'is no npm package; write its name alone, such as "@modelcontextprotocol/server-memory"',
        ),
    ] = Field(description='Package name, such as "@modelcontextprotocol/server-filesystem".')
    version: NpmVersion = Field(description="Exact version, such as 2026.8.31.")
    args: Arguments = Field(default=(), description="Arguments of the server.")
    entry_point: ShortText | None = Field(
        default=None, description="Which of the package's commands (`bin`) to run, when it has several."
    )
    allow_scripts: Bool = Field(
        default=False, description="Let the package and its dependencies run their npm install scripts."
    )


class PypiSource(Model):
    """A stdio server from PyPI, installed ahead into a virtual environment of its own."""

    package: Annotated[
        str,
        StringConstraints(min_length=1, max_length=214),
        Shape(
            r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9._,-]+\])?$",
            'is no PyPI package; write its name alone, such as "mcp-server-time"',
        ),
    ] = Field(description='Package name, extras allowed, such as "mcp-server-time".')
    version: PypiVersion = Field(description="Exact version, such as 2026.10.19.")
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

    app: Annotated[
        str,
        StringConstraints(min_length=3, max_length=253),
        Shape(
            r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$",
            'names no Python object; write "module:attribute", such as "acme.servers:build"',
        ),
    ] = Field(
        description="`module:attribute` of an `MCPServer`, a `FastMCP`, or a function that returns one of them."
    )


class Header(Model):
    """One HTTP header for a remote server: a literal value, or one from a Secret."""

    rules: ClassVar = (exactly_one_of("value", "secretKeyRef"),)

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=128),
        Shape(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", 'is no header name; write it such as "Authorization"'),
    ] = Field(description="Name of the header.")
    value: LongText | None = Field(default=None, description="Literal value.")
    secret_key_ref: SecretKeyRef | None = Field(default=None, description="Value from a Secret.")


class RemoteSource(Model):
    """A server that runs elsewhere and speaks Streamable HTTP."""

    url: Annotated[
        str,
        StringConstraints(max_length=2048),
        Shape(r"^https?://[!-~]+$", 'is no HTTP address; write it such as "https://mcp.example.com/mcp"'),
    ] = Field(description="Address of its MCP endpoint.")
    headers_from: Annotated[tuple[Header, ...], Field(max_length=32), Keyed()] = Field(
        default=(), description="Headers to send with each request, such as an Authorization header."
    )


class EnvVar(Model):
    """One environment variable of a server: a literal value, or one from a Secret."""

    rules: ClassVar = (exactly_one_of("value", "secretKeyRef"),)

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=128),
        Shape(
            r"^[A-Za-z_][A-Za-z0-9_]*$",
            'is no variable name; write letters, digits and "_", such as "API_TOKEN"',
        ),
    ] = Field(description="Name of the variable.")
    value: LongText | None = Field(default=None, description="Literal value.")
    secret_key_ref: SecretKeyRef | None = Field(default=None, description="Value from a Secret.")
