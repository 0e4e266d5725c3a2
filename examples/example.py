"""Shared functions of the examples: arguments and pictures."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

BLUE, GREY = "#3b6fb6", "#b0b0b0"


def arguments(text: str | None, out: str, **more: type) -> dict[str, Any]:
    """Return --seed, --out and the example's own options from the command line."""
    parser = argparse.ArgumentParser(description=(text or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(out))
    for name, kind in more.items():
        parser.add_argument(f"--{name}", type=kind)
    return vars(parser.parse_args())


def show(out: Path, title: str, **parts: Any) -> None:
    """Save one picture; the parts are those of `draw`."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    draw(axes, title, **parts)
    figure.savefig(out, dpi=120)
    plt.close(figure)
    print(f"picture: {out}")


def panels(out: Path, parts: Sequence[Mapping[str, Any]]) -> None:
    """Save several pictures next to each other in one file."""
    figure, all_axes = plt.subplots(1, len(parts), figsize=(6 * len(parts), 4), layout="constrained")
    for axes, part in zip(all_axes, parts, strict=True):
        draw(axes, **part)
    figure.savefig(out, dpi=120)
    plt.close(figure)
    print(f"picture: {out}")


def draw(
    axes: Any,
    title: str,
    lines: Mapping[str, Any] | None = None,
    band: tuple[Any, Any, Any] | None = None,
    heatmap: Mapping[str, Sequence[float]] | None = None,
    bars: Mapping[str, float] | None = None,
    columns: Sequence[Any] = (),
    x: str = "",
    y: str = "",
) -> None:
    """Draw lines (a name to values, or to (x, values)), a band (x, low, high), a heatmap (a name to a row), or bars."""
    if band is not None:
        axes.fill_between(*band, color=BLUE, alpha=0.2, linewidth=0)
    for place, (name, values) in enumerate((lines or {}).items()):
        places, heights = values if isinstance(values, tuple) else (np.arange(len(values)), values)
        axes.plot(places, heights, label=name, linewidth=1.8, color=("#222222", BLUE, "#d1862e", "#5a9a5a")[place % 4])
    if lines:
        axes.legend(frameon=False)
    if heatmap:
        image = axes.imshow(np.array(list(heatmap.values())), aspect="auto", cmap="viridis", interpolation="nearest")
        axes.set_yticks(range(len(heatmap)), list(heatmap), fontsize=7)
        if columns:
            axes.set_xticks(range(len(columns)), [str(column) for column in columns], fontsize=7)
        axes.figure.colorbar(image, ax=axes, shrink=0.8)
    if bars:
        placed = axes.barh(list(bars), list(bars.values()), color=[BLUE, *[GREY] * (len(bars) - 1)])
        axes.bar_label(placed, fmt="%.3f", padding=4)
        axes.set_xlim(0, 1.18 * max(bars.values()))
        axes.invert_yaxis()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
