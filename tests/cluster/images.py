"""Images without a registry: a base made with debootstrap, the product's Dockerfile built on it, and `pause`."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from cluster import cache, commands, debian, go
from cluster.place import Place
from cluster.progress import step
from cluster.versions import PAUSE, VERSIONS

CHECKOUT = Path(__file__).parents[2]
PAUSE_NAME = "localhost/pause:1"
SERVE_NAME = "localhost/mcpfleet-serve:test"
SUITE: str = VERSIONS["images"]["suite"]
PACKAGES: list[str] = VERSIONS["images"]["packages"]
# What the product's image is made of; anything else may change without a new build.
INPUTS = ("Dockerfile", ".dockerignore", "pyproject.toml", "requirements.lock", "README.md", "LICENSE")
INPUT_FOLDERS = ("crds", "operator", "ray_apps")


@dataclass(frozen=True)
class Image:
    """An image, as an archive unless Docker or a registry has it."""

    name: str
    archive: Path | None


def load(place: Place, image: Image) -> None:
    """Bring an archive of an image into the containerd of a place."""
    place.run(["ctr", "--namespace", "k8s.io", "images", "import", str(image.archive)])


def pause() -> Image:
    """The image of every pod's first container, packed by hand: one static program."""
    program = go.programs(PAUSE) / "pause"

    def pack(into: Path) -> None:
        layer = tarred({"pause": program.read_bytes()}, mode=0o755)
        digest = hashlib.sha256(layer).hexdigest()
        config = json.dumps(
            {
                "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
                "os": "linux",
                "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            }
        ).encode()
        manifest = [{"Config": "config.json", "RepoTags": [PAUSE_NAME], "Layers": ["layer.tar"]}]
        archive = {"config.json": config, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}
        (into / "pause.tar").write_bytes(tarred(archive))

    name = f"pause-{cache.digest(program.read_bytes())}"
    return Image(PAUSE_NAME, cache.entry("images", name, pack) / "pause.tar")


def serve() -> Image:
    """The product's image for Ray pods, from its own Dockerfile; built anew only when its inputs change."""
    return product("serve", SERVE_NAME)


def product(target: str, name: str) -> Image:
    """One target of the Dockerfile."""
    debian.require(debian.IMAGES)

    def build(into: Path) -> None:
        archive = base_archive()
        with step(f"building the image {name} from the Dockerfile"), cache.locked(cache.root() / ".buildah.lock"):
            arguments = [f"--build-arg=BASE={base(archive)}", *trust(), str(CHECKOUT)]
            for each, tag in (("dependencies", f"{name}-dependencies"), (target, name)):
                build = ["build", "--layers", "--format=docker", "--isolation=chroot", f"--target={each}"]
                buildah(*build, f"--tag={tag}", *arguments)
            # Containerd unpacks layers faster that are not compressed.
            buildah("push", "--disable-compression", name, f"docker-archive:{into / 'image.tar'}:{name}")
            # What no tag leads to is of sources that have changed since, or of a build that was cut short.
            buildah("rm", "--all")
            buildah("rmi", "--prune")

    key = cache.digest(inputs(), base_key())
    return Image(name, cache.entry(f"images-{target}", key, build, kept=3) / "image.tar")


def base_key() -> str:
    return cache.digest(json.dumps(VERSIONS["images"]), os.uname().machine)


def mirror() -> list[str]:
    """Where this machine has its own Debian packages from; without an answer debootstrap knows a place."""
    if not shutil.which("apt-get"):
        return []
    command = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", f"Codename: {SUITE}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.split()[:1]


def base_archive() -> Path:
    """Debian with Python, as an archive of its files."""

    def build(into: Path) -> None:
        tree = into / "tree"
        with step(f"making the base image from Debian {SUITE}"):
            # In a mount namespace of its own, so that no mount of debootstrap's stays, whatever happens.
            command = ["unshare", "--mount", "debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
            commands.run([*command, SUITE, str(tree), *mirror()])
            for unneeded in (
                "var/cache/apt",
                "var/lib/apt/lists",
                "usr/share/doc",
                "usr/share/man",
                "usr/share/locale",
            ):
                shutil.rmtree(tree / unneeded)
                (tree / unneeded).mkdir()
            commands.run(
                ["tar", "--create", "--numeric-owner", f"--file={into / 'base.tar'}", f"--directory={tree}", "."]
            )
            shutil.rmtree(tree)

    return cache.entry("images", f"base-{base_key()}", build) / "base.tar"


def base(archive: Path) -> str:
    """The name of the base image in buildah's store."""
    name = f"localhost/python:{base_key()}"
    if not buildah("images", "--quiet", "--filter", f"reference={name}").strip():
        container = buildah("from", "scratch").strip()
        buildah("add", "--quiet", container, str(archive), "/")
        buildah("config", "--cmd=python3", "--env=PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", container)
        buildah("commit", "--quiet", "--rm", container, name)
    return name


def trust() -> list[str]:
    """Let the build reach the registries as this machine does, behind a proxy that signs anew as well."""
    mounts = [
        f"--volume={path}:{path}:ro" for path in ("/etc/ssl/certs", "/etc/resolv.conf") if Path(path).exists()
    ]
    passed = [name for name in ("SSL_CERT_FILE", "PIP_CERT", "HTTPS_PROXY", "NO_PROXY") if os.environ.get(name)]
    return [*mounts, *(f"--build-arg={name}={os.environ[name]}" for name in passed)]


def buildah(*arguments: str) -> str:
    """Buildah with a store of our own, which no other user of buildah or podman on the machine sees."""
    store = cache.root() / "buildah"
    roots = [f"--root={store / 'root'}", f"--runroot={store / 'run'}", "--storage-driver=overlay"]
    return commands.run(["buildah", *roots, *arguments])


def inputs() -> bytes:
    """A digest of all that the product's image is made of."""
    digest = hashlib.sha256()
    paths = [CHECKOUT / name for name in INPUTS]
    for folder in INPUT_FOLDERS:
        paths += sorted(path for path in (CHECKOUT / folder).rglob("*") if path.suffix == ".py")
    for path in paths:
        if path.is_file():
            digest.update(f"{path.relative_to(CHECKOUT)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.digest()


def tarred(contents: dict[str, bytes], mode: int = 0o644) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()
