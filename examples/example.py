"""What the examples share: their arguments and their one picture."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def arguments(text: str | None, picture: str, **more: type) -> dict[str, Any]:
    """--seed, --out and what an example adds, from the command line."""
    parser = argparse.ArgumentParser(description=(text or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(picture))
    for name, kind in more.items():
        parser.add_argument(f"--{name}", type=kind)
    return vars(parser.parse_args())


def show(
    out: Path,
    title: str,
    lines: Mapping[str, Any] | None = None,
    heatmap: Mapping[str, Sequence[float]] | None = None,
    bars: Mapping[str, float] | None = None,
    columns: Sequence[Any] = (),
    x: str = "",
    y: str = "",
) -> None:
    """Save one picture: lines (a name to values, or to (x, values)), a heatmap (a name to a row), or bars."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for name, values in (lines or {}).items():
        places, heights = values if isinstance(values, tuple) else (np.arange(len(values)), values)
        axes.plot(places, heights, label=name, linewidth=1.6)
    if lines:
        axes.legend(frameon=False)
    if heatmap:
        image = axes.imshow(np.array(list(heatmap.values())), aspect="auto", cmap="viridis", interpolation="nearest")
        axes.set_yticks(range(len(heatmap)), list(heatmap), fontsize=7)
        if columns:
            axes.set_xticks(range(len(columns)), [str(column) for column in columns], fontsize=7)
        figure.colorbar(image, shrink=0.8)
    if bars:
        placed = axes.barh(list(bars), list(bars.values()), color=["#3b6fb6", *["#b0b0b0"] * (len(bars) - 1)])
        axes.bar_label(placed, fmt="%.3f", padding=4)
        axes.invert_yaxis()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, dpi=120)
    plt.close(figure)
    print(f"picture: {out}")
