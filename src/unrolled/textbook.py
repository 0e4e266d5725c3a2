"""The lecture's networks in plain NumPy, with back-propagation through time written out by hand.

To be read in class, and used as an oracle by the tests. One sequence at a time, nothing is fast, and
every line can be checked with a pencil.

    the simple network   s_t = tanh(W s_{t-1} + U x_t)      y_t = V s_t
    its loss             J = sum_t J_t                      J_t = -log softmax(y_t)[true output]
    learning             W <- W - a dJ/dW                   gradients are summed over time

States are numbered as on the board: s_0 is the state before the first input, x_t leads from s_{t-1} to
s_t. Python counts inputs from 0, so x_t is `inputs[t - 1]`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def softmax(output: Array) -> Array:
    """Scores (V,) to probabilities (V,)."""
    raised = np.exp(output - output.max())  # the largest score is taken off so that exp cannot overflow
    return raised / raised.sum()


def cross_entropy(output: Array, target: int) -> float:
    """`J_t = -log p(true output)` of one step.

    >>> round(cross_entropy(np.array([0.0, 0.0]), 1), 4)  # two equal scores: log 2
    0.6931
    """
    return -float(np.log(softmax(output)[target]))


def clip_to_band(gradients: Sequence[Array], low: float, high: float) -> list[Array]:
    """Remedy 1: scale all gradients together so that their norm c lies in `low <= c <= high`.

    >>> clip_to_band([np.array([3.0, 4.0])], low=0.0, high=1.0)
    [array([0.6, 0.8])]
    """
    norm = float(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))
    scale = min(max(norm, low), high) / norm if norm else 1.0
    return [gradient * scale for gradient in gradients]


# ---- the simple recurrent network ------------------------------------------------------------------


class Gradients(NamedTuple):
    """dJ/dU, dJ/dW and dJ/dV, each in the shape of its matrix."""

    U: Array
    W: Array
    V: Array


class RNN:
    """The lecture's network: an object with a `step(x)` that remembers its state.

    Args:
        input_size: numbers in one input, F.
        hidden_size: numbers in the state, H.
        output_size: numbers in one output, V.
        seed: seed of the starting weights.

    Example: the same input, a different output.

        >>> network = RNN(input_size=1, hidden_size=2, output_size=1)
        >>> first, second = network.step(np.ones(1)), network.step(np.ones(1))
        >>> bool(first == second)
        False
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int, seed: int = 0) -> None:
        draw = np.random.default_rng(seed)
        self.U = draw.normal(size=(hidden_size, input_size)) / np.sqrt(input_size)  # (H, F)
        self.W = draw.normal(size=(hidden_size, hidden_size)) / np.sqrt(hidden_size)  # (H, H)
        self.V = draw.normal(size=(output_size, hidden_size)) / np.sqrt(hidden_size)  # (V, H)
        self.reset()

    def reset(self) -> None:
        """Forget everything: s_0 = 0."""
        self.state: Array = np.zeros(len(self.W))  # (H,)

    def step(self, x: ArrayLike) -> Array:
        """One input (F,) to one output (V,), given all inputs before it."""
        self.state = np.tanh(self.W @ self.state + self.U @ np.asarray(x))  # (H,)
        return self.V @ self.state  # (V,)

    def forward(self, inputs: ArrayLike) -> tuple[Array, Array]:
        """Unfold in time: inputs (T, F) to states s_0 ... s_T (T + 1, H) and outputs (T, V)."""
        self.reset()
        states, outputs = [self.state], []
        for x in np.asarray(inputs):
            outputs.append(self.step(x))
            states.append(self.state)
        return np.stack(states), np.array(outputs).reshape(-1, len(self.V))

    def loss(self, inputs: ArrayLike, targets: Sequence[int]) -> float:
        """`J = sum_t J_t` over a whole sequence, from s_0 = 0."""
        _, outputs = self.forward(inputs)
        return sum(cross_entropy(output, target) for output, target in zip(outputs, targets, strict=True))

    def jacobian(self, states: Array, i: int, k: int) -> Array:
        """`ds_i/ds_k` (H, H): the product of i - k Jacobians that vanishes or explodes."""
        product = np.eye(len(self.W))
        for j in range(k + 1, i + 1):
            product = np.diag(1 - states[j] ** 2) @ self.W @ product  # ds_j/ds_{j-1}, to the left of what came before
        return product

    def backward_as_written(self, inputs: ArrayLike, targets: Sequence[int], bptt_steps: int = 0) -> Gradients:
        """The gradient as it stands on the board: `dJ_i/dW = dJ_i/ds_i sum_k (ds_i/ds_k) (d+ s_k/dW)`.

        `d+ s_k/dW` is the explicit part: W acts in step k while s_{k-1} is held constant. The implicit
        part, through every earlier state, is the sum over k.

        Args:
            inputs: (T, F).
            targets: the true output of every step, T integers.
            bptt_steps: remedy 2, look only at the last so many time steps; 0 looks back to the start.
        """
        x = np.asarray(inputs)
        states, outputs = self.forward(x)
        dU, dW, dV = np.zeros_like(self.U), np.zeros_like(self.W), np.zeros_like(self.V)
        for i in range(1, len(x) + 1):
            d_output = softmax(outputs[i - 1])  # dJ_i/dy_i is what was predicted ...
            d_output[targets[i - 1]] -= 1  # ... minus what is true
            dV += np.outer(d_output, states[i])
            d_state = self.V.T @ d_output  # dJ_i/ds_i
            earliest = max(1, i - bptt_steps + 1) if bptt_steps else 1
            for k in range(earliest, i + 1):
                d_earlier = d_state @ self.jacobian(states, i, k)  # dJ_i/ds_k
                explicit = d_earlier * (1 - states[k] ** 2)  # through the tanh of step k
                dW += np.outer(explicit, states[k - 1])
                dU += np.outer(explicit, x[k - 1])
        return Gradients(dU, dW, dV)

    def backward(self, inputs: ArrayLike, targets: Sequence[int]) -> Gradients:
        """The same gradient in one sweep from the last step to the first, as every program computes it."""
        x = np.asarray(inputs)
        states, outputs = self.forward(x)
        dU, dW, dV = np.zeros_like(self.U), np.zeros_like(self.W), np.zeros_like(self.V)
        from_later = np.zeros(len(self.W))  # what all later losses ask of s_t: the implicit part
        for t in range(len(x), 0, -1):
            d_output = softmax(outputs[t - 1])
            d_output[targets[t - 1]] -= 1
            dV += np.outer(d_output, states[t])
            slope = (self.V.T @ d_output + from_later) * (1 - states[t] ** 2)
            dW += np.outer(slope, states[t - 1])
            dU += np.outer(slope, x[t - 1])
            from_later = self.W.T @ slope
        return Gradients(dU, dW, dV)

    def learn(self, inputs: ArrayLike, targets: Sequence[int], rate: float = 0.1) -> float:
        """One update `W <- W - a dJ/dW` of all three matrices; gives the loss before it."""
        before = self.loss(inputs, targets)
        gradients = self.backward(inputs, targets)
        self.U -= rate * gradients.U
        self.W -= rate * gradients.W
        self.V -= rate * gradients.V
        return before


# ---- long short-term memory: remedy 3 ----------------------------------------------------------------


@dataclass
class Network:
    """One of the LSTM's four small networks, before its squashing: `U x + W h + b`."""

    U: Array  # (H, F)
    W: Array  # (H, H)
    b: Array  # (H,)

    def __call__(self, x: Array, hidden: Array) -> Array:
        """Input (F,) and the last output (H,) to (H,)."""
        return self.U @ x + self.W @ hidden + self.b


class Moment(NamedTuple):
    """Everything that one time step of an LSTM computed; each (H,) but for the input x (F,)."""

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
    """A gate between 0, closed, and 1, open."""
    return 0.5 * (1 + np.tanh(z / 2))  # the same curve as 1 / (1 + exp(-z)), and it cannot overflow


class LSTM:
    """Four small networks that forget, store and output (Hochreiter and Schmidhuber, 1997).

        forget, store, output = sigmoid(U x_t + W h_{t-1} + b)      three gates, each with its own U, W, b
        candidate             = tanh(U x_t + W h_{t-1} + b)         what there is to store
        cell_t                = forget * cell_{t-1} + store * candidate
        h_t                   = output * tanh(cell_t)

    Args:
        input_size: numbers in one input, F.
        hidden_size: numbers in one output and in the cell, H.
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
        """An LSTM with weights in torch's layout: four blocks of H rows, in the order store, forget, candidate, output.

        Args:
            weight_ih: (4 * H, F).
            weight_hh: (4 * H, H).
            bias_ih: (4 * H,); torch adds two biases where one would do.
            bias_hh: (4 * H,).
        """
        U, W = np.array(weight_ih, dtype=float), np.array(weight_hh, dtype=float)
        b = np.asarray(bias_ih, dtype=float) + np.asarray(bias_hh, dtype=float)
        lstm = cls(U.shape[1], W.shape[1])
        blocks = zip(np.split(U, 4), np.split(W, 4), np.split(b, 4), strict=True)
        lstm.store, lstm.forget, lstm.candidate, lstm.output = (Network(*block) for block in blocks)
        return lstm

    def reset(self) -> None:
        """Forget everything: h_0 = 0 and cell_0 = 0."""
        self.hidden: Array = np.zeros(len(self.store.b))  # (H,)
        self.cell: Array = np.zeros(len(self.store.b))  # (H,)

    def step(self, x: ArrayLike) -> Array:
        """One input (F,) to one output (H,), given all inputs before it."""
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

    def backward(self, inputs: ArrayLike, d_outputs: ArrayLike) -> dict[str, Network]:
        """Back-propagation through time.

        Args:
            inputs: (T, F).
            d_outputs: dJ_t/dh_t of every step, (T, H).

        Returns:
            the gradients of U, W and b of each of the four networks, by its name.
        """
        names = ("store", "forget", "candidate", "output")
        networks: dict[str, Network] = {name: getattr(self, name) for name in names}
        gradients = {
            name: Network(np.zeros_like(n.U), np.zeros_like(n.W), np.zeros_like(n.b)) for name, n in networks.items()
        }
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
                gradients[name].U += np.outer(slope, now.x)
                gradients[name].W += np.outer(slope, now.hidden_before)
                gradients[name].b += slope
            d_cell = d_cell * now.forget  # no weight matrix on this road: an open gate keeps the gradient alive
            d_hidden = sum((networks[name].W.T @ slope for name, slope in slopes.items()), np.zeros_like(d_hidden))
        return gradients
