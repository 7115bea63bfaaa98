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


def entry(kind: str, name: str, build: Callable[[Path], None], *, checked: bool = True) -> Path:
    """The folder of an entry, built now unless it is there and whole.

    `checked=False` is for trees of many small files that tell by themselves when something is missing.
    """
    place = root() / kind / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.with_name(f".{name}.lock")):
        if place.exists():
            damage = what_is_damaged(place) if checked else None
            if damage is None:
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
        manifest = {str(path.relative_to(made)): fingerprint(path) for path in files(made)} if checked else {}
        (made / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
        made.rename(place)
    return place


def what_is_damaged(place: Path) -> str | None:
    try:
        manifest: dict[str, str] = json.loads((place / MANIFEST).read_text())
    except (OSError, ValueError):
        return "its manifest cannot be read"
    for name, expected in manifest.items():
        path = place / name
        if not path.is_file():
            return f"{name} is missing"
        if fingerprint(path) != expected:
            return f"{name} is not as it was built"
    return None


def files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


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
