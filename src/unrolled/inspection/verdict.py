"""Verdict: the meaning of the measurements, in one sentence with a remedy.

Every threshold is a constant here; docs/gradient-flow.md gives the reasons.
"""

import math
from collections.abc import Callable, Sequence

from unrolled.inspection.decay import Decay
from unrolled.inspection.names import called
from unrolled.inspection.records import LayerFlow, LearningProblem

# The likeliest root cause first. A step that replaces the weights saturates, kills or explodes a layer; a dead layer
# passes no gradient to those below; in a saturated one the gradient vanishes. None of these works the other way round.
CAUSES = (
    "not_finite",  # the loss or the gradient is NaN or infinite
    "large_update",  # one step of the optimiser replaces the weights
    "exploded_units",  # huge states
    "dead_units",  # outputs that never change
    "no_gradient",  # no loss reads the layer, or its state is cut off from it
    "state_cut",  # the state restarts before most steps
    "frozen",  # no weight of the cell is trained
    "constant_inputs",  # the inputs of the layer are the same at every step of every sequence
    "saturated",  # a squashing function that is flat at most activations
    "forget_gate_shut",  # the cell is cleared at each step
    "tiny_update",  # one step of the optimiser is rounded away
    "exploding",  # the gradient grows on its way back
    "tiny_weights",  # the gradient vanishes because the recurrent weights are small
    "truncated",  # bptt_steps cuts off most of the gradient
    "vanishing",  # the gradient vanishes within a few steps
)
RESTARTED = 0.5  # share of the steps with a restart before them
DEAD_UNITS = 0.5  # share of the units
EXPLODED_UNITS = 0.0  # any unit
SATURATED = 0.9  # share of the activations; a well-trained character model has up to 0.7
SHUT = 0.1  # mean of a forget gate: half of the memory is then gone in 0.3 steps
LARGE_UPDATE = 0.1  # of the weight's own length, in one step: ten such steps replace it
TINY_UPDATE = 2.0**-24  # of the weight's own length: float32 cannot add less than this to a number
GROWTH = 1000.0  # of a gradient on its way back; growth to about a hundred is possible at a single important step
TINY_NORM = 0.3  # largest singular value of recurrent weights, where the state flows only through them
TRUNCATED = 0.5  # share of the gradient's length
REACHED = 0.25  # of the way from a loss to the first step; reached if a hundredth of the gradient is left
UNREAD = 0.75  # share of the first steps that no loss reads directly
SHORT = 8  # with fewer steps before a loss, the reach of its gradient is not judged

Check = Callable[[LayerFlow, int], LearningProblem | None]


def findings_of(layers: Sequence[LayerFlow], loss: float, bptt_steps: int = 0) -> tuple[LearningProblem, ...]:
    """Return every finding that crossed a threshold, the likeliest root cause first.

    Args:
        layers: the measurements.
        loss: the mean loss.
        bptt_steps: the truncation that training uses, 0 = none.
    """
    found = [finding for layer in layers for check in CHECKS if (finding := check(layer, bptt_steps)) is not None]
    if not math.isfinite(loss):
        found.append(
            LearningProblem(
                "not_finite", "", loss, f"the loss is {loss}: look for NaN in the data, or lower learning_rate"
            )
        )
    return tuple(sorted(found, key=lambda finding: CAUSES.index(finding.cause)))


def sentence(layers: Sequence[LayerFlow], findings: Sequence[LearningProblem]) -> str:
    """Return the verdict: the likeliest root cause, or that the model is healthy and how far the gradient reaches."""
    if findings:
        return findings[0].sentence
    layer = min(layers, key=_reach)
    if layer.decay is None or math.isinf(layer.decay.half_life):
        return "healthy: the gradient reaches every step and does not shrink on its way back"
    return (
        f"healthy: the gradient halves every {_steps(layer.decay.half_life)} in {layer.name}, the shortest memory "
        f"here, and a hundredth of it is left after {_whole(_reach(layer))}"
    )


# ---- the checks, one for each cause ----------------------------------------------------------------------


def _not_finite(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    if all(math.isfinite(size) for size in layer.state_gradients) or _growth(layer) > GROWTH:  # then that is the cause
        return None
    text = f"the gradient in {_called(layer)} is not finite: lower learning_rate, and clip with max_grad_norm=1"
    return LearningProblem("not_finite", layer.name, math.nan, text)


def _no_gradient(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    if layer.decay is not None or not layer.counts:
        return None
    text = (
        f"no loss reads {_called(layer)}, so that it learns nothing: look for detach(), no_grad() or a head that "
        "leaves its outputs out"
    )
    return LearningProblem("no_gradient", layer.name, 0.0, text)


def _state_cut(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    if layer.restarts <= RESTARTED:
        return None
    text = (
        f"the state of {_called(layer)} restarts before {layer.restarts:.0%} of the steps, so that it remembers "
        "nothing: set Batch.reset only where another sequence begins"
    )
    return LearningProblem("state_cut", layer.name, layer.restarts, text)


def _frozen(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    if not layer.frozen:
        return None
    text = f"no weight of {_called(layer)} learns: call requires_grad_(True) on its cell"
    return LearningProblem("frozen", layer.name, 1.0, text)


def _exploded_units(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    share = layer.units.exploded
    if share <= EXPLODED_UNITS:
        return None
    text = (
        f"{share:.0%} of the states of {_called(layer)} have grown beyond all bounds: try cell='lstm', "
        "recurrent weights of norm 1, or inputs of unit variance"
    )
    return LearningProblem("exploded_units", layer.name, share, text)


def _dead_units(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    share = layer.units.dead
    if share <= DEAD_UNITS:
        return None
    text = (
        f"{share:.0%} of the units of {_called(layer)} never move, so that nothing flows through them: start again "
        "with a lower learning_rate, or with cell='gru'"
    )
    return LearningProblem("dead_units", layer.name, share, text)


def _constant_inputs(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    if layer.varied_inputs > 0:
        return None
    text = (
        f"{_called(layer)} reads the same at every step of every sequence, which tells nothing but their length: look "
        "at the data, and at how it is scaled"
    )
    return LearningProblem("constant_inputs", layer.name, 0.0, text)


def _saturated(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    flat = [gate for gate in layer.gates if gate.kind != "relu" and gate.flat > SATURATED]
    flat = [gate for gate in flat if gate.name != "forget"]  # shut has its own finding, open is memory
    if not flat:
        return None
    worst = max(flat, key=lambda gate: gate.flat)
    text = (
        f"the {worst.name} of {_called(layer)} is flat at {worst.flat:.0%} of its activations, where no gradient "
        "passes: scale the inputs to unit variance, or start with smaller weights"
    )
    return LearningProblem("saturated", layer.name, worst.flat, text)


def _forget_gate_shut(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    means = [gate.mean for gate in layer.gates if gate.name in ("forget", "keep")]
    if not means or means[0] >= SHUT:
        return None
    text = (
        f"the forget gate of {_called(layer)} keeps {means[0]:.1%} of the cell per step, so that it remembers nothing: "
        "start its bias at 1 or above"
    )
    return LearningProblem("forget_gate_shut", layer.name, means[0], text)


def _large_update(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    name = max(layer.updates, key=lambda key: layer.updates[key], default="")
    if not name or layer.updates[name] <= LARGE_UPDATE:
        return None
    size = layer.updates[name]
    text = (
        f"one update moves {name} of {_called(layer)} by {size:.2g} times its own length: divide learning_rate by "
        f"{_round_up(100 * size):.0f}"
    )
    return LearningProblem("large_update", layer.name, size, text)


def _tiny_update(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    size = max(layer.updates.values(), default=1.0)
    if size >= TINY_UPDATE:
        return None
    text = (
        f"one update moves {_called(layer)} by {size:.1g} of its weights' length, which rounding swallows: raise "
        "learning_rate, or max_grad_norm where that clips"
    )
    return LearningProblem("tiny_update", layer.name, size, text)


def _exploding(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    growth = _growth(layer)
    if growth <= GROWTH or layer.decay is None:
        return None
    pace = f"doubles every {_steps(layer.decay.doubling_time)}" if layer.decay.rate > 1 else "grows"
    text = (
        f"the gradient {pace} on its way back, and {growth:.2g} times in all: {_called(layer)} explodes; "
        "clip with max_grad_norm=1, or start its recurrent weights orthogonal"
    )
    return LearningProblem("exploding", layer.name, growth, text)


def _growth(layer: LayerFlow) -> float:
    """Return the factor by which a loss's gradient grows on its way back."""
    return max(layer.decay.typical, default=1.0) if layer.decay is not None else 1.0


def _truncated(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    share = layer.lost.get(bptt_steps, 0.0)
    span = layer.decay.span if layer.decay is not None else 0
    blind = 0 < bptt_steps < REACHED * span and span >= SHORT and layer.unread > UNREAD  # no gradient at first steps
    if share <= TRUNCATED and not blind:
        return None
    enough = next((steps for steps, lost in layer.lost.items() if steps > bptt_steps and lost <= TRUNCATED / 5), 0)
    wanted = f"bptt_steps >= {enough}" if enough and not blind else "bptt_steps=0"
    text = f"looking back {bptt_steps} steps loses {share:.0%} of the gradient of {_called(layer)}"
    text += f", and everything further back, of {span} steps" if blind else ""
    return LearningProblem("truncated", layer.name, share, f"{text}: train with {wanted}")


def _vanishing(layer: LayerFlow, bptt_steps: int) -> LearningProblem | None:
    found = layer.decay
    if found is None or not _falls_short(layer, found):
        return None
    lost = (
        f"the gradient halves every {_steps(found.half_life)}: beyond about {_whole(_reach(layer))} "
        f"{_called(layer)} learns nothing"
    )
    norm = layer.recurrent_norm
    if norm is not None and norm < TINY_NORM:
        text = f"{lost}, for its recurrent weights have norm {norm:.2g}; start them orthogonal"
        return LearningProblem("tiny_weights", layer.name, norm, text)
    if layer.unread <= UNREAD:  # other losses, or a pooling, read the steps that this one does not reach
        return None
    return LearningProblem("vanishing", layer.name, found.half_life, f"{lost}; {_remember(layer, found)}")


def _falls_short(layer: LayerFlow, found: Decay) -> bool:
    return found.span >= SHORT and _reach(layer) < REACHED * found.span


def _remember(layer: LayerFlow, found: Decay) -> str:
    """Return the remedy for a memory that is too short."""
    if any(gate.name in ("forget", "keep") for gate in layer.gates):
        bias = math.log(found.span)
        return f"try a forget gate's bias of {bias:.1f}, the logarithm of the {found.span} steps to remember"
    return "try cell='lstm', or shorter sequences"


CHECKS: tuple[Check, ...] = (
    _not_finite, _large_update, _exploded_units, _dead_units, _no_gradient, _state_cut, _frozen, _constant_inputs,
    _saturated, _forget_gate_shut, _tiny_update, _exploding, _truncated, _vanishing,
)  # fmt: skip


# ---- formatting ------------------------------------------------------------------------------------------


def _called(layer: LayerFlow) -> str:
    return called(layer.name, layer.cell)


def _reach(layer: LayerFlow) -> float:
    """Return the steps after which a hundredth of the gradient is left, from the curve, or from the fit beyond it."""
    if layer.decay is None:
        return math.inf
    gone = [lag for lag, size in enumerate(layer.decay.curve) if size < 0.01]
    return float(gone[0]) if gone else max(layer.decay.reach, float(len(layer.decay.curve)))


def _steps(count: float) -> str:
    """Format a number of steps for "every ...", with the two digits that a fit can give."""
    if math.isclose(count, 1.0, abs_tol=0.05):
        return "step"
    return f"{count:.2g} steps" if count < 100 else f"{count:.0f} steps"


def _whole(count: float) -> str:
    return "1 step" if count < 1.5 else f"{count:.0f} steps"


def _round_up(number: float) -> float:
    """Round up to one digit."""
    unit = 10 ** math.floor(math.log10(number))
    return math.ceil(number / unit) * unit
