"""`mcpfleet render`: what the operator would apply for a fleet, without a cluster."""

from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mcpfleet_api.base import Cloud
from mcpfleet_api.fleet import MCPFleet
from mcpfleet_cli.failure import ExitCode, Failure
from mcpfleet_cli.fleet_file import dotted
from mcpfleet_cli.local_fleet import read
from mcpfleet_cli.output import Output, print_data
from mcpfleet_cli.yaml_document import dump
from mcpfleet_operator.render.fleet import Refused
from mcpfleet_operator.render.fleet import render as rendered
from mcpfleet_operator.render.target import Target
from mcpfleet_operator.world import Member

DEFAULT_IMAGE: Final = f"mcpfleet/serve:{version('mcpfleet')}"


class Format(StrEnum):
    """How the objects are printed: as `kubectl` takes them."""

    YAML = "yaml"
    JSON = "json"


def render(  # noqa: PLR0917 - typer's way to say options
    file: Annotated[Path, typer.Argument(help="Fleet file; - reads standard input.", show_default=False)],
    cloud: Annotated[
        Cloud | None, typer.Option(help="Cloud to render for; left out, the fleet's own.", show_default=False)
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Namespace; left out, the fleet's own.", show_default=False),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(help="Region of the cluster, for volumes that name regions.", show_default=False),
    ] = None,
    image: Annotated[str, typer.Option(help="Image for a fleet that names none.")] = DEFAULT_IMAGE,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print.")] = Format.YAML,
) -> None:
    """Print the objects that the operator would apply for a fleet.

    No cluster is asked, and none is changed. Ray's token is not among them: the operator makes it once, and nobody
    prints it. Exits with 2 when the file has mistakes or asks for what cannot be.
    """
    fleet = read(file)
    target = Target(_in_namespace(fleet, namespace), Member(cloud or fleet.spec.cloud, region=region), image)
    try:
        objects = rendered(target)
    except Refused as refused:
        details = tuple(f"{file}: error: {dotted(('spec', *path))}: {said}" for path, said in refused.faults)
        raise Failure(f"this fleet cannot run on {target.profile.name}", ExitCode.BAD_INPUT, details) from None
    _print(objects, output)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(render)


def _in_namespace(fleet: MCPFleet, namespace: str | None) -> MCPFleet:
    if namespace is None:
        return fleet
    return fleet.model_copy(update={"metadata": fleet.metadata.model_copy(update={"namespace": namespace})})


def _print(objects: list[dict[str, Any]], output: Format) -> None:
    if output is Format.JSON:
        print_data({"apiVersion": "v1", "kind": "List", "items": objects}, Output.JSON)
    else:
        typer.echo("---\n".join(dump(each) for each in objects), nl=False)
