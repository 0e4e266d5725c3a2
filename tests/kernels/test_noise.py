"""Recurrent dropout and zoneout: the tiles draw and compute what the reference does, whoever asks and however often.

Every cell, kind of noise and machine is a kernel of its own that takes up to seconds to compile. By default each cell
is tested with one kind of noise, on this processor's own instructions; LSTM and Elman with all kinds on all machines
where their units fill one vector. The other combinations are slow tests.
"""

from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.tile_checks import NAMES, TOLERANCE, a_cell, a_state, everything, look_beyond
from random_sequences import differ, some_lengths, some_ragged
from unrolled.cells.base import Cell
from unrolled.cells.registry import CELLS, make_cell
from unrolled.errors import OptionError, UnsupportedError
from unrolled.kernels import reference
from unrolled.kernels.choose import choose
from unrolled.kernels.cpu import autograd, calls, kernel
from unrolled.kernels.cpu.machine import Machine, available, host
from unrolled.kernels.cpu.pointwise.registry import name_of
from unrolled.kernels.noise import Noise
from unrolled.nn import recompute
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

BF16_TOLERANCE = 1e-2
NOISES = {
    "dropout": Noise(recurrent_dropout=0.3, seed=5),
    "zoneout": Noise(zoneout=0.2, seed=5),
    "both": Noise(0.4, 0.3, seed=2**40 + 1),
    "expected zoneout": Noise(zoneout=0.3),
}
SLOW_TO_COMPILE = ["elman", "elman_relu"]  # up to four vectors of units side by side, a kernel for each number
LENGTHS = [9, 4, 0, 6, 6, 1, 12]
DROPPING = [name for name in CELLS if make_cell(name, 1, 1).can_drop]
RUNS = [
    (name, kind) for name in CELLS for kind, noise in NOISES.items() if name in DROPPING or not noise.recurrent_dropout
]


def has_noise(name: str) -> bool:
    """Whether the tiles run this cell with noise."""
    return not kernel.refuses(a_cell(name, 3, 4), some_ragged([2], dtype=torch.float32), NOISES["zoneout"])


def main_kind(name: str) -> str:
    """The noise with most parts that a cell can have."""
    return "both" if name in DROPPING else "zoneout"


def runs(quick: Any, *, tiles: bool = True) -> list[Any]:
    """Cells with kinds of noise; those that the tiles run are slow tests, but for the `quick` ones."""
    on_tiles = [run for run in RUNS if run[0] in NAMES and has_noise(run[0])]
    return [
        pytest.param(*run, marks=[] if run not in on_tiles or quick(*run) else [pytest.mark.slow])
        for run in (on_tiles if tiles else RUNS)
    ]


def is_main(name: str, kind: str) -> bool:
    return kind == main_kind(name)


def is_usual(name: str, kind: str) -> bool:
    return is_main(name, kind) or name in ("lstm", "elman")


on_tiles = pytest.mark.parametrize(("name", "kind"), runs(is_main))
everywhere = pytest.mark.parametrize(("name", "kind"), runs(is_usual, tiles=False))
machines = pytest.mark.parametrize(
    "machine",
    [pytest.param(machine, marks=[] if machine == host() else [pytest.mark.slow]) for machine in available()],
    ids=lambda machine: machine.name,
)
random_runs = given(
    lengths=some_lengths(min_size=1, max_size=9, longest=9).filter(any),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 70)),
    seed=st.integers(0, 2**16),
)
on_pairs = pytest.mark.skipif(not host().has_pairs, reason="this processor has no product of bfloat16 pairs")


def tiles(machine: Machine, noise: Noise, pairs: bool = False) -> Any:
    return lambda cell, inputs, state: autograd.run(cell, name_of(cell), machine, inputs, state, pairs, noise)


def rounded_loop(noise: Noise) -> Any:
    """The reference with torch's own rounding to bfloat16."""

    def run(cell: Cell, inputs: Ragged, state: Any) -> tuple[Ragged, Any]:
        with torch.autocast("cpu", torch.bfloat16):
            return reference.run(cell, inputs, state, noise)

    return run


def check(run: Any, noise: Noise, cell: Cell, lengths: list[int], seed: int, pairs: bool = False) -> None:
    """Outputs, states and gradients beside those of the reference in float64; also without gradients."""
    inputs, state = some_ragged(lengths, cell.input_size, seed, torch.float32), a_state(cell, len(lengths), seed)
    got = everything(run, cell, inputs, state)
    with torch.no_grad():
        quick, _ = run(cell, inputs, state)
    assert torch.equal(quick.values.double(), got["outputs"])
    loop = everything(rounded_loop(noise), cell, inputs, state) if pairs else {}
    state = cell.state_type(*(field.double() for field in state))
    exact = everything(partial(reference.run, noise=noise), cell.double(), inputs.to(torch.float64), state)
    for part, tensor in exact.items():
        size = tensor.norm().clamp(min=1.0)
        error = float((got[part] - tensor).norm() / size)
        usual = float((loop[part] - tensor).norm() / size) if pairs else 0.0
        bound = max(BF16_TOLERANCE, 2 * usual) if pairs else TOLERANCE
        assert error <= bound, f"{part}: relative error {error:.1e}, torch's loop {usual:.1e}"


@machines
@on_tiles
@random_runs
@settings(max_examples=6, deadline=None)
def test_outputs_states_and_gradients_equal_the_exact_reference(machine, name, kind, lengths, sizes, seed):
    noise = NOISES[kind]
    check(tiles(machine, noise), noise, a_cell(name, *sizes, seed), lengths, seed)


@pytest.mark.parametrize("machine", available(), ids=lambda machine: machine.name)
@pytest.mark.parametrize("name", ["lstm", pytest.param("elman", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", NOISES)
@random_runs
@settings(max_examples=6, deadline=None)
def test_one_vector_of_units_equals_the_exact_reference(machine, name, kind, lengths, sizes, seed):
    noise, units = NOISES[kind], sizes[1] % machine.width + 1
    check(tiles(machine, noise), noise, a_cell(name, sizes[0], units, seed), lengths, seed)


@on_pairs
@pytest.mark.parametrize(("name", "kind"), runs(lambda name, kind: is_main(name, kind) and name not in SLOW_TO_COMPILE))
@random_runs
@settings(max_examples=6, deadline=None)
def test_products_in_bfloat16_are_close_to_the_exact_reference(name, kind, lengths, sizes, seed):
    noise = NOISES[kind]
    check(tiles(host(), noise, pairs=True), noise, a_cell(name, *sizes, seed), lengths, seed, pairs=True)


@on_pairs
@pytest.mark.parametrize("name", SLOW_TO_COMPILE)
@random_runs
@settings(max_examples=6, deadline=None)
def test_one_vector_of_units_with_products_in_bfloat16_is_close_too(name, lengths, sizes, seed):
    noise, units = NOISES[main_kind(name)], sizes[1] % host().width + 1
    check(tiles(host(), noise, pairs=True), noise, a_cell(name, sizes[0], units, seed), lengths, seed, pairs=True)


@on_tiles
@pytest.mark.parametrize("pairs", [False, pytest.param(True, marks=on_pairs)])
def test_nothing_is_read_or_written_beyond_a_buffer(name, kind, pairs, monkeypatch):
    run = tiles(host(), NOISES[kind], pairs)
    cell, inputs = a_cell(name, 17, 33), some_ragged(LENGTHS, 17, dtype=torch.float32)
    want = everything(run, cell, inputs, a_state(cell, 7))
    look_beyond(monkeypatch)
    got = everything(run, cell, inputs, a_state(cell, 7))
    for part, tensor in want.items():
        torch.testing.assert_close(got[part], tensor, rtol=1e-4, atol=1e-4, msg=lambda text, part=part: part + text)


@on_tiles
@pytest.mark.parametrize("block_values", [1, 2000])
def test_threads_and_blocks_change_no_draw(name, kind, block_values, monkeypatch):
    cell, inputs = a_cell(name, 6, 33), some_ragged(LENGTHS, 6, dtype=torch.float32)
    want = everything(tiles(host(), NOISES[kind]), cell, inputs, a_state(cell, 7))
    monkeypatch.setattr(calls, "BLOCK_VALUES", block_values)
    monkeypatch.setattr(calls, "threads_for", lambda work, least: 3)
    got = everything(tiles(host(), NOISES[kind]), cell, inputs, a_state(cell, 7))
    assert torch.equal(got["outputs"], want["outputs"])
    for part, tensor in want.items():
        torch.testing.assert_close(got[part], tensor, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", NOISES)
def test_torchs_default_dtype_does_not_matter(kind):
    cell, inputs = a_cell("lstm", 3, 9), some_ragged([4, 2], 3, dtype=torch.float32)
    want, _ = unroll(cell, inputs, noise=NOISES[kind])
    torch.set_default_dtype(torch.float64)
    try:
        got, _ = unroll(cell, inputs, kernel="tiles", noise=NOISES[kind])
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(got.values, want.values)


# ---- what is drawn -----------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("again", [False, True])
def test_a_sequence_draws_by_its_place_whatever_lies_before_it(name, kind, again, monkeypatch):
    monkeypatch.setattr(recompute, "ROOTS", 1)
    cell, inputs = a_cell(name, 3, 9), some_ragged([8, 5, 7], 3, dtype=torch.float32)
    other = Ragged(torch.cat([inputs[0][:2], *list(inputs)[1:]]), [2, 5, 7])
    (want, last), (got, final) = (unroll(cell, given, noise=NOISES[kind], recompute=again) for given in (inputs, other))
    torch.testing.assert_close(got.values[2:], want.values[8:], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(final[0][1:], last[0][1:], rtol=1e-5, atol=1e-6)


@everywhere
@pytest.mark.parametrize("reverse", [False, True])
def test_stretches_that_are_computed_again_draw_the_same(name, kind, reverse, monkeypatch):
    monkeypatch.setattr(recompute, "ROOTS", 1)
    cell, inputs = a_cell(name, 3, 9), some_ragged([17, 0, 30, 1], 3, dtype=torch.float32)
    found = []
    for again in (False, True):
        run = partial(unroll, reverse=reverse, recompute=again, noise=NOISES[kind])
        found.append(everything(run, cell, inputs, a_state(cell, 4)))
    for part, tensor in found[0].items():
        torch.testing.assert_close(
            found[1][part], tensor, rtol=1e-4, atol=1e-4 * float(tensor.abs().max().clamp(min=1.0))
        )


@pytest.mark.parametrize("kind", NOISES)
def test_restarts_are_sequences_of_their_own(kind):
    cell, inputs = a_cell("gru", 3, 9), some_ragged([9], 3, dtype=torch.float32)
    reset = torch.arange(9) % 3 == 0
    got, _ = unroll(cell, inputs, reset=reset, noise=NOISES[kind])
    want, _ = unroll(cell, Ragged(inputs.values, [3, 3, 3]), noise=NOISES[kind])
    assert torch.equal(got.values, want.values)


@pytest.mark.parametrize("kernel", ["tiles", "reference"])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_second_derivatives_draw_the_same(name, kernel):
    cell, values = a_cell(name, 3, 5), some_ragged([4, 2], 3, dtype=torch.float32).values.requires_grad_()
    loss = unroll(cell, Ragged(values, [4, 2]), kernel=kernel, noise=NOISES["both"])[0].values.square().sum()
    (slope,) = torch.autograd.grad(loss, values, create_graph=True)
    got = torch.autograd.grad(slope.square().sum(), values)[0]
    exact = values.detach().double().requires_grad_()
    loss = unroll(cell.double(), Ragged(exact, [4, 2]), kernel="reference", noise=NOISES["both"])[0].values
    (slope,) = torch.autograd.grad(loss.square().sum(), exact, create_graph=True)
    want = torch.autograd.grad(slope.square().sum(), exact)[0]
    torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_the_shares_are_those_asked_for_and_the_mean_stays(share):
    rows, units = 200, 300
    deviation = (share * (1 - share) / (rows * units)) ** 0.5
    factors = Noise(recurrent_dropout=share, seed=3).factors(torch.zeros(rows, units, dtype=torch.float64))
    assert set(factors.unique().tolist()) == {0.0, 1 / (1 - share)}
    assert abs(float((factors == 0).double().mean()) - share) < 4 * deviation
    assert abs(float(factors.mean()) - 1) < 4 * deviation / (1 - share)
    noise, fields = Noise(zoneout=share, seed=3), torch.zeros(rows, units, dtype=torch.float64)
    keys = noise.row_keys(Ragged(torch.zeros(rows, 1), [rows // 2] * 2))
    hidden, cell = (noise.kept_shares(keys, field, fields) for field in range(2))
    for kept in (hidden, cell):
        assert abs(float(kept.mean()) - share) < 4 * deviation
    both = share * share
    assert abs(float((hidden * cell).mean()) - both) < 4 * (both * (1 - both) / (rows * units)) ** 0.5


def test_draws_of_sequences_steps_units_and_seeds_are_not_alike():
    def drawn(seed: int, step: int = 0) -> torch.Tensor:
        noise = Noise(zoneout=0.5, seed=seed, step=step)
        keys = noise.row_keys(Ragged(torch.zeros(40, 1), [20, 20]))
        return noise.kept_shares(keys, 0, torch.zeros(40, 500, dtype=torch.float64))

    rows = torch.cat([drawn(1), drawn(2), drawn(2**32 + 1)])
    assert float(torch.corrcoef(rows).fill_diagonal_(0).abs().max()) < 0.25
    assert float(torch.corrcoef(rows.T).fill_diagonal_(0).abs().max()) < 0.55
    assert torch.equal(drawn(1)[3:20], drawn(1, step=3)[:17])


def test_a_dropped_unit_is_dropped_at_every_step():
    cell = a_cell("elman_relu", 1, 64)
    with torch.no_grad():
        cell.weight_hh.copy_(torch.eye(64))
        cell.weight_ih.fill_(1.0)
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()
        outputs, _ = unroll(cell, Ragged(torch.ones(8, 1), [4, 4]), noise=Noise(recurrent_dropout=0.5, seed=1))
    steps = outputs.values.view(2, 4, 64)
    dropped = steps[:, -1] == 1  # it sees its inputs only
    assert 0.2 < float(dropped.double().mean()) < 0.8
    assert not torch.equal(dropped[0], dropped[1])
    assert torch.equal(steps, torch.where(dropped[:, None], 1.0, torch.tensor([1.0, 3.0, 7.0, 15.0])[:, None]))


def test_a_zoned_unit_keeps_its_state():
    cell, inputs = a_cell("lstm", 3, 40), some_ragged([6, 6], 3, dtype=torch.float32)
    outputs, state = unroll(cell, inputs, noise=Noise(zoneout=0.5, seed=1))
    steps = outputs.values.view(2, 6, 40)
    stays = steps[:, 1:] == steps[:, :-1]
    assert 0.4 < float(stays.double().mean()) < 0.6
    assert differ(stays[:, 0].double(), stays[:, 1].double())
    assert differ(state.hidden, unroll(cell, inputs, noise=Noise(zoneout=0.5, seed=2))[1].hidden)


# ---- nothing, and what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize("noise", [Noise(), Noise(seed=3), Noise(recurrent_dropout=0.5)], ids=str)
def test_noise_that_does_not_act_is_no_noise(noise):
    cell, inputs = a_cell("lstm", 3, 9), some_ragged([4, 2], 3, dtype=torch.float32)
    assert torch.equal(unroll(cell, inputs, noise=noise)[0].values, unroll(cell, inputs)[0].values)
    state = torch.get_rng_state()
    assert noise.recurrent_dropout or noise.drawn() is noise
    assert noise.recurrent_dropout or torch.equal(torch.get_rng_state(), state)


def test_the_seed_of_a_run_comes_from_torch():
    seeds = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        seeds.append(Noise(zoneout=0.1).drawn().seed)
    assert seeds[0] == seeds[1] != seeds[2]


def test_every_kernel_says_what_it_cannot():
    cell, inputs = a_cell("lstm", 3, 9), some_ragged([4, 2], 3, dtype=torch.float32)
    assert choose(cell, inputs, noise=NOISES["both"]).name == "tiles"
    refused = choose(a_cell("lstm_layer_norm", 3, 9), inputs, noise=NOISES["both"]).refused
    assert "with a layer normalisation or a projection" in refused["tiles"]
    with pytest.raises(UnsupportedError, match="torch's layers have neither recurrent dropout nor zoneout"):
        unroll(cell, inputs, kernel="native", noise=NOISES["both"])


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
@pytest.mark.parametrize("name", ["recurrent_dropout", "zoneout"])
def test_a_share_outside_its_range_is_refused(name, share):
    with pytest.raises(OptionError, match=rf"{name}: expected a number in \[0, 1\), received {share}"):
        Noise(**{name: share})


@pytest.mark.parametrize("name", [name for name in CELLS if name not in DROPPING])
def test_dropout_without_a_recurrent_product_is_refused(name):
    cell = a_cell(name, 3, 4)
    with pytest.raises(OptionError, match="recurrent_dropout: expected 0 for a cell without a recurrent product"):
        unroll(cell, some_ragged([2], dtype=torch.float32), noise=NOISES["dropout"])
