"""What a run looked like: a table by tool, and a picture of every call."""

from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
import numpy as np
from rich.table import Table
from toolbox import Call

mpl.use("Agg")
# Only after the choice of a backend that needs no screen.
from matplotlib import pyplot as plt
from matplotlib.ticker import NullFormatter, ScalarFormatter


def table(calls: list[Call]) -> Table:
    """Calls, failures and latency of each tool."""
    shown = Table("tool", title="calls by tool")
    for heading in ("calls", "failed", "p50 ms", "p99 ms"):
        shown.add_column(heading, justify="right")
    for tool, group in by_tool(calls).items():
        p50, p99 = np.percentile([call.seconds * 1000 for call in group], (50, 99))
        failed = sum(call.failed for call in group)
        shown.add_row(tool, str(len(group)), str(failed), f"{p50:.1f}", f"{p99:.1f}")
    return shown


def plot(calls: list[Call], path: Path) -> None:
    """Left, the latency of each tool; right, when each agent called what."""
    groups = by_tool(calls)
    servers = sorted({tool.partition("__")[0] for tool in groups})
    colour = {server: f"C{index}" for index, server in enumerate(servers)}
    agents = sorted({call.agent for call in calls if call.agent.startswith("agent-")})
    start = min(call.started for call in calls)
    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 6), layout="constrained")
    for row, (tool, group) in enumerate(groups.items()):
        jitter = np.random.default_rng(row).uniform(-0.25, 0.25, len(group))
        values = [call.seconds * 1000 for call in group]
        left.scatter(values, row + jitter, s=14, alpha=0.6, color=colour[tool.partition("__")[0]])
        left.plot([np.median(values)] * 2, [row - 0.35, row + 0.35], color="black", linewidth=2)
    left.set(title="latency of each call (line: median)", xlabel="ms", xscale="log")
    left.xaxis.set_major_formatter(ScalarFormatter())
    left.xaxis.set_minor_formatter(NullFormatter())
    left.set_yticks(range(len(groups)), groups)
    left.invert_yaxis()
    left.grid(axis="x", alpha=0.3)
    for server in sorted({call.tool.partition("__")[0] for call in calls if call.agent in agents}):
        turns = [call for call in calls if call.tool.startswith(f"{server}__") and call.agent in agents]
        right.barh(
            [agents.index(call.agent) for call in turns],
            [call.seconds for call in turns],
            left=[call.started - start for call in turns],
            color=colour[server],
            label=server,
            height=0.7,
        )
    right.set(title="who called when", xlabel="seconds since the first call")
    right.set_yticks(range(len(agents)), agents)
    right.invert_yaxis()
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=5)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def by_tool(calls: list[Call]) -> dict[str, list[Call]]:
    """The calls of each tool, tools in alphabetical order."""
    groups: dict[str, list[Call]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: call.tool):
        groups[call.tool].append(call)
    return dict(groups)
