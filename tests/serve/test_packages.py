"""The package cache on the real registries: what it installs runs, and what fails says why."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import uvloop

from mcpfleet_api.server import NpmSource, PypiSource
from mcpfleet_serve.packages import Installed, PackageError, Reason, bundle, install

pytestmark = pytest.mark.serve

TIME = PypiSource(package="mcp-server-time", version="2026.10.19")
GIT = PypiSource(package="mcp-server-git", version="2026.10.19")
EVERYTHING = NpmSource(package="@modelcontextprotocol/server-everything", version="2026.8.31")
MEMORY = NpmSource(package="@modelcontextprotocol/server-memory", version="2026.8.31")
SMALL = PypiSource(package="sqlparse", version="0.5.3")
# Its postinstall replaces the JavaScript launcher by the native program, which shows whether it ran.
WITH_SCRIPT = NpmSource(package="esbuild", version="0.25.9")


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """One cache for the tests that do not mind what else is in it."""
    return tmp_path_factory.mktemp("packages")


async def initialize(installed: Installed, *args: str) -> dict:
    """What the installed server answers to a real `initialize` on stdio."""
    process = await asyncio.create_subprocess_exec(
        *installed.argv,
        *args,
        env={**os.environ, **installed.env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    process.stdin.write(json.dumps(request).encode() + b"\n")
    async with asyncio.timeout(60):
        answer = json.loads(await process.stdout.readline())
        process.stdin.close()
        await process.wait()
    return answer


async def failure(source, cache: Path) -> PackageError:
    with pytest.raises(PackageError) as raised:
        await install(source, cache)
    return raised.value


@pytest.mark.parametrize("source", [TIME, GIT, EVERYTHING, MEMORY], ids=lambda source: source.package)
async def test_a_reference_server_installs_and_answers(source, cache):
    installed = await install(source, cache)
    answer = await initialize(installed)
    assert answer["id"] == 1
    assert answer["result"]["serverInfo"]["name"]
    assert installed.folder == cache / installed.key


async def test_a_package_is_run_by_its_interpreter_itself(cache):
    npm, pypi = await install(MEMORY, cache), await install(TIME, cache)
    assert [Path(part).name for part in npm.argv] == ["node", "index.js"]
    assert [Path(part).name for part in pypi.argv] == ["python", "mcp-server-time"]


async def test_a_second_start_asks_no_registry(cache, monkeypatch):
    first = await install(TIME, cache), await install(MEMORY, cache)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    said: list[str] = []
    assert (await install(TIME, cache, said.append), await install(MEMORY, cache, said.append)) == first
    assert said == []


def test_packages_install_on_uvloop_too(tmp_path):
    installed = uvloop.run(bundle([SMALL, MEMORY], tmp_path))
    assert all(isinstance(outcome, Installed) for outcome in installed.values())


async def test_two_tasks_install_a_package_once(tmp_path):
    said: list[str] = []
    one, other = await asyncio.gather(*(install(SMALL, tmp_path, said.append) for _ in range(2)))
    assert one == other
    assert sorted(said) == ["installing sqlparse==0.5.3", "waiting for another install of sqlparse==0.5.3"]


INSTALL = """
import asyncio, sys
from pathlib import Path
from mcpfleet_api.server import NpmSource, PypiSource
from mcpfleet_serve.packages import install
kind, package, version, cache = sys.argv[1:]
source = (NpmSource if kind == "npm" else PypiSource)(package=package, version=version)
asyncio.run(install(source, Path(cache), lambda text: print(text, flush=True)))
"""


def installer(kind: str, source, cache: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", INSTALL, kind, source.package, source.version, str(cache)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_two_processes_install_a_package_once(tmp_path):
    both = [installer("pypi", SMALL, tmp_path) for _ in range(2)]
    said = "".join(process.communicate(timeout=120)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said.count("installing ") == 1


async def test_an_install_that_was_killed_is_not_taken_for_whole(tmp_path):
    process = installer("npm", EVERYTHING, tmp_path)
    try:
        deadline = time.monotonic() + 60
        # Killed once npm writes packages, which it does at the very end.
        while not list(tmp_path.glob("*.partial/node_modules/*")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            await asyncio.sleep(0.005)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    (left,) = tmp_path.glob("*.partial")
    said: list[str] = []
    installed = await install(EVERYTHING, tmp_path, said.append)
    assert said == [f"installing {EVERYTHING.package}@{EVERYTHING.version}"]
    assert (await initialize(installed))["result"]
    assert not (left / "mcpfleet-package.json").exists()


async def test_a_cancelled_install_leaves_nothing(tmp_path):
    started = asyncio.Event()
    task = asyncio.create_task(install(EVERYTHING, tmp_path, lambda _: started.set()))
    await started.wait()
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {path.name for path in tmp_path.iterdir()} <= {".locks", ".downloads"}


async def test_what_a_dead_installer_left_is_removed(tmp_path):
    left = tmp_path / "pypi-gone-1.0-00.abcdefgh.partial"
    (left / "lib").mkdir(parents=True)
    await install(SMALL, tmp_path)
    assert not left.exists()


async def test_a_damaged_package_is_installed_again(tmp_path):
    first = await install(SMALL, tmp_path)
    Path(first.argv[1]).unlink()
    said: list[str] = []
    assert await install(SMALL, tmp_path, said.append) == first
    assert said == ["installing sqlparse==0.5.3"]
    assert Path(first.argv[1]).exists()


async def test_a_baked_package_runs_and_nothing_is_written(tmp_path, monkeypatch):
    baked = tmp_path / "baked"
    outcomes = await bundle([TIME, MEMORY, TIME], baked)
    assert list(outcomes) == [TIME, MEMORY]
    assert not (baked / ".downloads").exists()
    before = snapshot(baked)
    monkeypatch.setenv("MCPFLEET_PACKAGES", f"{tmp_path / 'none'}:{baked}")
    # No user, not even root, can make a folder there.
    nowhere = Path(os.devnull) / "packages"
    for source in (TIME, MEMORY):
        installed = await install(source, nowhere)
        assert installed == outcomes[source]
        assert (await initialize(installed))["result"]
    assert snapshot(baked) == before


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


async def test_a_bundle_reports_each_failure_and_goes_on(tmp_path):
    unknown = PypiSource(package="mcp-server-time", version="1.2.3.4")
    outcomes = await bundle([unknown, SMALL], tmp_path)
    assert isinstance(outcomes[SMALL], Installed)
    assert isinstance(outcomes[unknown], PackageError)


async def test_a_cache_that_cannot_be_written_says_so(tmp_path):
    error = await failure(SMALL, Path(os.devnull) / "packages")
    assert error.reason is Reason.CACHE_UNUSABLE
    assert "mcpfleet bundle" in error.message


async def test_an_unknown_npm_package_is_named(cache):
    error = await failure(NpmSource(package="@modelcontextprotocol/server-nothing", version="1.0.0"), cache)
    assert error.reason is Reason.PACKAGE_NOT_FOUND
    assert "@modelcontextprotocol/server-nothing" in error.message


async def test_an_unknown_npm_version_is_answered_with_the_newest(cache):
    error = await failure(NpmSource(package=MEMORY.package, version="99.0.0"), cache)
    assert error.reason is Reason.VERSION_NOT_FOUND
    assert "2026." in error.message


async def test_an_unknown_pypi_package_is_named(cache):
    error = await failure(PypiSource(package="mcp-server-nothing-of-that-name", version="1.0.0"), cache)
    assert error.reason is Reason.PACKAGE_NOT_FOUND
    assert "mcp-server-nothing-of-that-name" in error.message


async def test_an_unknown_pypi_version_is_answered_with_the_newest(cache):
    error = await failure(PypiSource(package="mcp-server-time", version="99.0.0"), cache)
    assert error.reason is Reason.VERSION_NOT_FOUND
    assert "2026." in error.message


async def test_a_wrong_entry_point_is_answered_with_the_right_ones(cache):
    wrong = TIME.model_copy(update={"entry_point": "time-server"})
    error = await failure(wrong, cache)
    assert error.reason is Reason.NO_ENTRY_POINT
    assert "mcp-server-time" in error.message


async def test_a_library_is_no_server(cache):
    error = await failure(NpmSource(package="left-pad", version="1.3.0"), cache)
    assert error.reason is Reason.NO_ENTRY_POINT


@pytest.mark.parametrize("source", [TIME, MEMORY], ids=["pypi", "npm"])
async def test_a_registry_out_of_reach_is_told_apart_and_keeps_its_password(source, tmp_path, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://me:s3cr3t@127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("npm_config_registry", "http://me:s3cr3t@127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    error = await failure(source, tmp_path)
    assert error.reason is Reason.OFFLINE
    assert "s3cr3t" not in str(error)


async def test_uv_offline_is_honoured(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert (await failure(SMALL, tmp_path)).reason is Reason.OFFLINE


async def test_install_scripts_run_only_when_allowed(tmp_path):
    without, with_scripts = await asyncio.gather(
        install(WITH_SCRIPT, tmp_path),
        install(WITH_SCRIPT.model_copy(update={"allow_scripts": True}), tmp_path),
    )
    assert [Path(part).name for part in without.argv] == ["node", "esbuild"]
    assert [Path(part).name for part in with_scripts.argv] == ["esbuild"]
    version = subprocess.run([*with_scripts.argv, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.strip() == WITH_SCRIPT.version


async def test_without_a_new_enough_node_npm_servers_say_what_to_install(tmp_path, monkeypatch):
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v18.20.0\n")
    old.chmod(0o755)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    error = await failure(MEMORY, tmp_path)
    assert error.reason is Reason.NODE_MISSING
    assert f"{old} is 18.20.0" in error.message
    assert "mcpfleet[node]" in error.message
