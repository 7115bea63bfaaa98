"""What is built once and kept, outside the checkout: entries that are whole or not there.

An entry is made in a folder beside its place and moved there when it is complete, under a lock that other runs
wait for. Its manifest has the size and SHA-256 of each file, so that a damaged entry is noticed and made anew.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from cluster.progress import say

MANIFEST = ".manifest.json"


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
    with locked(place.with_name(f".{name}.lock")):
        if place.exists():
            damage = what_is_damaged(place)
            if damage is None:
                os.utime(place)
                return place
            say(f"the cache entry {place} is damaged ({damage}); building it anew")
            shutil.rmtree(place)
        # The name is fixed, so that what a crashed build left is swept by the next one.
        made = place.with_name(f".{name}.part")
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
    if kept is not None:
        for old in entries(kind)[kept:]:
            shutil.rmtree(old)
    return place


def newest(kind: str) -> Path | None:
    """The entry of a kind that was used last."""
    return next(iter(entries(kind)), None)


def entries(kind: str) -> list[Path]:
    """All of a kind, the one used last first."""
    places = [path for path in (root() / kind).glob("[!.]*") if path.is_dir()]
    return sorted(places, key=lambda path: path.stat().st_mtime, reverse=True)


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
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that holds {path.name}")
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
