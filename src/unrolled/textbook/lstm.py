"""Long short-term memory, remedy 3, and back-propagation through its state, which is the pair (h_t, cell_t)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.textbook.loss import first_seen

Array = NDArray[np.float64]


@dataclass
class Network:
    """One of the LSTM's four small networks, before its squashing function: `U x + W h + b`."""

    U: Array  # (H, F)
    W: Array  # (H, H)
    b: Array  # (H,)

    def __call__(self, x: Array, hidden: Array) -> Array:
        """Map input (F,) and the last output (H,) to (H,)."""
        return self.U @ x + self.W @ hidden + self.b

    def add(self, slope: Array, now: "Moment") -> None:
        """Add one step's gradient: `dJ/dz` (H,) times the factors of U, W and b in that step."""
        self.U += np.outer(slope, now.x)
        self.W += np.outer(slope, now.hidden_before)
        self.b += slope


class Moment(NamedTuple):
    """All values of one time step of an LSTM; each (H,) except for the input x (F,)."""

    x: Array
    hidden_before: Array
    cell_before: Array
    forget: Array
    store: Array
    candidate: Array
    output: Array
    cell: Array
    hidden: Array


def sigmoid(z: Array) -> Array:
    """Compute a gate between 0, closed, and 1, open."""
    return 0.5 * (1 + np.tanh(z / 2))  # equals 1 / (1 + exp(-z)), and cannot overflow


class LSTM:
    """Four small networks that forget, store and output (Hochreiter and Schmidhuber, 1997).

        forget, store, output = sigmoid(U x_t + W h_{t-1} + b)      three gates, each with its own U, W, b
        candidate             = tanh(U x_t + W h_{t-1} + b)         the value to store
        cell_t                = forget * cell_{t-1} + store * candidate
        h_t                   = output * tanh(cell_t)

    Args:
        input_size: size of an input, F.
        hidden_size: size of an output and of the cell, H.
        seed: seed of the starting weights. The forget gate's b starts at 1: at first, keep.
    """

    def __init__(self, input_size: int, hidden_size: int, seed: int = 0) -> None:
        draw = np.random.default_rng(seed)

        def network(bias: float) -> Network:
            U = draw.normal(size=(hidden_size, input_size)) / np.sqrt(input_size)
            W = draw.normal(size=(hidden_size, hidden_size)) / np.sqrt(hidden_size)
            return Network(U, W, np.full(hidden_size, bias))

        self.store = network(0.0)
        self.forget = network(1.0)
        self.candidate = network(0.0)
        self.output = network(0.0)
        self.reset()

    @classmethod
    def from_torch(cls, weight_ih: ArrayLike, weight_hh: ArrayLike, bias_ih: ArrayLike, bias_hh: ArrayLike) -> "LSTM":
        """Make an LSTM from torch's weights: four blocks of H rows, in the order store, forget, candidate, output.

        Args:
            weight_ih: (4 * H, F).
            weight_hh: (4 * H, H).
            bias_ih: (4 * H,); torch adds two biases, though one would be enough.
            bias_hh: (4 * H,).
        """
        U, W = np.array(weight_ih, dtype=float), np.array(weight_hh, dtype=float)
        b = np.asarray(bias_ih, dtype=float) + np.asarray(bias_hh, dtype=float)
        lstm = cls(U.shape[1], W.shape[1])
        blocks = zip(np.split(U, 4), np.split(W, 4), np.split(b, 4), strict=True)
        lstm.store, lstm.forget, lstm.candidate, lstm.output = (Network(*block) for block in blocks)
        return lstm

    def reset(self) -> None:
        """Reset the state: h_0 = 0 and cell_0 = 0."""
        self.hidden: Array = np.zeros(len(self.store.b))  # (H,)
        self.cell: Array = np.zeros(len(self.store.b))  # (H,)

    def step(self, x: ArrayLike) -> Array:
        """Read one input (F,), given all earlier inputs; return the output (H,)."""
        return self._step(np.asarray(x, dtype=float)).hidden

    def _step(self, x: Array) -> Moment:
        before = (self.hidden, self.cell)
        forget = sigmoid(self.forget(x, self.hidden))
        store = sigmoid(self.store(x, self.hidden))
        candidate = np.tanh(self.candidate(x, self.hidden))
        output = sigmoid(self.output(x, self.hidden))
        self.cell = forget * self.cell + store * candidate
        self.hidden = output * np.tanh(self.cell)
        return Moment(x, *before, forget, store, candidate, output, self.cell, self.hidden)

    def forward(self, inputs: ArrayLike) -> list[Moment]:
        """Unfold in time: inputs (T, F) to the T moments, each with its `hidden` and `cell`."""
        self.reset()
        return [self._step(x) for x in np.asarray(inputs, dtype=float)]

    def slopes(self, now: Moment) -> dict[str, Array]:
        """Compute `ds_t/dz` (2 * H, H) for each network's `z = U x + W h + b`.

        The state is s_t = (h_t, cell_t): rows of h_t first, then those of cell_t.
        """
        shown = now.output * (1 - np.tanh(now.cell) ** 2)  # dh_t/dcell_t
        into_cell = {
            "store": now.candidate * now.store * (1 - now.store),
            "forget": now.cell_before * now.forget * (1 - now.forget),
            "candidate": now.store * (1 - now.candidate**2),
        }
        slopes = {name: np.vstack([np.diag(shown * slope), np.diag(slope)]) for name, slope in into_cell.items()}
        output = np.tanh(now.cell) * now.output * (1 - now.output)
        return slopes | {"output": np.vstack([np.diag(output), np.zeros((len(output), len(output)))])}

    def step_jacobian(self, now: Moment) -> Array:
        """Compute `ds_t/ds_{t-1}` (2 * H, 2 * H) of the joint state: [[dh/dh, dh/dcell], [dcell/dh, dcell/dcell]]."""
        slopes = self.slopes(now)
        from_hidden = np.hstack(list(slopes.values())) @ np.vstack([self.networks[name].W for name in slopes])
        shown = now.output * (1 - np.tanh(now.cell) ** 2)  # dh_t/dcell_t
        from_cell = np.vstack([np.diag(shown * now.forget), np.diag(now.forget)])  # no weight matrix on this path
        return np.hstack([from_hidden, from_cell])

    def jacobian(self, moments: list[Moment], i: int, k: int) -> Array:
        """Compute `ds_i/ds_k` (2 * H, 2 * H): the product of i - k Jacobians; step t is `moments[t - 1]`."""
        product = np.eye(2 * len(self.store.b))
        for j in range(k + 1, i + 1):
            product = self.step_jacobian(moments[j - 1]) @ product
        return product

    def explicit_part(self, now: Moment) -> dict[str, Array]:
        """Compute `d+ s_t/dW` (2 * H, H, H) for the W of each network, with the previous state held constant."""
        return {name: np.einsum("ab,c->abc", slope, now.hidden_before) for name, slope in self.slopes(now).items()}

    def implicit_part(self, moments: list[Moment], i: int) -> dict[str, Array]:
        """Compute `sum_{k<i} (ds_i/ds_k) (d+ s_k/dW)` (2 * H, H, H) for the W of each network."""
        size = len(self.store.b)
        total = {name: np.zeros((2 * size, size, size)) for name in self.networks}
        for k in range(1, i):
            product = self.jacobian(moments, i, k)
            for name, part in self.explicit_part(moments[k - 1]).items():
                total[name] += np.tensordot(product, part, 1)
        return total

    def terms(self, inputs: ArrayLike, d_outputs: ArrayLike, bptt_steps: int = 0) -> dict[str, Array]:
        """Compute every term `(dJ_i/ds_i) (ds_i/ds_k) (d+ s_k/dW)` for the W of each network, by its name.

        Args:
            inputs: (T, F).
            d_outputs: dJ_i/dh_i of every step, (T, H).
            bptt_steps: remedy 2, look back only this many time steps; 0 = to the start.

        Returns:
            (T, T, H, H) each: entry [i - 1, k - 1] is the term of loss i and step k, zero where i cannot reach k.

        Example: the contribution of step 1 to the loss of step 3 through the forget gate.

            >>> terms = LSTM(input_size=1, hidden_size=2).terms(np.ones((3, 1)), np.ones((3, 2)))
            >>> terms["forget"][3 - 1, 1 - 1].shape
            (2, 2)
        """
        moments, size = self.forward(inputs), len(self.store.b)
        terms = {name: np.zeros((len(moments), len(moments), size, size)) for name in self.networks}
        for i, d_output in enumerate(np.asarray(d_outputs), start=1):
            d_state = np.concatenate([d_output, np.zeros(size)])  # dJ_i/ds_i: the loss reads h_i, and not the cell
            for k in range(first_seen(i, bptt_steps), i + 1):
                d_earlier = d_state @ self.jacobian(moments, i, k)  # dJ_i/ds_k
                for name, part in self.explicit_part(moments[k - 1]).items():
                    terms[name][i - 1, k - 1] = np.tensordot(d_earlier, part, 1)
        return terms

    def backward_as_written(self, inputs: ArrayLike, d_outputs: ArrayLike, bptt_steps: int = 0) -> dict[str, Network]:
        """Compute the gradient as on the board, for the joint state: `dJ_i/ds_i sum_k (ds_i/ds_k) (d+ s_k/dW)`.

        Args:
            inputs: (T, F).
            d_outputs: dJ_i/dh_i of every step, (T, H).
            bptt_steps: remedy 2, look back only this many time steps; 0 = to the start.
        """
        moments, gradients = self.forward(inputs), self._nothing_yet()
        for i, d_output in enumerate(np.asarray(d_outputs), start=1):
            d_state = np.concatenate([d_output, np.zeros_like(d_output)])  # dJ_i/ds_i
            for k in range(first_seen(i, bptt_steps), i + 1):
                self._add(gradients, moments[k - 1], d_state @ self.jacobian(moments, i, k))
        return gradients

    def backward_truncated(self, inputs: ArrayLike, d_outputs: ArrayLike, bptt_steps: int) -> dict[str, Network]:
        """Apply remedy 2 in one sweep: the gradient of each loss is dropped after `bptt_steps` steps."""
        gradients = self._nothing_yet()
        asked = np.zeros((0, 2 * len(self.store.b)))  # one row per loss that looks back to s_t, the nearest first
        for now, d_output in zip(self.forward(inputs)[::-1], np.asarray(d_outputs)[::-1], strict=True):
            asked = np.vstack([np.concatenate([d_output, np.zeros_like(d_output)]), asked])[:bptt_steps]
            self._add(gradients, now, asked.sum(0))
            asked = asked @ self.step_jacobian(now)
        return gradients

    def backward(self, inputs: ArrayLike, d_outputs: ArrayLike) -> dict[str, Network]:
        """Compute back-propagation through time in one sweep, as programs do.

        Args:
            inputs: (T, F).
            d_outputs: dJ_t/dh_t of every step, (T, H).

        Returns:
            the gradients of U, W and b of each of the four networks, by its name.
        """
        gradients, networks = self._nothing_yet(), self.networks
        d_hidden, d_cell = np.zeros(len(self.store.b)), np.zeros(len(self.store.b))
        for now, d_output in zip(self.forward(inputs)[::-1], np.asarray(d_outputs)[::-1], strict=True):
            d_hidden = d_hidden + d_output
            d_cell = d_cell + d_hidden * now.output * (1 - np.tanh(now.cell) ** 2)
            slopes = {
                "store": d_cell * now.candidate * now.store * (1 - now.store),
                "forget": d_cell * now.cell_before * now.forget * (1 - now.forget),
                "candidate": d_cell * now.store * (1 - now.candidate**2),
                "output": d_hidden * np.tanh(now.cell) * now.output * (1 - now.output),
            }
            for name, slope in slopes.items():
                gradients[name].add(slope, now)
            d_cell = d_cell * now.forget  # no weight matrix on this path: an open gate keeps the gradient
            d_hidden = sum((networks[name].W.T @ slope for name, slope in slopes.items()), np.zeros_like(d_hidden))
        return gradients

    @property
    def networks(self) -> dict[str, Network]:
        """The four networks by name."""
        return {"store": self.store, "forget": self.forget, "candidate": self.candidate, "output": self.output}

    def _nothing_yet(self) -> dict[str, Network]:
        return {
            name: Network(np.zeros_like(n.U), np.zeros_like(n.W), np.zeros_like(n.b))
            for name, n in self.networks.items()
        }

    def _add(self, gradients: dict[str, Network], now: Moment, d_state: Array) -> None:
        """Add `dJ/ds_t (d+ s_t/dU, W, b)` of one step to the gradients."""
        for name, slope in self.slopes(now).items():
            gradients[name].add(d_state @ slope, now)
