"""What is built once and kept, outside the checkout: entries that are whole or not there.

An entry is made in a folder beside its place and moved there when it is complete, under a lock that other runs
wait for. Its manifest has the SHA-256 of each file, so that a damaged entry is noticed and made anew. Of kinds that
change with the sources only the last few entries are kept, and those that a run still uses.
"""

import atexit
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from cluster.progress import say

MANIFEST = ".manifest.json"
# Entries of bounded kinds that this process uses: while it holds their locks, no other run removes them.
_held: dict[Path, IO[str]] = {}


@atexit.register
def _let_go() -> None:
    for lock in _held.values():
        lock.close()


def root() -> Path:
    """The folder of everything that the tool keeps."""
    base = os.environ.get("MCPFLEET_CACHE")
    if not base:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcpfleet"
    return Path(base).absolute() / "cluster"


def digest(*parts: bytes | str) -> str:
    """A short name for exactly these inputs."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(f"{len(data)}:".encode() + data)
    return sha.hexdigest()[:16]


def entry(
    kind: str, name: str, build: Callable[[Path], None], *, checked: bool = True, kept: int | None = None
) -> Path:
    """The folder of an entry, built now unless it is there and whole.

    `checked=False` is for trees of very many files: of those only the number and the sizes are compared.
    `kept` bounds how many entries of a kind stay when a new one is made.
    """
    place = root() / kind / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(lock_of(place).open("w"))
        wait_for(lock, fcntl.LOCK_SH)
        if not is_whole(place):
            if held := _held.pop(place, None):
                held.close()
            wait_for(lock, fcntl.LOCK_EX)
            if not is_whole(place):
                make(place, build, checked=checked)
            fcntl.flock(lock, fcntl.LOCK_SH)
        os.utime(place)
        if kept is not None:
            if place not in _held:
                _held[place] = lock
                stack.pop_all()  # it stays open
            prune(kind, kept)
    return place


def make(place: Path, build: Callable[[Path], None], *, checked: bool) -> None:
    """Build an entry; its lock is held."""
    if place.exists():
        shutil.rmtree(place)
    # The name is fixed, so that what a crashed build left is swept by the next one.
    made = place.with_name(f".{place.name}.part")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        build(made)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    manifest = fingerprints(made) if checked else {"": sizes(made)}
    (made / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
    made.rename(place)


def prune(kind: str, kept: int) -> None:
    """Remove all but the last entries of a kind, except those that a run still holds."""
    for old in entries(kind)[kept:]:
        with lock_of(old).open("w") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old)


def newest(kind: str) -> Path | None:
    """The entry of a kind that was used last; this process holds it from now on."""
    for place in entries(kind):
        if place not in _held:
            lock = lock_of(place).open("w")
            fcntl.flock(lock, fcntl.LOCK_SH)
            if not place.exists():
                lock.close()  # removed meanwhile
                continue
            _held[place] = lock
        return place
    return None


def entries(kind: str) -> list[Path]:
    """All of a kind, the one used last first."""
    places = [path for path in (root() / kind).glob("[!.]*") if path.is_dir()]
    return sorted(places, key=lambda path: path.stat().st_mtime, reverse=True)


def is_whole(place: Path) -> bool:
    if not place.exists():
        return False
    damage = what_is_damaged(place)
    if damage:
        say(f"the cache entry {place} is damaged ({damage}); building it anew")
    return damage is None


def what_is_damaged(place: Path) -> str | None:
    try:
        manifest: dict[str, str] = json.loads((place / MANIFEST).read_text())
    except (OSError, ValueError):
        return "its manifest cannot be read"
    if "" in manifest:
        return None if sizes(place) == manifest[""] else "files are missing or cut short"
    for name, expected in manifest.items():
        path = place / name
        if not path.is_file():
            return f"{name} is missing"
        if fingerprint(path) != expected:
            return f"{name} is not as it was built"
    return None


def fingerprints(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): fingerprint(path) for path in found}


def sizes(folder: Path) -> str:
    """The number of files in a tree, and their bytes."""
    number = total = 0
    folders = [str(folder)]
    while folders:
        with os.scandir(folders.pop()) as found:
            for each in found:
                if each.is_dir(follow_symlinks=False):
                    folders.append(each.path)
                elif each.name != MANIFEST:
                    number += 1
                    total += each.stat(follow_symlinks=False).st_size
    return f"{number} files, {total} bytes"


def fingerprint(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that other processes honour; it goes with the process, however that ends."""
    with path.open("w") as opened:
        wait_for(opened, fcntl.LOCK_EX)
        yield


def lock_of(place: Path) -> Path:
    return place.with_name(f".{place.name}.lock")


def wait_for(lock: IO[str], how: int) -> None:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for another run that holds {lock.name}")
        fcntl.flock(lock, how)
