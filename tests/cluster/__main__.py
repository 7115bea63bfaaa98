"""The tool by hand: `make cluster-up`, `cluster-down`, `cluster-status`, `cluster-lock`, `cluster-build`."""

import argparse
import os
import sys

from cluster import choose, go, ledger
from cluster.cluster import Cluster
from cluster.fixtures import WAYS
from cluster.ledger import Started
from cluster.missing import Missing
from cluster.progress import step
from cluster.versions import kubernetes, minor, module

PREFIX = "member-"


def main() -> None:
    parser = argparse.ArgumentParser(prog="cluster", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    start = verbs.add_parser("up", help="start clusters with a node, KubeRay and the product's image")
    start.add_argument("-n", type=int, default=1, metavar="N", help="how many (1)")
    start.add_argument("--cluster", choices=WAYS, default=os.environ.get("MCPFLEET_CLUSTER", "auto"))
    verbs.add_parser("down", help="end the clusters that `up` started")
    verbs.add_parser("status", help="list all clusters of this tool on the machine")
    verbs.add_parser("build", help="build all that clusters need, so that later starts are warm")
    verbs.add_parser("lock", help="write modules/*/go.mod and go.sum anew from versions.toml")
    chosen = parser.parse_args()
    actions = {
        "up": lambda: up(chosen.n, chosen.cluster),
        "down": down,
        "status": status,
        "build": build,
        "lock": go.lock,
    }
    try:
        actions[chosen.verb]()
    except Missing as missing:
        raise SystemExit(f"cluster: {missing}") from missing


def up(number: int, way: str) -> None:
    """Start clusters that stay when this command is over; those that run already are left as they are."""
    me = Started.of(os.getpid(), "cluster up")
    ledger.sweep()
    running = {each.name for each in ledger.ledgers()}
    image = choose.serve_image(way)
    for name in [f"{PREFIX}{each + 1}" for each in range(number)]:
        if name in running:
            continue
        cluster = choose.node_cluster(way, name, me, [image])
        try:
            cluster.start_kuberay()
        except BaseException:
            cluster.down()
            raise
        stay(cluster)
    status()


def stay(cluster: Cluster) -> None:
    """From now on the cluster belongs to no process."""
    for each in ledger.ledgers():
        if each.name == cluster.name:
            each.owner = None
            each.save()
    cluster.access.close()


def down() -> None:
    ledger.sweep()
    for each in ledger.ledgers():
        if each.owner is None:
            with step(f"ending the cluster {each.name}"):
                each.undo()


def status() -> None:
    found = ledger.ledgers()
    if not found:
        print("no cluster runs; `make cluster-up` starts one")
    for each in found:
        owner = f"of process {each.owner.pid}" if each.owner else "until `make cluster-down`"
        alive = sum(process.process() is not None for process in each.processes)
        print(f"{each.name}: {alive} of {len(each.processes)} processes run, {owner}")
        print(f"  export KUBECONFIG={each.folder / 'kubeconfig'}")


def build() -> None:
    """Everything for the chosen Kubernetes: programs, and on a machine that can have a node, the image."""
    for needed in (kubernetes(minor()), *map(module, ("etcd", "kuberay", "coredns", "kwok", "helm"))):
        with step(f"{needed.name} {needed.version}"):
            go.programs(needed)
    try:
        choose.build_node(os.environ.get("MCPFLEET_CLUSTER", "auto"))
    except Missing as missing:
        print(f"no image: {missing}", file=sys.stderr)


if __name__ == "__main__":
    main()
