"""The lecture, chapter by chapter; every number is computed when it runs.

Source: "Sequence Modeling in Neural Network" (BITS F464 Machine Learning, lecture 34, K. Tiwari, 2021), in other words.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.batch import Batch, LossSum
from unrolled.cells.base import Cell
from unrolled.cells.lstm import LSTMCell
from unrolled.codecs.base import Spec
from unrolled.data.batching import Buckets
from unrolled.inspection.decay import Decay
from unrolled.inspection.gradient_flow import gradient_flow
from unrolled.inspection.records import GradientFlow, LayerFlow
from unrolled.inspection.unfolding import unfold
from unrolled.nn.heads import ClassOutput
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.plots.curves import Points, draw_curves
from unrolled.plots.theme import Theme
from unrolled.plots.unfolding import draw_unfolding
from unrolled.ragged import Ragged
from unrolled.report.page import PagePicture, PageTable, Section
from unrolled.textbook import RNN, clip_to_band
from unrolled.training.callbacks import Callback
from unrolled.training.options import TrainingOptions
from unrolled.training.run_state import RunState
from unrolled.training.trainer import Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RADII = (0.5, 0.7, 0.9, 1.0, 1.1, 1.5)  # how W is scaled
UNITS, STEPS = 32, 60
NOTHING = 1e-20  # share of a gradient: below it some of the averaged gradients underflow in float32
LAG, SYMBOLS = 100, 4  # steps for which a symbol must be remembered, and number of symbols


def chapters(seed: int = 0) -> Iterator[Section]:
    """Yield the lecture's chapters in order; each is computed when it is needed."""
    yield history_matters(seed)
    yield unfolding(seed)
    yield vanishing_and_exploding()
    yield in_a_real_network(seed)
    yield clipping(seed)
    yield truncation(seed)
    yield rescue(seed)


def history_matters(seed: int) -> Section:
    """C1: the same input gives different outputs."""
    network = RNN(input_size=1, hidden_size=3, output_size=1, seed=seed)
    rows = [(str(step), "1", f"{float(network.step(np.ones(1))[0]):+.3f}") for step in range(1, 6)]
    return Section(
        "The output depends on the history",
        (
            "A recurrent network keeps a state: s_t = tanh(W s_{t-1} + U x_t), y_t = V s_t. "
            "If it reads the same input several times, its outputs differ, because its state has changed.",
        ),
        (PageTable(("step", "input", "output"), rows, "One network, the same input five times"),),
    )


def unfolding(seed: int) -> Section:
    """C2: the same cell, once per step."""
    one = _sequences(1, 8, seed)
    symbols = one.inputs["symbols"]
    assert isinstance(symbols, Ragged), "one symbol per step"
    letters = ["ABCD"[symbol] for symbol in symbols.values.tolist()]
    drawn = unfold(_memory("elman", seed), one, labels=letters, answers=letters[:1])
    return Section(
        "Unfolding in time",
        (
            "Unfolded in time, a recurrent network is a deep network whose layers share their weights: U reads the "
            "input, W the previous state, and V computes the output. Here the output comes at the end: many to one.",
        ),
        pictures=(
            PagePicture(
                "unfolding", "A recurrent network unfolded in time", lambda theme: draw_unfolding(drawn, theme=theme)
            ),
        ),
    )


def vanishing_and_exploding() -> Section:
    """D3: a product of many factors."""
    lags = list(range(10))
    shrinking, growing = [0.9**n for n in lags], [1.5**n for n in lags]
    rows = [(str(n), f"{0.9**n:.2f}", f"{1.5**n:.2f}") for n in lags]
    return Section(
        "Vanishing and exploding gradients",
        (
            "ds_i/ds_k is a product of i - k Jacobians, each bounded by some c. For c = 0.9, 39 % of the gradient are "
            "left after nine steps; for c = 1.5, it is 25.6 times as large after eight steps.",
        ),
        (PageTable(("steps n", "0.9^n", "1.5^n"), rows),),
        (
            PagePicture(
                "powers",
                "0.9^n shrinks, 1.5^n grows",
                lambda theme: draw_curves(
                    {"c = 1.5": (lags, growing), "c = 0.9": (lags, shrinking)},
                    "c^n",
                    "steps n",
                    "factor",
                    log=True,
                    theme=theme,
                ),
            ),
        ),
    )


def in_a_real_network(seed: int) -> Section:
    """D3 in a network: scale W, and measure."""
    found = {radius: _scaled(radius, seed) for radius in RADII}
    rows = []
    for radius, layer in found.items():
        assert layer.factors is not None, "Jacobians were requested"
        life = _decay(layer).half_life
        told = np.log(2) / -np.log(radius) if radius < 1 else np.inf
        rows.append((f"{radius}", f"{layer.factors.mean:.3f}", _steps(told), _steps(life)))
    curves = {f"W scaled to {r}": _curve(layer) for r, layer in found.items() if r in (0.5, 0.9, 1.0, 1.5)}
    return Section(
        "The same in a real network",
        (
            "W is a scaled rotation, so its largest factor is known. The inputs are tiny, so that tanh is almost "
            "linear. The factors measured in the network agree with the theory.",
        ),
        (PageTable(("scale of W", "measured c", "half-life in theory", "measured half-life"), rows),),
        (
            PagePicture(
                "scaled",
                "Share of a loss's gradient that is left, for four scales of W",
                lambda theme: draw_curves(
                    curves,
                    "Share of one loss's gradient that is left",
                    "steps back",
                    "share left",
                    log=True,
                    theme=theme,
                ),
            ),
        ),
    )


def clipping(seed: int) -> Section:
    """D4, remedy 1: the gradient's norm is kept inside a band."""
    runs: dict[str, list[float]] = {}
    for name, options in (("no clipping", {"max_grad_norm": 0.0}), ("band 0.1 to 1", {"clip_band": (0.1, 1.0)})):
        model = _memory("elman", seed)
        _scale(model.layers, 1.6)
        runs[name] = _train(
            model, _sequences(512, 20, seed), seed, epochs=4, optimizer="sgd", learning_rate=0.5, **options
        )
    before = [np.array([3.0, 4.0])]
    worst = max(runs["no clipping"])
    return Section(
        "Remedy 1: clipping",
        (
            "Keep the norm of the gradient inside a range, T_low <= c <= T_high, by scaling the whole gradient; its "
            f"direction does not change. A gradient (3, 4) has norm 5; clipped to at most 1 it is "
            f"{np.array2string(clip_to_band(before, 0.0, 1.0)[0])}.",
            f"For a network that starts with W scaled to 1.6, the gradient norm reached {worst:.3g} without clipping; "
            "such a step moves the weights far away. With the band, no gradient is longer than 1 or shorter than 0.1.",
        ),
        pictures=(
            PagePicture(
                "clipping",
                "Gradient norm before clipping, per update",
                lambda theme: draw_curves(
                    {name: (list(range(1, len(norms) + 1)), norms) for name, norms in runs.items()},
                    "Gradient norm before clipping",
                    "update",
                    "norm",
                    log=True,
                    levels={"upper limit of the band": 1.0},
                    theme=theme,
                ),
            ),
        ),
    )


def truncation(seed: int) -> Section:
    """D5, remedy 2: look back only k steps."""
    shares = {radius: _scaled(radius, seed).lost for radius in (0.5, 0.7, 0.9)}
    windows = [k for k in next(iter(shares.values())) if k < STEPS]
    rows = [(str(k), *(f"{shares[radius][k]:.1%}" for radius in shares)) for k in windows]
    return Section(
        "Remedy 2: truncated back-propagation",
        (
            "Back-propagate through the last k steps only. How much gradient is lost depends on how fast it decays: "
            "if it halves within two steps, ten steps are as good as all; if it does not decay, no number is enough.",
        ),
        (
            PageTable(
                ("last k steps", *(f"W scaled to {radius}" for radius in shares)),
                rows,
                "Share of the weights' gradient that is lost",
            ),
        ),
    )


def rescue(seed: int) -> Section:
    """D6, remedy 3: the LSTM."""
    rows, flows = [], {}
    test = _sequences(400, LAG, seed + 1)
    for name, cell in (("Elman network", "elman"), ("LSTM", "lstm")):
        model = _memory(cell, seed)
        _start_as_then(_cell(model.layers))
        flows[name] = gradient_flow(model, test.select(torch.arange(16)), detail=False)
        _train(model, _sequences(3000, LAG, seed), seed, epochs=20, learning_rate=1e-2, max_grad_norm=1.0)
        with torch.no_grad():
            right = (model(test)[0].argmax(1) == test.targets).double().mean()
        kept = _decay(flows[name].layers[0])
        rows.append(
            (
                name,
                _steps(kept.half_life),
                "too small for float32" if kept.curve[-1] <= NOTHING else f"{kept.curve[-1]:.1e}",
                f"{float(right):.0%}",
            )
        )
    header = ("", "gradient halves in", f"share left {LAG - 1} steps back", "accuracy on new sequences after training")
    return Section(
        "Remedy 3: long short-term memory",
        (
            f"The first of {LAG} symbols has to be predicted at the end; guessing is right in {1 / SYMBOLS:.0%} of all "
            "cases. The simple network starts with small random weights, as was usual at the time. An LSTM (Hochreiter "
            "and Schmidhuber, 1997) has four small networks that forget, store and output; through an open forget gate "
            "the gradient flows back along its cell without being multiplied by a weight.",
        ),
        (PageTable(header, rows),),
        (PagePicture("rescue", f"Share of a loss's gradient that is left {LAG} steps back", partial(_both, flows)),),
    )


# ---- what the chapters share ---------------------------------------------------------------------------


class _Norms(Callback):
    """Record the gradient norm before clipping at every update."""

    def __init__(self) -> None:
        self.norms: list[float] = []

    def on_update(self, trainer: RunState) -> None:
        self.norms.append(trainer.grad_norm)


def _memory(cell: str, seed: int) -> ManyToOne:
    """Return a network that reads symbols and predicts one at the end."""
    torch.manual_seed(seed)
    inputs = InputLayer({"symbols": Spec("index", SYMBOLS)})
    return ManyToOne(inputs, Stack(SYMBOLS, UNITS, cell), ClassOutput(SYMBOLS))


def _sequences(count: int, length: int, seed: int) -> Batch:
    """Return random symbols, (count, length), with the first one of each sequence as the target."""
    symbols = torch.randint(0, SYMBOLS, (count, length), generator=torch.Generator().manual_seed(seed))
    return Batch({"symbols": Ragged(symbols.flatten(), torch.full((count,), length))}, targets=symbols[:, 0])


def _train(model: ManyToOne, examples: Batch, seed: int, **options: Any) -> list[float]:
    """Train, and return the gradient's norm at every update."""
    watch = _Norms()
    settings = TrainingOptions.from_keywords({"seed": seed, "progress": False, **options})
    Trainer(model, Buckets(examples, 32, seed=seed), settings, callbacks=[watch]).run()
    return watch.norms


def _start_as_then(cell: Cell) -> None:
    """Set small random recurrent weights; an LSTM's forget gates stay open for about `LAG` steps.

    Source: C. Tallec and Y. Ollivier, "Can recurrent neural networks warp time?", ICLR 2018, section 2.
    """
    with torch.no_grad():
        if isinstance(cell, LSTMCell):
            cell.bias_ih[UNITS : 2 * UNITS] = math.log(LAG)
        else:
            torch.nn.init.uniform_(cell.weight_hh, -(UNITS**-0.5), UNITS**-0.5)


def _cell(layers: Any) -> Cell:
    return layers.layers[0].cell


def _scale(stack: Any, radius: float) -> None:
    """Make W a rotation times a factor, so that all its singular values equal the factor."""
    with torch.no_grad():
        weight = _cell(stack).weight_hh
        torch.nn.init.orthogonal_(weight)
        weight.mul_(radius)


def _scaled(radius: float, seed: int) -> LayerFlow:
    """Return the gradient flow of a network whose every Jacobian is W: its inputs are so small that tanh is linear."""
    torch.manual_seed(seed)
    stack = Stack(3, UNITS, cell="elman").double()
    _scale(stack, radius)
    values = 1e-9 * torch.randn(2 * STEPS, 3, dtype=torch.float64)

    def last_output(model: torch.nn.Module, batch: Batch) -> LossSum:
        return LossSum(model(batch.inputs["x"])[0].last().sum(), 2.0)

    return gradient_flow(stack, Batch({"x": Ragged(values, torch.full((2,), STEPS))}), loss=last_output).layers[0]


def _decay(layer: LayerFlow) -> Decay:
    assert layer.decay is not None, "every loss reads this layer"
    return layer.decay


def _curve(layer: LayerFlow) -> Points:
    """Return the share of the gradient that is left by steps back, as far as float32 can represent it."""
    curve = [share for share in _decay(layer).curve if share > NOTHING]
    return list(range(len(curve))), curve


def _both(flows: dict[str, GradientFlow], theme: Theme) -> "Figure":
    curves = {name: _curve(flow.layers[0]) for name, flow in flows.items()}
    title = "Share of one loss's gradient that is left, before training"
    return draw_curves(curves, title, "steps back", "share left", log=True, levels={"a hundredth": 0.01}, theme=theme)


def _steps(count: float) -> str:
    return f"{count:.2f} steps" if np.isfinite(count) else "never halves"
