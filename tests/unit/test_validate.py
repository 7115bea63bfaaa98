"""`mcpfleet validate`, as people and programs call it."""

import json
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from mcpfleet_cli.validate import register

EXAMPLES = Path(__file__).parents[2] / "examples"


def validate(*arguments: str, stdin: str | None = None) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, arguments, input=stdin)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    file = tmp_path / "bad.yaml"
    file.write_text((EXAMPLES / "quickstart.yaml").read_text().replace("2026.10.19", "latest"))
    return file


def test_the_examples_are_valid():
    result = validate(*map(str, sorted(EXAMPLES.glob("*.yaml"))))
    assert result.exit_code == 0, result.output
    assert "quickstart.yaml: valid: 1 MCPFleet, 5 servers" in result.output


def test_a_mistake_exits_with_2_and_stands_on_one_line(bad: Path):
    result = validate(str(bad))
    assert result.exit_code == 2
    assert result.output == (
        f'{bad}:11:49: error: spec.servers[0].pypi.version: "latest" is not exact; write the exact version,'
        ' such as "2026.10.19"\n1 mistake\n'
    )


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_programs_get_the_findings_as_data(bad: Path, output: str, read):
    result = validate(str(bad), str(EXAMPLES / "azure.yaml"), "--output", output)
    assert result.exit_code == 2
    assert read(result.output) == {
        "valid": False,
        "fleets": 1,
        "clusters": 0,
        "others": 0,
        "findings": [
            {
                "file": str(bad),
                "line": 11,
                "column": 49,
                "path": "spec.servers[0].pypi.version",
                "message": '"latest" is not exact; write the exact version, such as "2026.10.19"',
            }
        ],
    }


def test_standard_input_is_checked():
    result = validate("-", stdin="kind: ConfigMap\napiVersion: v1\n")
    assert (result.exit_code, result.output) == (0, "-: nothing to check in it\n")


def test_a_missing_file_is_a_mistake():
    result = validate("no-such.yaml")
    assert result.exit_code == 2
    assert "no-such.yaml:1:1: error: cannot be read: No such file or directory" in result.output
