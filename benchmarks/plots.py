"""Pictures of a run of `make bench`: `python -m benchmarks.plots bench.json FOLDER`, in the peers' environment."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLORS = {
    "Wukong": "#3f51b5",
    "distributed": "#ef6c00",
    "Ray": "#2e7d32",
    "Dask synchronous": "#616161",
    "Dask threaded": "#9e9e9e",
    "Dask multiprocessing": "#c2b280",
    "Lithops": "#ad1457",
}


def times(document: Mapping[str, Any], file: Path) -> None:
    """Seconds of each engine at each workload: the median, and a line down to the minimum."""
    cases = document["cases"]
    figure, axes = plt.subplots(figsize=(11, 0.55 * len(cases) + 1.8), layout="constrained")
    for name, color in COLORS.items():
        rows = [(row, case["measured"][name]) for row, case in enumerate(cases) if name in case["measured"]]
        if not rows:
            continue
        medians = [found["median"] for _, found in rows]
        axes.hlines([row for row, _ in rows], [found["minimum"] for _, found in rows], medians, color=color, lw=1)
        axes.scatter(medians, [row for row, _ in rows], color=color, label=name, s=60 if name == "Wukong" else 30)
    axes.set_xscale("log")
    axes.set_xlabel("seconds (median; the line goes to the minimum)")
    axes.set_yticks(range(len(cases)), [f"{case['case']}: {case['title']}" for case in cases])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.08), ncol=len(COLORS), fontsize="small", frameon=False)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def ratios(document: Mapping[str, Any], file: Path) -> None:
    """Wukong's time through each peer's, and the goal of each."""
    found = [ratio for case in document["cases"] for ratio in case["ratios"] if ratio["goal"] is not None]
    figure, axes = plt.subplots(figsize=(9, 0.28 * len(found) + 1.5), layout="constrained")
    rows = range(len(found))
    axes.barh(rows, [ratio["of_medians"] for ratio in found], color=[COLORS[ratio["peer"]] for ratio in found])
    axes.scatter([ratio["goal"] for ratio in found], rows, marker="|", s=160, color="black", label="goal", zorder=3)
    axes.axvline(1, color="black", lw=0.5, ls=":")
    axes.set_xscale("log")
    axes.set_xlabel("Wukong's time / the peer's (a bar that ends left of its goal reaches it)")
    axes.set_yticks(rows, [f"{ratio['workload']} / {ratio['peer']}" for ratio in found], fontsize="small")
    axes.invert_yaxis()
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.02), frameon=False)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    """Draw both."""
    document = json.loads(Path(sys.argv[1]).read_text())
    out = Path(sys.argv[2])
    times(document, out / "times.png")
    ratios(document, out / "ratios.png")


if __name__ == "__main__":
    main()
