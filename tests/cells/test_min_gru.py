"""The minimal GRU against its equations in numpy."""

import numpy as np
import torch

from random_sequences import assert_close, noise, shake
from unrolled.cells.min_gru import MinGRUCell, MinGRUState

F, H, B, T = 3, 4, 5, 3


def test_three_steps_are_its_equations():
    cell = shake(MinGRUCell(F, H).double())
    x, state = noise(T, B, F, seed=1), MinGRUState(noise(B, H, seed=2))
    w = {name: weight.detach().numpy() for name, weight in cell.named_parameters()}
    h = state.hidden.numpy()
    for t in range(T):
        drive, candidate = np.split(x[t].numpy() @ w["weight_ih"].T + w["bias_ih"], 2, axis=1)
        update = 1 / (1 + np.exp(-drive))
        h = (1 - update) * h + update * candidate
        output, state = cell.step(x[t], state)
        assert_close(output.detach(), torch.from_numpy(h), 1e-10)
        assert state.hidden is output


def test_it_has_no_recurrent_weights():
    cell = MinGRUCell(F, H)
    assert {name: tuple(weight.shape) for name, weight in cell.named_parameters()} == {
        "weight_ih": (2 * H, F),
        "bias_ih": (2 * H,),
    }
    assert [id(weight) for weight in cell.weights] == [id(cell.weight_ih), id(cell.bias_ih)]
