"""Calls per second and latency of MCPFleet, of other wrappers and of plain stdio, side by side in one run.

All stand in front of the same Node server and answer the same light client in turns, so that a busy moment of the
machine falls on all of them. Each answer is checked; a wrong one counts as an error and is shown.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import contenders as field
import matplotlib as mpl
from load import OUT, Sample
from rich.console import Console
from rich.progress import track
from rich.table import Table

mpl.use("Agg")
from matplotlib import pyplot as plt

CONCURRENCIES = (1, 32)
Results = dict[tuple[str, int], list[Sample]]


def measure(all_: tuple[field.Contender, ...], rounds: int, seconds: float) -> Results:
    """Rounds in which every contender has its turn, in an order that rotates."""
    results: Results = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch, field.running(all_, Path(scratch)) as running:
        for one in running:
            one.measure(max(CONCURRENCIES), 1)  # caches and just-in-time compilers warm up
        turns = [
            (concurrency, running[(offset + round_) % len(running)])
            for round_ in range(rounds)
            for concurrency in CONCURRENCIES
            for offset in range(len(running))
        ]
        for concurrency, one in track(turns, "measuring", transient=True):
            results[one.contender.name, concurrency].append(one.measure(concurrency, seconds))
            time.sleep(0.2)  # what the last one left to do is not the next one's burden
    return results


def median(samples: list[Sample], figure: str) -> float:
    return statistics.median(getattr(sample, figure) for sample in samples)


def ratio(all_: tuple[field.Contender, ...], results: Results, name: str, concurrency: int) -> float:
    """How many times the calls per second of the best wrapper; the median of what each round says.

    Within a round all had their turns within seconds of each other; between rounds a shared machine drifts.
    """
    wrappers = [results[contender.name, concurrency] for contender in all_ if contender.wrapper]
    best = [max(sample.calls_per_second for sample in turns) for turns in zip(*wrappers, strict=True)]
    own = [sample.calls_per_second for sample in results[name, concurrency]]
    return statistics.median(mine / other for mine, other in zip(own, best, strict=True))


def table(all_: tuple[field.Contender, ...], results: Results) -> Table:
    shown = Table("contender", title="echo of the Node server, medians of the rounds")
    for concurrency in CONCURRENCIES:
        for heading in (
            f"c={concurrency}: p50 ms",
            "p99 ms",
            "calls/s",
            "x best wrapper",
            "CPU µs/call",
            "errors",
        ):
            shown.add_column(heading, justify="right")
    for contender in all_:
        cells: list[str] = []
        for concurrency in CONCURRENCIES:
            samples = results[contender.name, concurrency]
            cells += [
                f"{median(samples, 'p50_ms'):.2f}",
                f"{median(samples, 'p99_ms'):.2f}",
                f"{median(samples, 'calls_per_second'):,.0f}",
                f"{ratio(all_, results, contender.name, concurrency):.2f}",
                f"{median(samples, 'cpu_us_per_call'):,.0f}",
                str(sum(sample.errors for sample in samples)),
            ]
        shown.add_row(contender.name, *cells)
    return shown


def plot(all_: tuple[field.Contender, ...], results: Results, path: Path) -> None:
    names = [contender.name for contender in all_]
    colours = ["tab:green" if name.startswith("MCPFleet") else "tab:gray" for name in names]
    figure, axes = plt.subplots(2, len(CONCURRENCIES), figsize=(11, 6), layout="constrained")
    for column, concurrency in enumerate(CONCURRENCIES):
        rates = [median(results[name, concurrency], "calls_per_second") for name in names]
        bars = axes[0][column].barh(names, rates, color=colours)
        axes[0][column].bar_label(bars, [f"{rate:,.0f}" for rate in rates], padding=3)
        axes[0][column].set(title=f"calls per second, {concurrency} at a time", xlim=(0, max(rates) * 1.2))
        for figure_, marker in (("p50_ms", "o"), ("p99_ms", "|")):
            values = [median(results[name, concurrency], figure_) for name in names]
            axes[1][column].scatter(values, names, marker=marker, s=90, c=colours)
        axes[1][column].set(title="latency in ms: p50 (dot) and p99 (bar)", xscale="log")
        for axis in (axes[0][column], axes[1][column]):
            axis.invert_yaxis()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def machine() -> dict[str, object]:
    """What a reader must know to compare these figures with others."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }


def compare(rounds: int, seconds: float, only: str = "") -> dict[str, object]:
    """One whole run: measured, printed, drawn; the figures as JSON."""
    OUT.mkdir(exist_ok=True)
    all_ = tuple(one for one in asyncio.run(field.contenders()) if one.wrapper or only in one.name)
    results = measure(all_, rounds, seconds)
    console = Console(width=None if Console().is_terminal else 180)
    console.print(table(all_, results))
    for (name, concurrency), samples in results.items():
        for example in {sample.example for sample in samples if sample.example}:
            console.print(f"[red]{name} at c={concurrency} answered:[/red] {example}", highlight=False)
    plot(all_, results, OUT / "data_path.png")
    return {
        "machine": machine(),
        "contenders": [
            {
                "name": name,
                "concurrency": concurrency,
                "ratioToBestWrapper": ratio(all_, results, name, concurrency),
                "rounds": [sample.as_json() for sample in samples],
            }
            for (name, concurrency), samples in results.items()
        ],
        "ratioToBestWrapper": {
            concurrency: max(
                ratio(all_, results, one.name, concurrency) for one in all_ if one.name.startswith("MCPFleet")
            )
            for concurrency in CONCURRENCIES
        },
    }


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2, help="length of one turn")
    parser.add_argument("--only", default="", help="leave out contenders whose name lacks this, wrappers excepted")
    return parser


def main() -> None:
    arguments = options().parse_args()
    figures = compare(arguments.rounds, arguments.seconds, arguments.only)
    (OUT / "data_path.json").write_text(json.dumps(figures, indent=2))
    print(f"written: {OUT / 'data_path.json'}, {OUT / 'data_path.png'}")
    print(f"ratio to the best wrapper at c=32: {figures['ratioToBestWrapper'][32]:.2f}")


if __name__ == "__main__":
    main()
