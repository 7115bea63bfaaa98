"""What containerd keeps, filled with images ahead: a new node starts from a copy, not from an import.

A copy shares the files of the images by hard links, for they are never written to, and has databases of its own.
"""

import json
import shutil
import subprocess
import time
from pathlib import Path

from cluster import cache, commands
from cluster.images import Image
from cluster.progress import step

KIND = "stores"


def filled(images: list[Image]) -> Path:
    """A store with these images, made now unless the cache has it."""
    archives = {image.name: image.archive for image in images if image.archive}
    key = cache.digest(json.dumps({name: cache.fingerprint(archive) for name, archive in archives.items()}))

    def fill(into: Path) -> None:
        before = cache.newest(KIND)
        with step(f"unpacking {', '.join(archives)}"):
            if before:
                # An image that differs little from the last one then costs little more than the difference.
                copy(before, into)
                (into / cache.MANIFEST).unlink()
            run_containerd(into, list(archives.values()))

    return cache.entry(KIND, key, fill, kept=3)


def copy(store: Path, into: Path) -> None:
    commands.run(["cp", "--archive", "--link", f"{store}/.", str(into)])
    for database in into.rglob("*.db"):
        own = database.with_suffix(".copy")
        shutil.copy2(database, own)
        own.rename(database)


def run_containerd(root: Path, archives: list[Path]) -> None:
    """Run a containerd with this root for as long as it takes to import the images."""
    socket = root / "import.sock"
    config = root / "import.toml"
    config.write_text(
        f'version = 2\nroot = "{root}"\nstate = "{root / "import"}"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{socket}"\n'
    )
    # In a mount namespace of its own, so that no mount stays, and gone with this process, whatever happens.
    command = ["unshare", "--mount", "setpriv", "--pdeathsig", "KILL", "containerd", "--config", str(config)]
    with (root / "import.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as containerd:
        try:
            wait_for(socket, containerd)
            for archive in archives:
                ctr = ["ctr", "--address", str(socket), "--namespace", "k8s.io"]
                commands.run([*ctr, "images", "import", str(archive)])
        finally:
            containerd.terminate()
    for left in ("import.sock", "import.sock.ttrpc", "import.toml", "import.log", "import"):
        path = root / left
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def wait_for(socket: Path, containerd: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while not socket.exists():
        if containerd.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"containerd does not start:\n{(socket.parent / 'import.log').read_text()}")
        time.sleep(0.05)
