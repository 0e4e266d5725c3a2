"""Laws of sequence models, tested on one network and one batch: chunks and single steps must equal a whole pass."""

import copy
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.batch import Batch, Nested
from unrolled.inspection.probing import TOLERANCE, calm, other_values, row_gaps, scale_of
from unrolled.ragged import Ragged
from unrolled.streaming.engine import Engine

EXACT = 1e-7  # tolerance in float64
ROWS, STEPS = 16, 160  # maximum number of tested sequences, and of steps of each
FUTURES = 4  # number of places after which the inputs are changed


@dataclass(frozen=True)
class Law:
    """One law, and how precisely it holds.

    Args:
        name: what must be equal.
        gap: the largest difference found, as a share of the largest number or of 1.
        limit: the largest difference that is accepted.
    """

    name: str
    gap: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the difference is within the limit."""
        return self.gap <= self.limit

    def __str__(self) -> str:
        mark = "holds" if self.holds else "BROKEN"
        return f"{mark:<7} {self.name:<58} {self.gap:8.1e}  (allowed {self.limit:.0e})"

    def to_json(self) -> dict[str, Any]:
        """Convert the law to plain values."""
        return asdict(self) | {"holds": self.holds}


def network_laws(network: nn.Module, batch: Batch, seed: int = 0) -> list[Law]:
    """Test every law for the network's kind on some sequences.

    Args:
        network: an arrangement.
        batch: encoded examples with targets; the first sequences with steps are used.
        seed: of the random places where sequences are cut.

    Example:
        >>> from unrolled.arrangements.many_to_many import NextStep
        >>> from unrolled.codecs.base import Spec
        >>> from unrolled.nn.heads import NumberOutput
        >>> from unrolled.nn.inputs import InputLayer
        >>> from unrolled.nn.stack import Stack
        >>> net = NextStep(InputLayer({"x": Spec("vector", 2)}), Stack(2, 4), NumberOutput(1))
        >>> some = Batch({"x": Ragged(torch.randn(9, 2), [5, 4])}, targets=Ragged(torch.randn(9, 1), [5, 4]))
        >>> all(law.holds for law in network_laws(net, some))
        True
    """
    batch = _some(batch)
    generator = torch.Generator().manual_seed(seed)
    causal = not batch.sources and bool(getattr(network.layers, "causal", False))
    with calm(network):
        laws = [Law("each sequence alone, without batch mates or padding", _alone(network, batch), TOLERANCE)]
        if causal:
            engine = Engine(network)
            laws += [
                Law("chunks cut at random places, the state carried", _cut(engine, batch, generator), TOLERANCE),
                Law("single steps, the state carried", _cut(engine, batch, None), TOLERANCE),
            ]
            if not isinstance(network, ManyToOne) and int(batch.lengths.max()) > 1:
                laws.append(Law("earlier answers, with other inputs later", _future(network, batch), TOLERANCE))
    with _double(network) as exact, torch.enable_grad():
        precise = _as_double(batch)
        gradient = _gradient(exact, [precise])
        alone = [precise.select(torch.tensor([row])) for row in range(precise.batch_size)]
        laws.append(Law("gradients: each sequence alone", _off(_gradient(exact, alone), gradient), EXACT))
        if causal and not isinstance(network, ManyToOne):
            parts = _parts(precise, generator)
            laws.append(Law("gradients: chunks, the state carried", _off(_carried(exact, parts), gradient), EXACT))
    with torch.enable_grad(), _evaluating(network):
        quick = _gradient(network, [batch])
    laws.append(Law("gradients: this machine's kernels against float64", _off(quick, gradient), 1e-3))
    return laws


def _some(batch: Batch) -> Batch:
    rows = (batch.lengths > 0).nonzero().flatten()[:ROWS]
    return batch.select(rows).slice_time(0, STEPS)


# ---- answers -------------------------------------------------------------------------------------------


def _answers(network: Any, batch: Batch) -> Tensor:
    raw, _ = network(batch)
    return raw.values if isinstance(raw, Ragged) else raw


def _distance(one: Tensor, other: Tensor) -> float:
    return float(row_gaps(one, other).max()) / scale_of(other) if len(other) else 0.0


def _alone(network: Any, batch: Batch) -> float:
    together = _answers(network, batch)
    alone = [_answers(network, batch.select(torch.tensor([row]))) for row in range(batch.batch_size)]
    width = min(rows.shape[1] for rows in (together, *alone))  # pieces that can be copied differ between batches
    return _distance(torch.cat([rows[:, :width] for rows in alone]), together[:, :width])


def _cut(engine: Engine, batch: Batch, generator: torch.Generator | None) -> float:
    """Return the difference between reading in parts and at once; for one answer per sequence, after the last part."""
    whole = _answers(engine.network, batch)
    states = torch.from_numpy(engine.first).repeat(batch.batch_size, 1).numpy()
    fresh = torch.ones(batch.batch_size, dtype=torch.bool)
    said: list[list[Tensor]] = [[] for _ in range(batch.batch_size)]
    for part in _parts(batch, generator):
        raw, states = engine.run(part, states, fresh)
        fresh = fresh & (part.lengths == 0)
        for row, rows in enumerate(raw):
            said[row] = [rows] if isinstance(engine.network, ManyToOne) and len(rows) else [*said[row], rows]
    return _distance(torch.cat([rows for parts in said for rows in parts]), whole)


def _parts(batch: Batch, generator: torch.Generator | None) -> list[Batch]:
    """Cut every sequence into parts, at random places of its own or into single steps."""
    longest = int(batch.lengths.max())
    if generator is None:
        return [batch.slice_time(step, step + 1) for step in range(longest)]
    count = max(2, min(4, longest))
    shares = torch.rand(count - 1, batch.batch_size, generator=generator).sort(0).values
    edges = [torch.zeros(batch.batch_size), *shares, torch.ones(batch.batch_size)]
    cuts = [(share * batch.lengths).round().long() for share in edges]
    return [batch.slice_time(start, stop) for start, stop in pairwise(cuts)]


def _future(network: Any, batch: Batch) -> float:
    before = _answers(network, batch)
    positions = Ragged(torch.arange(batch.num_steps), batch.lengths).positions
    gap = 0.0
    for cut in torch.linspace(0, int(batch.lengths.max()) - 2, FUTURES).long().unique().tolist():
        after = _answers(network, _changed(batch, positions > cut))
        gap = max(gap, _distance(after[positions <= cut], before[positions <= cut]))
    return gap


def _changed(batch: Batch, later: Tensor) -> Batch:
    """Change the values at some steps of all inputs; values that cannot be invented are permuted."""
    inputs: dict[str, Ragged | Nested] = {}
    for name, column in batch.inputs.items():
        flat = column.index if isinstance(column, Nested) else column
        few = len(flat.values.unique(dim=0)) < 2
        others = flat.values if few else other_values(flat)
        shape = (-1, *[1] * (others.ndim - 1))
        changed = flat.with_values(torch.where(later.view(shape), others, flat.values))
        inputs[name] = replace(column, index=changed) if isinstance(column, Nested) else changed
    return replace(batch, inputs=inputs)


# ---- gradients -----------------------------------------------------------------------------------------


def _gradient(network: Any, batches: list[Batch]) -> list[Tensor]:
    """Compute the gradient of the summed loss over the batches, one tensor per weight."""
    return _backward(network, lambda: torch.stack([network.loss(batch).total for batch in batches]).sum())


def _carried(network: Any, parts: list[Batch]) -> list[Tensor]:
    def total() -> Tensor:
        state, losses = None, []
        for part in parts:
            found = network.loss(part, state)
            losses.append(found.total)
            state = found.state
        return torch.stack(losses).sum()

    return _backward(network, total)


def _backward(network: nn.Module, total: Callable[[], Tensor]) -> list[Tensor]:
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    found = torch.autograd.grad(total(), weights, allow_unused=True)
    pairs: list[tuple[Any, Tensor]] = list(zip(found, weights, strict=True))
    return [torch.zeros_like(weight) if one is None else one.to_dense() for one, weight in pairs]


def _off(one: list[Tensor], other: list[Tensor]) -> float:
    """Return the distance of one gradient from the other, as a share of its length."""
    first, second = (torch.cat([part.flatten().double() for part in parts]) for parts in (one, other))
    length = float(second.norm())
    return float((first - second).norm()) / length if length else float(first.norm())


@contextmanager
def _evaluating(network: nn.Module) -> Generator[None]:
    """Switch to evaluation mode, as dropout would draw new numbers each time."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


@contextmanager
def _double(network: nn.Module) -> Generator[nn.Module]:
    """Yield a copy in float64, and make new tensors float64 too."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield copy.deepcopy(network).double().eval()
    finally:
        torch.set_default_dtype(before)


def _as_double(batch: Batch) -> Batch:
    def precise(value: Any) -> Any:
        if isinstance(value, Ragged):
            return value.with_values(precise(value.values))
        return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value

    return replace(
        batch,
        inputs={name: precise(value) for name, value in batch.inputs.items()},
        statics={name: precise(value) for name, value in batch.statics.items()},
        targets=precise(batch.targets),
        sources={name: precise(value) for name, value in batch.sources.items()},
    )
