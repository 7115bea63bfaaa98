"""The versions in versions.toml, as the rest of the tool reads them."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODULES = HERE / "modules"
VERSIONS: dict[str, Any] = tomllib.loads((HERE / "versions.toml").read_text())

KUBERNETES: dict[str, str] = VERSIONS["kubernetes"]
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
NODE = ("kubelet", "kube-proxy")


@dataclass(frozen=True)
class GoModule:
    """One pinned Go module and the programs that it gives."""

    name: str
    module: str
    version: str
    binaries: dict[str, str]
    crds: str = ""  # the folder of its CRDs

    @property
    def folder(self) -> Path:
        return MODULES / self.name


def minor() -> str:
    """The chosen Kubernetes minor: MCPFLEET_KUBERNETES, or the default."""
    chosen = os.environ.get("MCPFLEET_KUBERNETES") or next(iter(KUBERNETES))
    if chosen not in KUBERNETES:
        raise SystemExit(
            f"MCPFLEET_KUBERNETES={chosen} is not one of {', '.join(KUBERNETES)} (tests/cluster/versions.toml)"
        )
    return chosen


def kubernetes(chosen: str) -> GoModule:
    """The module that builds Kubernetes itself."""
    programs = (*CONTROL_PLANE, *NODE)
    return GoModule(
        name=f"kubernetes-{chosen}",
        module="k8s.io/kubernetes",
        version=KUBERNETES[chosen],
        binaries={program: f"k8s.io/kubernetes/cmd/{program}" for program in programs},
    )


def module(name: str) -> GoModule:
    """One of the other modules: etcd, kuberay, coredns, kwok, helm."""
    entry = VERSIONS["modules"][name]
    return GoModule(
        name=name,
        module=entry["module"],
        version=entry["version"],
        binaries=entry["binaries"],
        crds=entry.get("crds", ""),
    )


# The one program of our own: modules/pause/main.go.
PAUSE = GoModule(name="pause", module="", version="1", binaries={"pause": "."})


def pinned() -> list[GoModule]:
    """Every module whose go.mod and go.sum are written from versions.toml."""
    return [*(kubernetes(chosen) for chosen in KUBERNETES), *(module(name) for name in VERSIONS["modules"])]
