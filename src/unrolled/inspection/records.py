"""The records that `gradient_flow` returns."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from unrolled.inspection.activations import Gate, Units
from unrolled.inspection.decay import Decay
from unrolled.inspection.jacobians import Pair


@dataclass(frozen=True)
class Factors:
    """The lecture's c along the steps that lead to one loss, the step nearest to the loss first.

    Args:
        c: the largest singular value of each one-step Jacobian, (steps,).
        product: the running product of c, which bounds `|ds_i/ds_k|`, (steps,).
        error: bound on the expected relative error of each c; 0.0 = exact.
    """

    c: tuple[float, ...]
    product: tuple[float, ...]
    error: float

    @property
    def mean(self) -> float:
        """The geometric mean of c; 1.0 of none."""
        return self.product[-1] ** (1 / len(self.c)) if self.c else 1.0


@dataclass(frozen=True)
class LayerFlow:
    """Gradient flow through one layer in one direction.

    Args:
        name: such as "layer 1", "layer 2, backward", or "encoder, layer 1" where a model has several stacks.
        direction: "forward" or "backward"; of a backward layer the last step of time is the first one read.
        cell: the cell's class.
        hidden_size: hidden units, H.
        updates: `|update| / |weight|` of the cell's matrices; empty if no optimiser step is known.
        restarts: share of the steps, after each sequence's first, before which the state restarts.
        varied_inputs: share of its input features and initial-state values that vary.
        recurrent_norm: the largest singular value of the recurrent weights; None where the state has other paths.
        frozen: whether no weight of the cell is trained.
        state_gradients: mean of `|dL/ds_t|` over the inspected sequences that have a step t, (T,); L is the mean loss.
        counts: number of sequences in each mean, (T,).
        starved: share of the steps whose `|dL/ds_t|` is below a hundredth of the largest in their sequence.
        unread: share of the steps before the first one that a loss reads directly: they learn only through the state.
        gates: statistics of each squashing function.
        units: shares of dead and exploded units.
        decay: size of a loss's gradient by the number of steps before the loss; None where no loss reads the layer.
        lost: the share of the gradient that truncation at k steps loses, by k.
        factors: c by step; None without `detail`, or where no loss reads the layer.
        pairs: `|ds_i/ds_k|` at growing lags up to 128, as a lag k costs k steps; for longer lags see `decay`.
    """

    name: str
    direction: str
    cell: str
    hidden_size: int
    updates: dict[str, float]
    restarts: float
    varied_inputs: float
    recurrent_norm: float | None
    frozen: bool
    state_gradients: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    starved: float = 0.0
    unread: float = 0.0
    gates: tuple[Gate, ...] = ()
    units: Units = field(default_factory=Units)
    decay: Decay | None = None
    lost: dict[int, float] = field(default_factory=dict)
    factors: Factors | None = None
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class LearningProblem:
    """One problem that keeps a layer from learning.

    Args:
        cause: a word of `unrolled.inspection.verdict.CAUSES`.
        layer: name of the layer; empty for the whole model.
        value: the measured number that crossed its threshold.
        sentence: what is wrong, and what to do.
    """

    cause: str
    layer: str
    value: float
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class GradientFlow:
    """Gradient flow through a whole model.

    Args:
        layers: one record per layer and direction, and per pass where the model makes several.
        loss: the mean loss of the batch.
        findings: problems, the likeliest root cause first; empty for a healthy model.
        verdict: one sentence.
    """

    layers: tuple[LayerFlow, ...]
    loss: float
    findings: tuple[LearningProblem, ...]
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """Convert the record to plain values; numbers that are not finite, such as a half-life, become None."""
        plain = asdict(self)
        for layer, record in zip(plain["layers"], self.layers, strict=True):
            if record.decay is not None:
                named = ("half_life", "doubling_time", "reach")
                layer["decay"] |= {name: getattr(record.decay, name) for name in named}
        return _plain(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
