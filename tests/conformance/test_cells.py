"""The laws of cells and kernels, for every member of `CELLS` and `KERNELS`.

1. One full pass, chunks, single steps, sequences joined by `reset` and many users in a batch say the same.
2. A sequence's result does not depend on which others share its batch.
3. Every kernel equals the reference, forward and backward.
"""

import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import random_sequences
from random_sequences import everything, noise, seeds, shake, some_lengths, some_ragged, tensors_of
from unrolled.cells.base import Cell
from unrolled.cells.registry import CELLS, make_cell
from unrolled.errors import OptionError, ShapeError, UnsupportedError
from unrolled.kernels import native, reference
from unrolled.kernels.choose import KERNELS
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged
from unrolled.state import map_state

F = 3
cells = pytest.mark.parametrize("name", CELLS)
TORCHS = [name for name in CELLS if make_cell(name, 1, 1).torch_layer]
torchs_cells = pytest.mark.parametrize("name", TORCHS)


def dtype_of(kernel: str) -> torch.dtype:
    """float64, unless the kernel has only float32."""
    return torch.float32 if kernel == "tiles" else torch.float64


def a_cell(
    name: str, hidden_size: int = 4, learn: bool = False, seed: int = 0, input_size: int = F, kernel: str = "reference"
) -> Cell:
    """A cell in which no weight is zero, in the kernel's precision; the same for the same arguments."""
    torch.manual_seed(seed)
    cell = make_cell(name, input_size, hidden_size, learn_initial_state=learn)
    return shake(cell.to(dtype_of(kernel)), seed)


def assert_close(got: Any, want: Any, tolerance: float | None = None) -> None:
    """As `random_sequences.assert_close`, as close as the precision allows."""
    if tolerance is None:
        tensors = tensors_of(got.values if isinstance(got, Ragged) else got)
        tolerance = 2e-5 if any(tensor.dtype == torch.float32 for tensor in tensors) else 1e-12
    random_sequences.assert_close(got, want, tolerance)


def a_state(cell: Cell, batch_size: int, seed: int = 0) -> Any:
    rows = [noise(batch_size, size, seed=seed + 91 + i) for i, size in enumerate(cell.state_sizes.values())]
    return cell.state_type(*(row.to(cell.weight_ih) for row in rows))


def refusal(name: str, kernel: str) -> str:
    """Why a kernel does not run a cell; empty where it does, and then it must be right."""
    return KERNELS[kernel].refuses(a_cell(name, kernel=kernel), some_ragged([2], F, dtype=dtype_of(kernel)))


RUNS = [(name, kernel) for name in CELLS for kernel in KERNELS if not refusal(name, kernel)]
cells_in_kernels = pytest.mark.parametrize(("name", "kernel"), RUNS)


def rows_of(state: Any, rows: Tensor | slice) -> Any:
    return map_state(lambda field: field[rows], state)


# ---- law 1 ----------------------------------------------------------------------------------------


@cells_in_kernels
@given(lengths=some_lengths(), cuts=st.lists(st.integers(0, 6), max_size=3), seed=seeds)
@settings(max_examples=10)
def test_chunks_that_hand_the_state_on_equal_one_pass(name, kernel, lengths, cuts, seed):
    cell, inputs = a_cell(name, kernel=kernel), some_ragged(lengths, F, seed, dtype=dtype_of(kernel))
    before = a_state(cell, len(lengths), seed)
    whole, final = unroll(cell, inputs, before, kernel=kernel)
    for start, stop in pairwise([0, *sorted(cuts), 9]):
        outputs, before = unroll(cell, inputs.slice(start, stop), before, kernel=kernel)
        assert_close(outputs, whole.slice(start, stop))
    assert_close(before, final)


@cells_in_kernels
@given(lengths=some_lengths(), seed=seeds)
@settings(max_examples=10)
def test_single_steps_of_single_users_equal_the_batch(name, kernel, lengths, seed):
    cell, inputs = a_cell(name, learn=True, kernel=kernel), some_ragged(lengths, F, seed, dtype=dtype_of(kernel))
    outputs, final = unroll(cell, inputs, kernel=kernel)
    for row, sequence in enumerate(inputs):
        state = cell.initial_state(1)
        for t, step in enumerate(sequence):
            output, state = cell.step(step[None], state)
            assert_close(output[0], outputs[row][t])
        assert_close(state, rows_of(final, slice(row, row + 1)))


@cells_in_kernels
@given(lengths=some_lengths(min_size=1), seed=seeds)
@settings(max_examples=10)
def test_sequences_joined_by_resets_equal_sequences_apart(name, kernel, lengths, seed):
    cell, apart = a_cell(name, learn=True, kernel=kernel), some_ragged(lengths, F, seed, dtype=dtype_of(kernel))
    want, want_state = unroll(cell, apart)
    joined = Ragged(apart.values, [apart.num_steps])
    reset = apart.positions == 0
    given_state = a_state(cell, 1)  # the reset before the first step drops it
    got, state = unroll(cell, joined, given_state, reset, kernel=kernel)
    assert_close(got.values, want.values)
    filled = [row for row, length in enumerate(lengths) if length]
    assert_close(state, rows_of(want_state, filled[-1:]) if filled else given_state)


@cells_in_kernels
@given(lengths=some_lengths(min_size=1), seed=seeds)
@settings(max_examples=10)
def test_backwards_a_reset_cuts_between_the_same_two_steps(name, kernel, lengths, seed):
    cell, apart = a_cell(name, learn=True, kernel=kernel), some_ragged(lengths, F, seed, dtype=dtype_of(kernel))
    want, want_state = unroll(cell, apart, reverse=True)
    joined = Ragged(apart.values, [apart.num_steps])
    got, state = unroll(cell, joined, reset=apart.positions == 0, reverse=True, kernel=kernel)
    assert_close(got.values, want.values)
    filled = [row for row, length in enumerate(lengths) if length]
    assert_close(state, rows_of(want_state, filled[:1]) if filled else cell.initial_state(1))


@cells
def test_backwards_a_reset_before_a_sequence_cuts_nothing(name):
    cell, inputs = a_cell(name), some_ragged([3, 0, 4, 1], F)
    before = a_state(cell, 4)
    want, want_state = unroll(cell, inputs, before, reverse=True)
    got, state = unroll(cell, inputs, before, inputs.positions == 0, reverse=True)
    assert_close(got, want)
    assert_close(state, want_state)


@cells
def test_a_reset_takes_effect_in_its_own_row_only(name):
    cell, inputs = a_cell(name), some_ragged([3, 0, 4], F)
    reset = torch.tensor([False, True, False, False, False, False, False])
    free, free_state = unroll(cell, inputs)
    got, state = unroll(cell, inputs, reset=reset)
    assert_close(got[2], free[2])
    assert_close(rows_of(state, slice(1, 3)), rows_of(free_state, slice(1, 3)))
    assert_close(got[0][:1], free[0][:1])
    assert not torch.allclose(got[0][1:], free[0][1:])


@cells
def test_reading_backwards_is_reading_the_reversed_sequences(name):
    cell, inputs = a_cell(name), some_ragged([3, 0, 4, 1], F)
    before = a_state(cell, 4)
    got, state = unroll(cell, inputs, before, reverse=True)
    want, want_state = unroll(cell, inputs.reversed(), before)
    assert_close(got, want.reversed())
    assert_close(state, want_state)


@cells_in_kernels
def test_an_empty_sequence_keeps_its_state_and_an_empty_batch_is_legal(name, kernel):
    cell, before = a_cell(name, kernel=kernel), a_state(a_cell(name, kernel=kernel), 2)
    for reset in (None, torch.zeros(0, dtype=torch.bool)):
        outputs, after = unroll(cell, some_ragged([0, 0], F, dtype=dtype_of(kernel)), before, reset, kernel=kernel)
        assert outputs.values.shape == (0, cell.output_size)
        assert_close(after, before)
    outputs, after = unroll(cell, some_ragged([], F, dtype=dtype_of(kernel)), kernel=kernel)
    assert outputs.values.shape == (0, cell.output_size)
    assert [tuple(field.shape) for field in after] == [(0, size) for size in cell.state_sizes.values()]


# ---- law 2 ----------------------------------------------------------------------------------------


@cells_in_kernels
@given(lengths=some_lengths(min_size=1), seed=seeds, data=st.data())
@settings(max_examples=10)
def test_a_result_depends_neither_on_batch_mates_nor_on_their_order(name, kernel, lengths, seed, data):
    cell, inputs = a_cell(name, kernel=kernel), some_ragged(lengths, F, seed, dtype=dtype_of(kernel))
    before = a_state(cell, len(lengths))
    rows = torch.tensor(data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=6)))
    outputs, state = unroll(cell, inputs, before, kernel=kernel)
    fewer, fewer_state = unroll(cell, inputs.select(rows), rows_of(before, rows), kernel=kernel)
    assert_close(fewer, outputs.select(rows))
    assert_close(fewer_state, rows_of(state, rows))


@cells_in_kernels
@pytest.mark.parametrize("want_state", [True, False])
def test_a_nan_stays_in_its_sequence(name, kernel, want_state):
    cell, inputs = a_cell(name, kernel=kernel), some_ragged([4, 2, 0, 4, 3], F, dtype=dtype_of(kernel))
    bad = inputs.values.clone()
    bad[4:6] = torch.nan  # all of sequence 1
    want, want_state_ = unroll(cell, inputs, kernel=kernel)
    got, state = unroll(cell, inputs.with_values(bad), kernel=kernel, want_state=want_state)
    for row in (0, 3, 4):
        assert_close(got[row], want[row])
        assert_close(state.hidden[row], want_state_.hidden[row])
    if name != "elman_relu":  # torch's relu of NaN is NaN, oneDNN's need not be
        assert got[1].isnan().all()


# ---- law 3 ----------------------------------------------------------------------------------------


AMPLIFIES = 4  # how many times the reference's own error in float32, where the equation enlarges it


def doubled(cell: Cell, inputs: Ragged, state: Any) -> tuple[Cell, Ragged, Any]:
    """The same in float64."""
    state = None if state is None else map_state(Tensor.double, state)
    return copy.deepcopy(cell).double(), inputs.to(torch.float64), state


def size(tensor: Tensor) -> float:
    """The largest number in it, or 1."""
    return float(tensor.abs().max().clamp(min=1.0))


def unrolled(**options: Any) -> random_sequences.Run:
    """`unroll` with these options."""
    return lambda cell, inputs, state: unroll(cell, inputs, state, **options)


@pytest.mark.parametrize(("name", "kernel"), [run for run in RUNS if run[1] != "reference"])
@given(
    lengths=some_lengths(min_size=1, longest=7).filter(any),
    sizes=st.tuples(st.integers(1, 4), st.sampled_from([1, 3, 5, 16])),
    seed=seeds,
    reverse=st.booleans(),
    restart=st.booleans(),
    learn=st.booleans(),
    call_cost=st.sampled_from([0, 3, 100]),
)
@settings(max_examples=25)
def test_every_kernel_equals_the_reference_forward_and_backward(
    name, kernel, lengths, sizes, seed, reverse, restart, learn, call_cost
):
    features, hidden_size = sizes
    cell = a_cell(name, hidden_size, learn, seed, features, kernel=kernel)
    inputs = some_ragged(lengths, features, seed, dtype=dtype_of(kernel))
    reset = noise(inputs.num_steps, seed=seed) > 0.5 if restart else None
    state = None if learn else a_state(cell, len(lengths), seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "CALL_COST", call_cost)
        by_steps = unrolled(reset=reset, reverse=reverse, kernel="reference")
        want = everything(by_steps, cell, inputs, state)
        got = everything(unrolled(reset=reset, reverse=reverse, kernel=kernel), cell, inputs, state)
    exact, usual = want, 0.0
    if "layer_norm" in name:  # dividing by a small deviation enlarges every rounding, the reference's too
        exact = everything(by_steps, *doubled(cell, inputs, state))
        usual = max(float((want[part] - tensor).abs().max() / size(tensor)) for part, tensor in exact.items())
    for part, tensor in exact.items():
        rtol, atol = (1e-9, 1e-10) if dtype_of(kernel) == torch.float64 else (1e-4, 2e-5)
        atol += AMPLIFIES * usual * size(tensor)
        near = tensor.to(want[part])
        torch.testing.assert_close(got[part], near, rtol=rtol, atol=atol, msg=lambda text, part=part: part + text)


@cells_in_kernels
@pytest.mark.parametrize("call_cost", [0, 3, 100])
@given(lengths=some_lengths(min_size=1, max_size=7, longest=9), seed=seeds)
@settings(max_examples=10)
def test_without_the_final_state_outputs_and_hidden_state_are_the_same(name, kernel, call_cost, lengths, seed):
    cell, inputs = a_cell(name, kernel=kernel), some_ragged(lengths, F, seed, dtype=dtype_of(kernel))
    before = a_state(cell, len(lengths), seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "CALL_COST", call_cost)
        want, want_state = unroll(cell, inputs, before, kernel="reference")
        got, state = unroll(cell, inputs, before, kernel=kernel, want_state=False)
    assert_close(got, want)
    assert_close(state.hidden, want_state.hidden)


@torchs_cells
@given(lengths=some_lengths(min_size=1).filter(any), seed=seeds)
@settings(max_examples=10)
def test_the_packed_path_of_the_native_kernel_equals_the_reference(name, lengths, seed):
    # it runs on a GPU; torch's packed functions are there on a CPU too
    cell, inputs = a_cell(name), some_ragged(lengths, F, seed)
    before = a_state(cell, len(lengths), seed)
    layout = inputs.time_major
    start = tuple(field[layout.order].unsqueeze(0) for field in before)
    outputs, final = native._packed(cell, inputs.values[layout.gather], layout.batch_sizes, start)
    want, want_state = reference.run(cell, inputs, before)
    assert_close(outputs[layout.scatter], want.values)
    assert_close(tuple(field.squeeze(0)[layout.rank] for field in final), tuple(want_state))


@torchs_cells
@pytest.mark.parametrize(("hidden_size", "lengths"), [(33, [40, 1, 0, 17, 17]), (64, [25]), (1, [5, 60])])
def test_in_float32_the_native_kernel_is_within_2e6th_of_the_exact_reference(name, hidden_size, lengths):
    cell = make_cell(name, 8, hidden_size)
    inputs = some_ragged(lengths, 8, dtype=torch.float32)
    got = everything(unrolled(kernel="native"), cell, inputs)
    exact = everything(unrolled(kernel="reference"), cell.double(), inputs.to(torch.float64))
    for part, tensor in exact.items():
        error = (got[part].double() - tensor).norm() / tensor.norm().clamp(min=1e-30)
        assert error <= 2e-6, f"{part}: relative error {error:.1e}"


def test_the_native_kernel_runs_the_cells_that_torch_has_and_the_reference_every_cell():
    assert [name for name, kernel in RUNS if kernel == "native"] == TORCHS
    assert [name for name, kernel in RUNS if kernel == "reference"] == list(CELLS)


@pytest.mark.parametrize(("name", "kernel"), [(n, k) for n in CELLS for k in KERNELS if (n, k) not in RUNS])
def test_a_kernel_that_does_not_run_a_cell_says_so(name, kernel):
    cell, inputs = a_cell(name, kernel=kernel), some_ragged([2], F, dtype=dtype_of(kernel))
    with pytest.raises(UnsupportedError, match=f"kernel '{kernel}' cannot run here: .*{cell.short_name}"):
        unroll(cell, inputs, kernel=kernel)


@cells
@pytest.mark.parametrize("all_entries", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_gradients_equal_finite_differences_once_and_twice(name, all_entries):
    cell = a_cell(name, 2, input_size=2)
    lengths = torch.tensor([2, 0, 3])
    fields = tuple(field.requires_grad_() for field in a_state(cell, 3))

    def run(values: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        state, weights = rest[: len(fields)], rest[len(fields) :]
        kept = dict(zip(names, weights, strict=True))
        outputs, final = torch.func.functional_call(
            Unrolled(cell), kept, (Ragged(values, lengths), cell.state_type(*state))
        )
        return outputs.values, *final

    names = [f"cell.{name}" for name, _ in cell.named_parameters()]
    arguments = (noise(5, 2, seed=3).requires_grad_(), *fields, *cell.parameters())
    # in a random direction, or entry by entry
    assert torch.autograd.gradcheck(run, arguments, fast_mode=not all_entries)
    assert torch.autograd.gradgradcheck(run, arguments, fast_mode=not all_entries)


class Unrolled(torch.nn.Module):
    """`unroll` as a module, so that its weights can be given from outside."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, inputs: Ragged, state: Any) -> tuple[Ragged, Any]:
        return unroll(self.cell, inputs, state, kernel="reference")


# ---- the initial state ------------------------------------------------------------------------------


@cells_in_kernels
def test_a_learnt_initial_state_receives_gradients_from_every_sequence(name, kernel):
    cell, inputs = a_cell(name, learn=True, kernel=kernel), some_ragged([2, 3], F, dtype=dtype_of(kernel))
    gradients = []
    for rows in ([0], [1], [0, 1]):
        outputs, _ = unroll(cell, inputs.select(rows), kernel=kernel)
        gradients.append(torch.autograd.grad(outputs.values.sum(), list(cell.initial.values())))
    for first, second, both in zip(*gradients, strict=True):
        assert first.abs().sum() > 0
        assert_close(both, first + second)


@cells
def test_the_initial_state_is_zero_unless_it_is_learnt(name):
    zero, learnt = make_cell(name, F, 4).initial_state(2), a_cell(name, learn=True).initial_state(2)
    assert isinstance(zero, CELLS["lstm"].state_type) == (name == "lstm")
    assert all(not field.any() for field in zero)
    assert all(field.any(1).all() and torch.equal(field[0], field[1]) for field in learnt)
    assert not dict(make_cell(name, F, 4).initial)


# ---- torch's weights ----------------------------------------------------------------------------------


@torchs_cells
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("layer", "reverse"), [(0, False), (1, False), (0, True), (1, True)])
def test_a_cell_with_torchs_weights_gives_torchs_outputs(name, bias, layer, reverse):
    kind = {"elman": "RNN", "elman_relu": "RNN", "lstm": "LSTM", "gru": "GRU"}[name]
    extra = {"nonlinearity": "relu" if name == "elman_relu" else "tanh"} if kind == "RNN" else {}
    stacked = getattr(torch.nn, kind)(F, 4, num_layers=2, bias=bias, bidirectional=True, **extra).double()
    cell = type(a_cell(name)).from_torch(stacked, layer, reverse)
    assert (cell.input_size, cell.hidden_size, cell.weight_ih.dtype) == (8 if layer else F, 4, torch.float64)
    # the same direction of the same layer, alone
    alone = getattr(torch.nn, kind)(cell.input_size, 4, bias=bias, **extra).double()
    suffix = f"_l{layer}{'_reverse' if reverse else ''}"
    weights = {name.removesuffix(suffix) + "_l0": w for name, w in stacked.named_parameters() if name.endswith(suffix)}
    alone.load_state_dict(weights)
    inputs = some_ragged([5], cell.input_size)
    want, _ = alone(inputs.values.flip(0) if reverse else inputs.values)
    got, _ = unroll(cell, inputs, reverse=reverse)
    assert_close(got.values.flip(0) if reverse else got.values, want)
    stacked.weight_ih_l0.data.zero_()  # a copy, so nothing changes
    assert_close(unroll(cell, inputs, reverse=reverse)[0], got)


@torchs_cells
def test_a_cell_becomes_a_torch_layer_and_comes_back(name):
    cell, inputs = a_cell(name), some_ragged([5], F)
    layer = cell.to_torch()
    got, state = unroll(cell, inputs)
    want, final = layer(inputs.values)
    assert_close(got.values, want)
    assert_close(torch.cat(tuple(state)), torch.cat(final) if name == "lstm" else final)
    back = type(cell).from_torch(layer)
    assert_close(back.step(inputs.values, back.initial_state(5)), cell.step(inputs.values, cell.initial_state(5)))
    layer.weight_hh_l0.data.zero_()
    assert cell.weight_hh.any()


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("lstm", torch.nn.LSTMCell(F, 4)),
        ("gru", torch.nn.GRUCell(F, 4)),
        ("elman", torch.nn.RNNCell(F, 4)),
        ("elman_relu", torch.nn.RNNCell(F, 4, nonlinearity="relu")),
        ("gru", torch.nn.GRUCell(F, 4, bias=False)),
    ],
)
def test_torch_cells_can_be_taken_over_too(name, module):
    module.double()
    cell = type(a_cell(name)).from_torch(module)
    state = a_state(cell, 2)
    want = module(noise(2, F), tuple(state) if name == "lstm" else state[0])
    _, after = cell.step(noise(2, F), state)
    assert_close(tuple(after), want if name == "lstm" else (want,))


@pytest.mark.parametrize(
    ("module", "layer", "says"),
    [
        (torch.nn.GRU(F, 4), 0, r"module: expected a torch.nn.LSTM, received GRU"),
        (torch.nn.LSTM(F, 4), 1, r"layer: expected a layer and direction of the module, received \(1, False\)"),
        (torch.nn.LSTM(F, 4, proj_size=2), 0, "module: expected no projection, received proj_size=2"),
    ],
)
def test_a_module_that_does_not_fit_is_refused(module, layer, says):
    with pytest.raises(OptionError, match=says):
        CELLS["lstm"].from_torch(module, layer)


@pytest.mark.parametrize("name", [name for name in CELLS if name not in TORCHS])
def test_a_cell_that_torch_does_not_have_exchanges_no_weights_with_it(name):
    cell = a_cell(name)
    says = f"a {type(cell).__name__} shares its weights with no torch.nn layer"
    with pytest.raises(UnsupportedError, match=says):
        cell.to_torch()
    with pytest.raises(UnsupportedError, match=says):
        type(cell).from_torch(torch.nn.LSTM(F, 4))


# ---- refusals -------------------------------------------------------------------------------------------


@cells
def test_a_state_of_another_cell_batch_or_width_is_refused(name):
    cell, inputs = a_cell(name), some_ragged([2, 3], F)
    kind = cell.state_type.__name__
    other = a_cell("gru" if name == "lstm" else "lstm")
    with pytest.raises(ShapeError, match=f"state: expected {kind}, received {other.state_type.__name__}"):
        unroll(cell, inputs, other.initial_state(2))
    with pytest.raises(ShapeError, match=f"state: expected {kind}, received tuple"):
        unroll(cell, inputs, tuple(a_state(cell, 2)))
    wide = a_cell(name, 6)
    size, other_size = cell.state_sizes["hidden"], wide.state_sizes["hidden"]
    with pytest.raises(ShapeError, match=rf"state.hidden: expected shape \(2, {size}\), received \(3, {size}\)"):
        unroll(cell, inputs, a_state(cell, 3))
    with pytest.raises(ShapeError, match=rf"state.hidden: expected shape \(2, {size}\), received \(2, {other_size}\)"):
        unroll(cell, inputs, a_state(wide, 2))


@cells
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [4, 6])
def test_restarts_and_features_of_the_wrong_shape_are_refused(name, reverse, steps):
    cell, inputs = a_cell(name), some_ragged([2, 3], F)
    for reset in (torch.zeros(steps, dtype=torch.bool), torch.ones(steps, dtype=torch.bool)):
        with pytest.raises(ShapeError, match=rf"reset: expected shape \(5,\), received \({steps},\)"):
            unroll(cell, inputs, reset=reset, reverse=reverse)
    with pytest.raises(ShapeError, match=r"inputs: expected 3 features .* received 2 features"):
        unroll(cell, some_ragged([2, 3], 2), reverse=reverse)
    with pytest.raises(ShapeError, match=r"inputs: expected values of shape \(N, F\), received \(5,\)"):
        unroll(cell, Ragged(torch.zeros(5), [5]), reverse=reverse)
