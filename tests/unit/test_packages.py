"""The package cache's pure parts: keys, the choice of a command, manifests, and what never reaches a message."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpfleet_api.server import NpmSource
from mcpfleet_serve.packages.cache import baked_caches, choose, key_of
from mcpfleet_serve.packages.errors import PackageError, Reason
from mcpfleet_serve.packages.installer import last_lines, redacted
from mcpfleet_serve.packages.manifest import Command, Manifest, read
from mcpfleet_serve.packages.node import Node
from mcpfleet_serve.packages.npm import NpmRecipe

IDENTITY = {"kind": "npm", "package": "@scope/server", "version": "1.2.3", "node": "24", "allowScripts": "false"}
RECIPE = NpmRecipe(NpmSource(package="@scope/my-server", version="1.2.3"), Node(Path("/opt/node"), "24.1.0"))


def command(name: str) -> Command:
    return Command(name=name, file=name, runner="node", size=1)


@pytest.mark.parametrize("part", sorted(IDENTITY))
def test_whatever_changes_the_outcome_changes_the_key(part):
    assert key_of(IDENTITY) != key_of({**IDENTITY, part: IDENTITY[part] + "0"})


@given(st.dictionaries(st.sampled_from(sorted(IDENTITY)), st.text(max_size=300)))
def test_any_key_is_one_safe_path_segment(changes):
    key = key_of({**IDENTITY, **changes})
    assert len(key) <= 113
    assert key not in {".", ".."}
    assert set(key) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")


def test_the_order_of_an_identity_does_not_matter():
    assert key_of(IDENTITY) == key_of(dict(reversed(IDENTITY.items())))


def test_the_only_command_is_the_one_to_run():
    assert choose([command("other")], RECIPE, None).name == "other"


def test_of_several_commands_the_one_named_like_the_package_runs():
    assert choose([command("admin"), command("my_server")], RECIPE, None).name == "my_server"


def test_an_entry_point_picks_one_of_several_commands():
    assert choose([command("admin"), command("my-server")], RECIPE, "admin").name == "admin"


def test_several_commands_of_other_names_are_ambiguous_and_named():
    with pytest.raises(PackageError, match="one of admin, run") as raised:
        choose([command("admin"), command("run")], RECIPE, None)
    assert raised.value.reason is Reason.AMBIGUOUS_ENTRY_POINT


def test_an_unknown_entry_point_is_answered_with_those_that_exist():
    with pytest.raises(PackageError, match="no command 'serve'; it offers admin, run") as raised:
        choose([command("admin"), command("run")], RECIPE, "serve")
    assert raised.value.reason is Reason.NO_ENTRY_POINT


def test_a_library_has_no_entry_point():
    with pytest.raises(PackageError, match="is a library") as raised:
        choose([], RECIPE, None)
    assert raised.value.reason is Reason.NO_ENTRY_POINT


@pytest.mark.parametrize(
    ("name", "text", "runner", "options"),
    [
        ("run", "#!/usr/bin/env node\n", "node", ()),
        ("run", "#!/usr/bin/env -S node --no-warnings\n", "node", ("--no-warnings",)),
        ("run", "#!/usr/local/bin/node --experimental-x\n", "node", ("--experimental-x",)),
        ("run.mjs", "import 'x'\n", "node", ()),
        ("run", "#!/bin/sh\n'''exec' \"$(dirname -- \"$0\")\"/'python' \"$0\" \"$@\"\n' '''\n", "python", ()),
        ("run", "#!/some/where/bin/python3.12\n", "python", ()),
        ("run", "#!/bin/sh\necho hello\n", "itself", ()),
        ("run", "#!\n", "itself", ()),
        ("run", "\x7fELF\x02\x01\x01", "itself", ()),
        ("run", "", "itself", ()),
    ],
)
def test_a_program_runs_the_way_its_first_line_asks_for(tmp_path, name, text, runner, options):
    (tmp_path / name).write_text(text)
    made = Command.of("x", tmp_path / name, tmp_path)
    assert (made.runner, made.options, made.file) == (runner, options, name)


@given(st.binary(max_size=600))
def test_no_first_line_is_too_strange_to_read(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("program")
    (folder / "run").write_bytes(content)
    assert Command.of("run", folder / "run", folder).size == len(content)


def test_a_folder_without_a_manifest_is_not_whole(tmp_path):
    assert read(tmp_path) is None
    assert read(tmp_path / "nowhere") is None


def test_a_folder_is_whole_until_one_of_its_programs_is_damaged(tmp_path):
    program = tmp_path / "run.js"
    program.write_text("1\n")
    manifest = Manifest(identity=IDENTITY, commands=(Command.of("run", program, tmp_path),))
    manifest.write(tmp_path)
    assert read(tmp_path) == manifest
    program.write_text("")
    assert read(tmp_path) is None
    program.unlink()
    assert read(tmp_path) is None


@given(st.binary(max_size=200))
def test_no_manifest_is_too_broken_to_be_refused(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("folder")
    (folder / "mcpfleet-package.json").write_bytes(content)
    assert read(folder) is None


def test_a_virtual_environment_without_its_python_is_not_whole(tmp_path):
    script = tmp_path / "bin" / "server"
    script.parent.mkdir()
    script.write_text("#!/usr/bin/python\n")
    (tmp_path / "bin" / "python").symlink_to(tmp_path / "gone")
    Manifest(identity=IDENTITY, commands=(Command.of("server", script, tmp_path),)).write(tmp_path)
    assert read(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        "GET https://me:s3cr3tvalue@registry.example/simple/ failed",
        "//registry.example/:_authToken=s3cr3tvalue",
        "password = s3cr3tvalue",
        "Authorization: Bearer s3cr3tvalue",
        "Authorization: Basic s3cr3tvalue",
        "got npm_s3cr3tvalues3cr3tvalue in a header",
        "got pypi-s3cr3tvalues3cr3tvalue in a header",
    ],
)
def test_credentials_never_reach_a_message(text):
    assert "s3cr3tvalue" not in redacted(text)


def test_a_message_without_credentials_stays_as_it_is():
    text = "npm error 404 Not Found - GET https://registry.example/no-such-package"
    assert redacted(text) == text


def test_the_last_lines_fit_on_one_line():
    assert last_lines("a\n\n  b  \nc\n", 2) == "b; c"


def test_baked_caches_are_a_list_of_folders():
    assert baked_caches({}) == ()
    assert baked_caches({"MCPFLEET_PACKAGES": "/a:/b:"}) == (Path("/a"), Path("/b"))
