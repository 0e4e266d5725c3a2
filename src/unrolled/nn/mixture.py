"""A density of the next vector: a mixture of Gaussians for numbers, with binary switches and an end."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor
from torch.linalg import qr, solve_triangular
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from unrolled.errors import OptionError, finite_number, message, whole_number
from unrolled.nn.output import COLDEST, Output, precise, same_shape

FLOOR = 1e-3  # minimum standard deviation of a number, given the previous ones in the row
FAR, HALVINGS = 6.0, 22  # search interval of a quantile in deviations, and number of its halvings
_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


class Mixture(NamedTuple):
    """The parameters of the mixture of each row; D numbers, S switches, K components.

    A component draws its numbers in turn: number i has the mean `means[i] + coupling[i] @ (numbers - means)` and the
    standard deviation `scales[i]`. As `coupling` is strictly lower triangular, this can be any Gaussian.
    """

    log_shares: Tensor  # (M, K)
    means: Tensor  # (M, K, D)
    scales: Tensor  # (M, K, D)
    coupling: Tensor  # (M, K, D, D)
    switches: Tensor  # (M, S) log odds of 1
    end: Tensor  # (M, 1) log odds that the sequence ends here, or (M, 0)


class MixtureOutput(Output):
    """A mixture of full-covariance Gaussians for a row's numbers, a probability for each switch, and one for the end.

    Targets have `size` columns, and after them, where the output has an end, one that is 1 in the row after the last.
    Missing values (NaN) are integrated out; a row that only marks the end is NaN everywhere else. The loss is in nats
    of a density: it may be negative. `FLOOR` keeps it finite for numbers without any spread.

    A component has D means, D spreads and D(D-1)/2 couplings, so this is meant for rows of a few dozen numbers.

    Args:
        size: number of columns, numbers and switches together.
        components: number of Gaussians, K.
        switches: indices of the columns that are 0 or 1, such as a lifted pen.
        ends: whether the model predicts the end of a sequence.
        floor: minimum standard deviation of a number, given the previous ones in the row.

    Source: A. Graves, "Generating Sequences With Recurrent Neural Networks", 2013, section 4.1; the Cholesky form of a
    covariance by regressions on the previous numbers: M. Pourahmadi, "Joint mean-covariance models with applications to
    longitudinal data", Biometrika 86 (1999), section 2.

    Example:
        >>> import torch
        >>> output = MixtureOutput(size=3, components=2, switches=[2], ends=True)
        >>> output.width, output.numbers
        (14, [0, 1])
        >>> output.loss(torch.zeros(1, 14), torch.tensor([[0.0, 0.0, 1.0, 0.0]])).shape
        torch.Size([1])
    """

    name = "mixture"

    def __init__(
        self, size: int, components: int, switches: Sequence[int] = (), ends: bool = False, floor: float = FLOOR
    ) -> None:
        components = whole_number("components", components, least=1)
        if len(set(switches)) < len(switches) or not set(switches) <= set(range(size)):
            raise OptionError(message("switches", expected=f"distinct columns below {size}", received=list(switches)))
        self.numbers = [column for column in range(size) if column not in set(switches)]
        if not self.numbers:
            raise OptionError(message("size", expected="at least one number besides the switches", received=size))
        self.size = size
        self.components = components
        self.switches = list(switches)
        self.ends = ends
        self.floor = floor
        self.pieces = [  # widths of the parts of raw, in order
            components,
            components * len(self.numbers),
            components * len(self.numbers),
            components * (len(self.numbers) * (len(self.numbers) - 1) // 2),
            len(self.switches),
            int(ends),
        ]
        self.width = sum(self.pieces)

    def parts(self, raw: Tensor) -> Mixture:
        """Split raw numbers (M, width) into the parameters of the mixture."""
        rows, count = len(raw), len(self.numbers)
        shares, means, scales, coupling, switches, end = precise(raw).split(self.pieces, 1)
        places = torch.tril_indices(count, count, -1, device=raw.device)
        square = means.new_zeros(rows, self.components, count, count)
        square[:, :, places[0], places[1]] = coupling.view(rows, self.components, places.shape[1])
        by_component = (rows, self.components, count)
        return Mixture(
            shares.log_softmax(1),
            means.view(by_component),
            softplus(scales.view(by_component)) + self.floor,
            square,
            switches,
            end,
        )

    def loss(self, raw: Tensor, targets: Tensor) -> Tensor:
        """Compute the nats of the known values of each row: (M, width), (M, size) or (M, size + 1) to (M,)."""
        same_shape(raw.new_empty(len(raw), self.size + self.ends), targets)
        mixture = self.parts(raw)
        targets = targets.to(mixture.means.dtype)
        nats = -(mixture.log_shares + _log_densities(mixture, targets[:, self.numbers])).logsumexp(1)  # (M,)
        odds = torch.cat([mixture.switches, mixture.end], 1)  # (M, S + 1)
        truth = torch.cat([targets[:, self.switches], targets[:, self.size :]], 1)
        known = ~truth.isnan()
        cost = binary_cross_entropy_with_logits(odds, truth.nan_to_num(nan=0.0), reduction="none")
        return nats + (cost * known).sum(1)

    def count(self, targets: Tensor) -> float:
        """Count the rows with a known value."""
        return float((~targets.isnan()).any(1).sum())

    def predict(self, raw: Tensor) -> Tensor:
        """Return the mean of each number and the likelier state of each switch, (M, size)."""
        answer = self.describe(raw)[:, : self.size]
        answer[:, self.switches] = (answer[:, self.switches] > 0.5).to(answer.dtype)
        return answer

    def describe(self, raw: Tensor) -> Tensor:
        """Return means of numbers and probabilities of switches and of the end, (M, size) or (M, size + 1)."""
        mixture = self.parts(raw)
        means = (mixture.log_shares.exp()[..., None] * mixture.means).sum(1)  # (M, D)
        return self._row(means, mixture.switches.sigmoid(), mixture.end.sigmoid())

    def quantiles(self, raw: Tensor, levels: Sequence[float]) -> Tensor:
        """Compute the marginal quantiles of each number, (M, D, Q), by bisection.

        Args:
            raw: (M, width).
            levels: Q probabilities in (0, 1).
        """
        mixture = self.parts(raw)
        root = _undo(mixture.coupling, torch.diag_embed(mixture.scales))  # (M, K, D, D)
        # results for people: NumPy does a few of them in a fifth of the time
        spread = root.square().sum(3).sqrt().numpy(force=True)[..., None]  # (M, K, D, 1)
        shares, means = (
            part.numpy(force=True)[..., None] for part in (mixture.log_shares.exp()[..., None], mixture.means)
        )
        wanted = np.asarray(levels, dtype=means.dtype)  # (Q,)
        low, high = (means - FAR * spread).min(1) + 0 * wanted, (means + FAR * spread).max(1) + 0 * wanted  # (M, D, Q)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            above = (shares * ndtr((middle[:, None] - means) / spread)).sum(1) >= wanted  # (M, D, Q)
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return torch.from_numpy((low + high) / 2).to(raw.device)

    def sample(self, raw: Tensor, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """Draw one row each: (M, size), or (M, size + 1) with 1 in the last column where the sequence ends instead.

        Args:
            raw: (M, width).
            temperature: divisor of log shares, log densities and log odds, so a factor of variances; 0 takes the mean
                of the likeliest component and the likelier state of every switch.
            generator: the source of randomness, for repeatable draws.

        Raises:
            OptionError: a temperature below 0, or one that is not finite.

        Source: D. Ha and D. Eck, "A Neural Representation of Sketch Drawings", ICLR 2018, section 3.3.
        """
        temperature = finite_number("temperature", temperature, least=0)
        mixture = self.parts(raw)
        if temperature < COLDEST:
            chosen = mixture.log_shares.argmax(1)  # (M,)
            return self._row(_of(mixture.means, chosen), *((odds > 0).to(odds.dtype) for odds in mixture[4:]))
        logs = mixture.log_shares - mixture.log_shares.amax(1, keepdim=True)  # 0 for the likeliest: nothing overflows
        chosen = torch.multinomial((logs / temperature).softmax(1), 1, generator=generator).squeeze(1)
        noise = torch.randn(mixture.means[:, 0].shape, generator=generator).to(mixture.means)
        apart = _of(mixture.scales, chosen) * noise * temperature**0.5  # (M, D)
        numbers = _of(mixture.means, chosen) + _undo(_of(mixture.coupling, chosen), apart[..., None]).squeeze(-1)
        states = (torch.bernoulli((odds / temperature).sigmoid(), generator=generator) for odds in mixture[4:])
        return self._row(numbers, *states)

    def _row(self, numbers: Tensor, switches: Tensor, end: Tensor) -> Tensor:
        """Join the columns in the data's order."""
        row = numbers.new_empty(len(numbers), self.size)
        row[:, self.numbers], row[:, self.switches] = numbers, switches
        return torch.cat([row, end], 1)

    def to_json(self) -> dict[str, Any]:
        return {
            "output": self.name,
            "size": self.size,
            "components": self.components,
            "switches": self.switches,
            "ends": self.ends,
            "floor": self.floor,
        }


def _log_densities(mixture: Mixture, numbers: Tensor) -> Tensor:
    """Compute the log density of each row's known numbers in each component: (M, D) to (M, K)."""
    known = ~numbers.isnan()  # (M, D)
    error = torch.where(known, numbers, 0.0)[:, None] - mixture.means  # (M, K, D)
    units = (error - (mixture.coupling * error[:, :, None]).sum(3)) / mixture.scales  # (M, K, D)
    logs = -(0.5 * units.square() + mixture.scales.log() + _HALF_LOG_TAU).sum(2)  # (M, K)
    logs = torch.where(known.all(1)[:, None], logs, 0.0)
    partly = (known.any(1) & ~known.all(1)).nonzero().squeeze(1)
    if not len(partly):
        return logs
    return logs.index_put((partly,), _marginal(mixture, error[partly], known[partly], partly))


def _marginal(mixture: Mixture, error: Tensor, known: Tensor, rows: Tensor) -> Tensor:
    """Compute the log densities of rows with missing numbers, (m, K).

    With the covariance `A A'`, the known numbers have the known rows of A. A missing one becomes an independent unit,
    which adds nothing; QR gives a triangular root of the rest without squaring the condition number.
    """
    root = _undo(mixture.coupling[rows], torch.diag_embed(mixture.scales[rows]))  # (m, K, D, D)
    units = torch.diag_embed((~known).to(root.dtype))[:, None].expand_as(root)
    wide = torch.cat([root * known[:, None, :, None], units], 3)  # (m, K, D, 2D)
    lower = qr(wide.mT).R.mT  # (m, K, D, D)
    apart = solve_triangular(lower, (error * known[:, None])[..., None], upper=False).squeeze(-1)  # (m, K, D)
    spread = lower.diagonal(dim1=2, dim2=3).abs().log()  # (m, K, D)
    return -(0.5 * apart.square() + spread + _HALF_LOG_TAU * known[:, None].to(spread.dtype)).sum(2)


def _undo(coupling: Tensor, apart: Tensor) -> Tensor:
    """Solve `x = coupling x + apart` for the numbers x, given their independent parts, (..., D, any)."""
    unit = torch.eye(coupling.shape[-1], dtype=coupling.dtype, device=coupling.device)
    return solve_triangular(unit - coupling, apart, upper=False, unitriangular=True)


def _of(values: Tensor, chosen: Tensor) -> Tensor:
    """Select the values of one component in each row: (M, K, ...) to (M, ...)."""
    return values[torch.arange(len(chosen), device=chosen.device), chosen]
