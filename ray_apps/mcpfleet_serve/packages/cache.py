"""The cache: one folder per package, named by the hash of everything that determines what lands in it."""

import asyncio
import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from weakref import WeakKeyDictionary

from filelock import AsyncFileLock, FileLock, Timeout

from mcpfleet_api.sources import NpmSource, PypiSource
from mcpfleet_serve.packages.errors import PackageError, Reason
from mcpfleet_serve.packages.manifest import Command, Manifest, identity_text, read
from mcpfleet_serve.packages.npm import NpmRecipe
from mcpfleet_serve.packages.pypi import PypiRecipe

PackageSource = NpmSource | PypiSource
Progress = Callable[[str], None]

# A change in how folders are laid out makes new keys, so old and new versions share one cache.
LAYOUT = "1"
PARTIAL = ".partial"
# Installers wait for the network most of the time; more at once only fight for the disk.
AT_ONCE = 3


@dataclass(frozen=True)
class Installed:
    """A package that is ready to run."""

    argv: tuple[str, ...]
    """The program and what it needs before the server's own arguments."""
    env: Mapping[str, str]
    """What to lay over the environment of the process."""
    folder: Path
    key: str


class Recipe(Protocol):
    """One way to get a package into a folder and to run it from there."""

    @property
    def label(self) -> str: ...
    @property
    def default_command(self) -> str: ...
    @property
    def identity(self) -> dict[str, str]: ...
    async def fetch(self, folder: Path, downloads: Path) -> tuple[Command, ...]: ...
    def argv(self, folder: Path, command: Command) -> tuple[str, ...]: ...
    def env(self, folder: Path) -> Mapping[str, str]: ...


def baked_caches(environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The caches that `MCPFLEET_PACKAGES` lists: looked into first, never written to."""
    return tuple(Path(part) for part in environment.get("MCPFLEET_PACKAGES", "").split(os.pathsep) if part)


async def install(
    source: PackageSource,
    cache: Path,
    on_progress: Progress = lambda _: None,
    *,
    baked: Sequence[Path] | None = None,
) -> Installed:
    """The command that runs the package, from the first cache that has it whole, installed into `cache` otherwise.

    Of all tasks and processes that share a cache one at a time installs a given package; the others wait and find
    it done. An install that was interrupted leaves nothing that could be taken for a package.

    Raises:
        PackageError: the package cannot be installed, or has no such command.
    """
    recipe = await _recipe(source)
    key = key_of(recipe.identity)
    for folder in [cache / key for cache in (*(baked_caches() if baked is None else baked), cache)]:
        if manifest := await asyncio.to_thread(read, folder):
            break
    else:
        folder = cache / key
        manifest = await _install_once(recipe, folder, on_progress)
    command = choose(manifest.commands, recipe, source.entry_point)
    return Installed(recipe.argv(folder, command), recipe.env(folder), folder, key)


async def bundle(
    sources: Iterable[PackageSource],
    cache: Path,
    on_progress: Callable[[PackageSource, str], None] = lambda _, __: None,
) -> dict[PackageSource, Installed | PackageError]:
    """Install every package into a cache that an image or an air-gapped machine reads; what became of each.

    Name the folder in `MCPFLEET_PACKAGES` there. The machine needs the same platform, Node and Python.
    """

    async def one(source: PackageSource) -> Installed | PackageError:
        try:
            return await install(source, cache, lambda text: on_progress(source, text), baked=())
        except PackageError as error:
            return error

    wanted = list(dict.fromkeys(sources))
    outcomes = await asyncio.gather(*(one(source) for source in wanted))
    await asyncio.to_thread(shutil.rmtree, _downloads(cache), ignore_errors=True)
    return dict(zip(wanted, outcomes, strict=True))


def key_of(identity: Mapping[str, str]) -> str:
    """The name of a package's folder: readable at its start, unique in its end."""
    whole = {**identity, "platform": sys.platform, "machine": platform.machine(), "layout": LAYOUT}
    digest = hashlib.sha256(identity_text(whole).encode()).hexdigest()
    readable = f"{identity['kind']}-{identity['package']}-{identity['version']}"
    return f"{re.sub('[^A-Za-z0-9.-]+', '-', readable)[:80]}-{digest[:32]}"


def choose(commands: Sequence[Command], recipe: Recipe, wanted: str | None) -> Command:
    """The command that `wanted` names; by default the only one, or the one named like the package."""
    names = ", ".join(command.name for command in commands)
    if not commands:
        raise PackageError(
            Reason.NO_ENTRY_POINT, f"{recipe.label} is a library: it offers no command to run as a server"
        )
    if wanted is not None:
        for command in commands:
            if command.name == wanted:
                return command
        raise PackageError(Reason.NO_ENTRY_POINT, f"{recipe.label} has no command {wanted!r}; it offers {names}")
    if len(commands) == 1:
        return commands[0]
    for command in commands:
        if _same_name(command.name, recipe.default_command):
            return command
    raise PackageError(
        Reason.AMBIGUOUS_ENTRY_POINT, f"{recipe.label} offers several commands; set entryPoint to one of {names}"
    )


async def _recipe(source: PackageSource) -> Recipe:
    if isinstance(source, NpmSource):
        return await NpmRecipe.prepare(source)
    return await PypiRecipe.prepare(source)


async def _install_once(recipe: Recipe, folder: Path, on_progress: Progress) -> Manifest:
    cache = folder.parent
    try:
        await asyncio.to_thread(_prepare, cache)
        lock = AsyncFileLock(_lock_of(folder))
        try:
            await lock.acquire(blocking=False)
        except Timeout:
            on_progress(f"waiting for another install of {recipe.label}")
            await lock.acquire()
        try:
            if manifest := await asyncio.to_thread(read, folder):
                return manifest
            async with _turnstile():
                on_progress(f"installing {recipe.label}")
                return await _fetch(recipe, folder)
        finally:
            await lock.release()
    except OSError as error:
        raise PackageError(
            Reason.CACHE_UNUSABLE,
            f"{recipe.label} is not installed yet, and the cache {cache} cannot take it ({error.strerror});"
            " name a cache that is writable, or install ahead with `mcpfleet bundle`",
        ) from error


async def _fetch(recipe: Recipe, folder: Path) -> Manifest:
    # A name that nobody had before: npm may outlive an installer that was killed, and write on into its folder.
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=PARTIAL, dir=folder.parent))
    try:
        manifest = Manifest(
            identity=recipe.identity, commands=await recipe.fetch(partial, _downloads(folder.parent))
        )
        await asyncio.to_thread(_publish, manifest, partial, folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
    return manifest


def _publish(manifest: Manifest, partial: Path, folder: Path) -> None:
    """Give a finished install its name, in one step."""
    manifest.write(partial)
    partial.chmod(0o755)  # mkdtemp's folder is for its owner alone; an image runs as another user
    if folder.exists():  # damaged, or it would have been read
        folder.rename(Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=PARTIAL, dir=folder.parent)))
    partial.rename(folder)
    directory = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _prepare(cache: Path) -> None:
    """Make the cache's folders, and remove what dead installers left: a partial folder whose lock is free."""
    (cache / ".locks").mkdir(parents=True, exist_ok=True)
    for partial in cache.glob(f"*{PARTIAL}"):
        key = partial.name.removesuffix(PARTIAL).rpartition(".")[0]
        try:
            with FileLock(_lock_of(cache / key), blocking=False):
                shutil.rmtree(partial, ignore_errors=True)
        except Timeout:
            continue  # its installer is at work


def _lock_of(folder: Path) -> Path:
    return folder.parent / ".locks" / folder.name


def _downloads(cache: Path) -> Path:
    return cache / ".downloads"


_turnstiles: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def _turnstile() -> asyncio.Semaphore:
    """What lets a few installs through at once; a semaphore belongs to one event loop."""
    return _turnstiles.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))


def _same_name(one: str, other: str) -> bool:
    return one.lower().translate(_DASHES) == other.lower().translate(_DASHES)


_DASHES = str.maketrans("_.", "--")
