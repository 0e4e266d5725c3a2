"""The simple recurrent network, and its gradient as single terms, as the sum on the board and as a sweep."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unrolled.textbook.loss import cross_entropy, first_seen, output_slope

Array = NDArray[np.float64]


class Gradients(NamedTuple):
    """dJ/dU, dJ/dW and dJ/dV, each in the shape of its matrix."""

    U: Array
    W: Array
    V: Array


class RNN:
    """The lecture's network: an object with a method `step(x)` and a state.

    Args:
        input_size: size of an input, F.
        hidden_size: size of the state, H.
        output_size: size of an output, V.
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
        """Reset the state: s_0 = 0."""
        self.state: Array = np.zeros(len(self.W))  # (H,)

    def step(self, x: ArrayLike) -> Array:
        """Read one input (F,), given all earlier inputs; return the output (V,)."""
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
        """Compute `J = sum_t J_t` over a whole sequence, from s_0 = 0."""
        _, outputs = self.forward(inputs)
        return sum(cross_entropy(output, target) for output, target in zip(outputs, targets, strict=True))

    def jacobian(self, states: Array, i: int, k: int) -> Array:
        """Compute `ds_i/ds_k` (H, H): the product of i - k Jacobians that vanishes or explodes."""
        product = np.eye(len(self.W))
        for j in range(k + 1, i + 1):
            product = np.diag(1 - states[j] ** 2) @ self.W @ product  # ds_j/ds_{j-1}, left of earlier factors
        return product

    def explicit_part(self, states: Array, k: int) -> Array:
        """Compute `d+ s_k/dW` (H, H, H): W acts in step k, and s_{k-1} is held constant.

        Unit a of s_k reads only row a of W, so entry [a, b, c], its slope in W[b, c], is 0 unless a = b.
        """
        slope = 1 - states[k] ** 2  # of the tanh
        return np.einsum("a,ab,c->abc", slope, np.eye(len(self.W)), states[k - 1])

    def implicit_part(self, states: Array, i: int) -> Array:
        """Compute `sum_{k<i} (ds_i/ds_k) (d+ s_k/dW)` (H, H, H): W acts in s_i through every earlier state.

        The explicit and the implicit part together are `ds_i/dW`.
        """
        earlier = (np.tensordot(self.jacobian(states, i, k), self.explicit_part(states, k), 1) for k in range(1, i))
        return sum(earlier, np.zeros((len(self.W),) * 3))

    def terms(self, inputs: ArrayLike, targets: Sequence[int], bptt_steps: int = 0) -> Array:
        """Compute every term of the gradient on the board, `(dJ_i/ds_i) (ds_i/ds_k) (d+ s_k/dW)`.

        Args:
            inputs: (T, F).
            targets: the true output of every step, T integers.
            bptt_steps: remedy 2, look back only this many time steps; 0 = to the start.

        Returns:
            (T, T, H, H): entry [i - 1, k - 1] is the term of loss i and step k, zero where i cannot reach k. The sum
            over k is dJ_i/dW, the sum over both is dJ/dW.

        Source: P. Werbos, "Backpropagation Through Time: What It Does and How to Do It", Proceedings of the IEEE 78
        (1990), section III; the sum over k as in R. Pascanu et al., "On the difficulty of training recurrent neural
        networks", ICML 2013, equations 3 to 5.

        Example: the contribution of step 1 to the loss of step 3.

            >>> terms = RNN(input_size=1, hidden_size=2, output_size=2).terms(np.ones((3, 1)), [0, 1, 0])
            >>> terms[3 - 1, 1 - 1].shape
            (2, 2)
        """
        x = np.asarray(inputs)
        states, outputs = self.forward(x)
        terms = np.zeros((len(x), len(x), *self.W.shape))
        for i in range(1, len(x) + 1):
            d_state = self.V.T @ output_slope(outputs[i - 1], targets[i - 1])  # dJ_i/ds_i
            for k in range(first_seen(i, bptt_steps), i + 1):
                d_earlier = d_state @ self.jacobian(states, i, k)  # dJ_i/ds_k
                terms[i - 1, k - 1] = np.tensordot(d_earlier, self.explicit_part(states, k), 1)
        return terms

    def backward_as_written(self, inputs: ArrayLike, targets: Sequence[int], bptt_steps: int = 0) -> Gradients:
        """Compute the gradient as on the board: `dJ_i/dW = dJ_i/ds_i sum_k (ds_i/ds_k) (d+ s_k/dW)`.

        Args:
            inputs: (T, F).
            targets: the true output of every step, T integers.
            bptt_steps: remedy 2, look back only this many time steps; 0 = to the start.
        """
        x = np.asarray(inputs)
        states, outputs = self.forward(x)
        dU, dW, dV = np.zeros_like(self.U), np.zeros_like(self.W), np.zeros_like(self.V)
        for i in range(1, len(x) + 1):
            d_output = output_slope(outputs[i - 1], targets[i - 1])
            dV += np.outer(d_output, states[i])
            d_state = self.V.T @ d_output  # dJ_i/ds_i
            for k in range(first_seen(i, bptt_steps), i + 1):
                d_earlier = d_state @ self.jacobian(states, i, k)  # dJ_i/ds_k
                explicit = d_earlier * (1 - states[k] ** 2)  # through the tanh of step k
                dW += np.outer(explicit, states[k - 1])
                dU += np.outer(explicit, x[k - 1])
        return Gradients(dU, dW, dV)

    def backward(self, inputs: ArrayLike, targets: Sequence[int]) -> Gradients:
        """Compute the same gradient in one sweep from the last step to the first, as programs do."""
        x = np.asarray(inputs)
        states, outputs = self.forward(x)
        dU, dW, dV = np.zeros_like(self.U), np.zeros_like(self.W), np.zeros_like(self.V)
        from_later = np.zeros(len(self.W))  # gradient of all later losses in s_t: the implicit part
        for t in range(len(x), 0, -1):
            d_output = output_slope(outputs[t - 1], targets[t - 1])
            dV += np.outer(d_output, states[t])
            slope = (self.V.T @ d_output + from_later) * (1 - states[t] ** 2)
            dW += np.outer(slope, states[t - 1])
            dU += np.outer(slope, x[t - 1])
            from_later = self.W.T @ slope
        return Gradients(dU, dW, dV)

    def backward_truncated(self, inputs: ArrayLike, targets: Sequence[int], bptt_steps: int) -> Gradients:
        """Apply remedy 2 in one sweep: the gradient of each loss is dropped after `bptt_steps` steps."""
        x = np.asarray(inputs)
        states, outputs = self.forward(x)
        dU, dW, dV = np.zeros_like(self.U), np.zeros_like(self.W), np.zeros_like(self.V)
        asked = np.zeros((0, len(self.W)))  # one row per loss that looks back to s_t, the nearest first
        for t in range(len(x), 0, -1):
            d_output = output_slope(outputs[t - 1], targets[t - 1])
            dV += np.outer(d_output, states[t])
            asked = np.vstack([self.V.T @ d_output, asked])[:bptt_steps]
            slopes = asked * (1 - states[t] ** 2)
            dW += np.outer(slopes.sum(0), states[t - 1])
            dU += np.outer(slopes.sum(0), x[t - 1])
            asked = slopes @ self.W
        return Gradients(dU, dW, dV)

    def learn(self, inputs: ArrayLike, targets: Sequence[int], rate: float = 0.1) -> float:
        """Update all three matrices once, `W <- W - a dJ/dW`; return the loss before it."""
        before = self.loss(inputs, targets)
        gradients = self.backward(inputs, targets)
        self.U -= rate * gradients.U
        self.W -= rate * gradients.W
        self.V -= rate * gradients.V
        return before
