"""The documents say nothing that the checkout can show to be untrue."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcpfleet_cli.fleet_file import load
from mcpfleet_cli.main import VERBS
from mcpfleet_serve.packages.errors import Reason

ROOT = Path(__file__).parents[2]
PLACES = ("*.md", "docs/**/*.md", "examples/**/README.md", "tests/*/*.md")
DOCUMENTS = sorted(file for place in PLACES for file in ROOT.glob(place))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def prose(document: Path) -> str:
    return FENCE.sub("", document.read_text(encoding="utf-8"))


def blocks(document: Path, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(document.read_text(encoding="utf-8")) if kind == language]


def shell_commands(document: Path) -> Iterator[str]:
    for block in blocks(document, "sh"):
        yield from (line.partition(" #")[0].strip() for line in block.splitlines())
    yield from SPAN.findall(prose(document))


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_links_within_the_checkout_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", SPAN.sub("", prose(document))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@each_document
def test_commands_of_the_program_exist(document: Path) -> None:
    for command in shell_commands(document):
        for verb in re.findall(r"\bmcpfleet ([a-z][a-z-]*)", command):
            assert verb in VERBS, command


@each_document
def test_make_targets_exist(document: Path) -> None:
    makefiles = [ROOT / "Makefile", *ROOT.glob("*/targets.mk"), *ROOT.glob("tests/*/targets.mk")]
    targets = set(re.findall(r"^([a-z-]+):", "\n".join(file.read_text() for file in makefiles), re.MULTILINE))
    for command in shell_commands(document):
        if command.startswith("make "):
            asked = {word for word in command.split()[1:] if re.fullmatch("[a-z-]+", word)}
            assert asked <= targets, command


@each_document
def test_no_path_of_one_machine_is_named(document: Path) -> None:
    assert not re.search(r"(?<![\w.~])/(work|root|home|Users)/", document.read_text(encoding="utf-8"))


@each_document
def test_fleets_that_are_shown_are_valid(document: Path, tmp_path: Path) -> None:
    for block in blocks(document, "yaml"):
        if block.startswith("apiVersion: mcpfleet.dev/"):
            shown = tmp_path / "shown.yaml"
            shown.write_text(block, encoding="utf-8")
            assert not load(shown).findings


def test_every_reason_for_a_failure_has_its_line_in_troubleshooting() -> None:
    sources = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "ray_apps").rglob("*.py"))
    reasons = {*Reason, *re.findall(r'(?:ServerFailure\(|_end\(|"reason": )\s*"(\w+)"', sources)}
    explained = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    assert {reason for reason in reasons if f"`{reason}`" not in explained} == set()
