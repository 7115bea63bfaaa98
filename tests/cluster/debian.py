"""Programs that come from the machine's own packages: found, installed on Debian by root, or named as missing."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster import commands
from cluster.missing import Missing
from cluster.place import is_root
from cluster.progress import say, step

# A program, or a file, that shows whether a Debian package is there.
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}
NODE = ("containerd", "runc", "iptables", "ip", "nsenter", "/usr/lib/cni/bridge")
IMAGES = ("buildah", "debootstrap")
CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
POLICY = Path("/usr/sbin/policy-rc.d")


def require(needed: tuple[str, ...]) -> None:
    """See to it that these are there; else say plainly which package is missing and what to do."""
    packages = sorted({PACKAGES[each] for each in needed if not found(each)})
    if not packages:
        return
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
        raise Missing(f"the programs of Debian's packages {', '.join(packages)}: install them for this system")
    if not is_root():
        raise Missing(f"the packages {', '.join(packages)}: as root, `{command}`")
    if os.environ.get("MCPFLEET_APT") == "0":
        raise Missing(f"the packages {', '.join(packages)} (MCPFLEET_APT=0 forbids to install them): `{command}`")
    install(packages)


def found(needed: str) -> bool:
    if needed.startswith("/"):
        name = Path(needed).name
        return any((folder / name).exists() for folder in CNI_FOLDERS)
    # Debian keeps system programs where a person's PATH may not reach.
    return shutil.which(needed, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is not None


def cni_folder() -> Path:
    return next(folder for folder in CNI_FOLDERS if (folder / "bridge").exists())


def install(packages: list[str]) -> None:
    say(f"installing with apt-get, which MCPFLEET_APT=0 forbids: {', '.join(packages)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with step("apt-get"), no_services():
        for arguments in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *packages]):
            try:
                commands.run(["apt-get", *arguments], environment=environment)
            except RuntimeError as error:
                raise Missing(f"the packages {', '.join(packages)}; {error}") from error


@contextmanager
def no_services() -> Iterator[None]:
    """Keep Debian from starting a containerd of the system beside ours."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
