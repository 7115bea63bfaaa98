"""The `mcpfleet` program."""

import sys
from importlib import import_module, metadata
from typing import Annotated, Any, Final, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from mcpfleet_cli.failure import Failure

VERBS: Final = {
    "up": "Run a fleet on this machine until Ctrl-C.",
    "status": "Show the servers of a running fleet: state, tools, and what is wrong.",
    "tools": "List the tools of a fleet, or of one server, with their arguments.",
    "call": "Call one tool and print its result; exits with 1 when the tool reports an error.",
    "logs": "Show the last lines that a server wrote to its stderr.",
    "down": "End a fleet of this machine, and clean up after runs that were killed.",
    "validate": "Check fleet files without a cluster: every mistake with its line, and what to write.",
    "render": "Print the objects that the operator would apply for a fleet.",
    "bundle": "Install the packages of a fleet ahead of time, without running anything of them.",
}


class _Verb(TyperCommand):
    """A verb whose module is imported only when it is used: `--help` and completion answer at once."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        app = typer.Typer()
        import_module(f"mcpfleet_cli.{self.name}").register(app)
        return get_command(app).make_context(info_name, args, parent, **extra)


class _Verbs(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - likewise
        return _Verb(name=cmd_name, help=VERBS[cmd_name]) if cmd_name in VERBS else None


app = typer.Typer(
    name="mcpfleet",
    cls=_Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mcpfleet {metadata.version('mcpfleet')}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Run MCP servers for AI agents: on this machine with `up`, on Kubernetes with the operator."""


def main() -> None:
    """Run the program; never shows a traceback for what a person can mend."""
    try:
        app()
    except Failure as failure:
        print(*failure.details, f"mcpfleet: {failure.message}", sep="\n", file=sys.stderr)
        sys.exit(cast("int", failure.code))


if __name__ == "__main__":
    main()
