"""The law of exports: whole sequences, chunks and single steps of an exported model equal torch, state included."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossing import crossed
from exported import ARRANGEMENTS, a_batch, a_network, assert_same, exports_of, padded, played, truth
from random_sequences import seeds, some_lengths
from unrolled.cells.registry import CELLS
from unrolled.nn.convolutions import Convolutions
from unrolled.nn.layers import make_layers
from unrolled.nn.stack import Stack

H = 4
STACKS: dict[str, Callable[[int], Any]] = {
    "two layers that start from learnt states": lambda width: Stack(width, H, "lstm", 2, learn_initial_state=True),
    "everything": lambda width: Stack(
        width, H, "gru", 3, dropout=0.3, variational=True, layer_norm=True, residual=True, learn_initial_state=True
    ),
    "zoneout": lambda width: Stack(width, H, "lstm", 2, recurrent_dropout=0.3, zoneout=0.2, residual=True),
    "zoneout of a GRU": lambda width: Stack(width, H, "gru", zoneout=0.3),
    "residual from the start": lambda width: Stack(width, width, "elman", 2, residual=True),
    "norms of projections": lambda width: Stack(width, H, "lstm_projected", 2, layer_norm=True),
    "conv": lambda width: Convolutions(width, H, num_layers=3),
    "conv, residual from the start": lambda width: Convolutions(width, width, num_layers=2, kernel_size=2),
    "conv of one tap": lambda width: Convolutions(width, H, num_layers=2, kernel_size=1),
    "recurrent and convolutions": lambda width: make_layers("gru", width, H, num_layers=2, convolutions=True),
}
RAGGED = [4, 0, 6, 1]


def check(network: Any, folder: Any, seed: str) -> None:
    """Whole, in chunks at random points, and a step at a time."""
    draw = random.Random(seed)
    batch = a_batch(network, RAGGED)
    want = truth(network, batch)
    steps = list(range(1, max(RAGGED)))
    for model in exports_of(network, folder).values():
        for cuts in ([], sorted(draw.sample(steps, 2)), sorted(draw.sample(steps, 3)), steps):
            assert_same(played(model, batch, cuts), want)


@pytest.mark.parametrize(("cell", "arrangement"), crossed(CELLS, ARRANGEMENTS))
def test_an_exported_cell_equals_torch_in_every_arrangement(cell, arrangement, tmp_path):
    network = a_network(arrangement, lambda width: Stack(width, H, cell))
    check(network, tmp_path, cell + arrangement)


@pytest.mark.parametrize(
    ("stack", "arrangement"),
    [
        one
        for one in crossed(STACKS, ("next step", "one to many", "many to one, attention", "many to one, all"))
        if one.values != ("conv of one tap", "one to many")  # no state that a vector could be
    ],
)
def test_an_exported_stack_equals_torch(stack, arrangement, tmp_path):
    check(a_network(arrangement, STACKS[stack]), tmp_path, stack + arrangement)


@pytest.mark.parametrize("cell", ["lstm", "lstm_layer_norm"])  # a runtime's own cell, and a loop
@pytest.mark.parametrize("arrangement", ["many to many", "many to one, mean"])
def test_one_exported_model_takes_any_batch_any_length_and_any_chunks(arrangement, cell, tmp_path):
    network = a_network(arrangement, lambda width: Stack(width, H, cell, 2))
    models = exports_of(network, tmp_path)

    @given(lengths=some_lengths(min_size=1).filter(any), cuts=st.sets(st.integers(1, 5)), seed=seeds)
    @settings(max_examples=15)
    def holds(lengths, cuts, seed):
        batch = a_batch(network, lengths, seed)
        want = truth(network, batch)
        for model in models.values():
            assert_same(played(model, batch, sorted(cut for cut in cuts if cut < max(lengths))), want)

    holds()


@pytest.mark.parametrize("form", ["onnx", "numpy"])
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_without_lengths_all_rows_are_whole(arrangement, form, tmp_path):
    network = a_network(arrangement, lambda width: Stack(width, H, "gru"))
    batch = a_batch(network, [3, 3])
    assert_same(played(exports_of(network, tmp_path)[form], batch, [1], lengths=False), truth(network, batch))


def test_a_vector_that_starts_a_sequence_is_needed_at_its_start_only(tmp_path):
    network = a_network("one to many", lambda width: Stack(width, H, "lstm"))
    batch = a_batch(network, [4, 4])
    want, _ = truth(network, batch)
    steps, statics = padded(batch)
    onnx, numpy = exports_of(network, tmp_path).values()
    nothing = {name: values[:0] for name, values in statics.items()}
    for model, later in ((onnx, nothing), (numpy, {})):
        _, state = model.run({name: values[:, :3] for name, values in steps.items()} | statics)
        last, _ = model.run({name: values[:, 3:] for name, values in steps.items()} | later, state)
        assert_same(([*last], []), ([row[3:] for row in want], []))


@pytest.mark.parametrize("arrangement", ["next step", "many to one, attention"])
def test_a_row_does_not_depend_on_which_others_share_its_batch(arrangement, tmp_path):
    network = a_network(arrangement, lambda width: Stack(width, H, "lstm_peephole"))
    batch = a_batch(network, RAGGED)
    for model in exports_of(network, tmp_path).values():
        together, alone = played(model, batch, []), played(model, batch.select([3]), [])
        assert_same(alone, ([together[0][3]], [field[3:] for field in together[1]]))


def test_both_forms_of_an_export_name_the_state_alike(tmp_path):
    network = a_network("many to one, mean", lambda width: Stack(width, H, "lstm", 2))
    onnx, numpy = exports_of(network, tmp_path).values()
    names = ["state.0.hidden", "state.0.cell", "state.1.hidden", "state.1.cell"]
    assert onnx.fields == numpy.fields == [*names, "state.pooled.total", "state.pooled.count"]
    assert {name: (1, *onnx.shapes[name][1:]) for name in onnx.fields} == {
        name: np.shape(value) for name, value in numpy.initial_state().items()
    }
