"""Convolutions read every sequence by itself, at a cost that follows the steps there are, alone or beside a Stack."""

import pytest
import torch
from hypothesis import given, settings

from random_sequences import assert_close, differ, noise, seeds, shake, some_lengths, some_ragged
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.errors import OptionError
from unrolled.nn.convolutions import Convolutions
from unrolled.nn.heads import ClassOutput
from unrolled.nn.inputs import InputLayer
from unrolled.nn.layers import make_layers
from unrolled.ragged import Ragged
from unrolled.tasks.shared.memory_estimate import estimate_memory
from unrolled.training.options import TrainingOptions

F, H = 3, 4


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 7])
@given(lengths=some_lengths(), seed=seeds)
@settings(max_examples=5)
def test_every_layer_is_torchs_convolution_of_a_padded_sequence(causal, kernel_size, lengths, seed):
    net = shake(Convolutions(F, H, 2, kernel_size, causal=causal).double(), seed).eval()
    inputs = some_ragged(lengths, F, seed)
    wanted = []
    for sequence in inputs:
        hidden = sequence  # (T, F)
        for layer, (taps, norm) in enumerate(zip(net.taps, net.norms, strict=True)):
            span = (kernel_size - 1) * 2**layer
            before = span if causal else span // 2
            padded = torch.nn.functional.pad(hidden.T, (before, span - before))[None]  # (1, F, T + span)
            weight = taps.weight.view(H, kernel_size, -1).transpose(1, 2)
            found = (
                torch.nn.functional.conv1d(padded, weight, taps.bias, dilation=2**layer)[0].T if len(hidden) else None
            )
            values = norm(found.relu()) if found is not None else hidden.new_zeros(0, H)
            hidden = values + hidden if values.shape == hidden.shape else values
        wanted.append(hidden)
    outputs, _ = net(inputs)
    for got, want in zip(outputs, wanted, strict=True):
        assert_close(got, want)


def test_work_grows_with_the_steps_and_not_with_the_longest_sequence():
    net, rows = Convolutions(F, H, 3, causal=False), []
    for taps in net.taps:
        taps.register_forward_hook(lambda _, given, __: rows.append(len(given[0])))
    lengths = [5000] + [1] * 500
    net(some_ragged(lengths, F, dtype=torch.float32))
    assert rows == [sum(lengths)] * 3


def test_a_net_that_sees_beyond_both_ends_of_a_sequence_stays_finite():
    net = Convolutions(F, H, 8, 7, causal=False)
    assert net(some_ragged([1, 0, 2], F, dtype=torch.float32))[0].values.isfinite().all()


def test_convolutions_beside_layers_change_no_output_of_the_layers():
    torch.manual_seed(0)
    alone = make_layers("gru", F, H, bidirectional=True)
    torch.manual_seed(0)
    both = make_layers("gru", F, H, bidirectional=True, convolutions=True)
    inputs = some_ragged([4, 1], F, dtype=torch.float32)
    assert_close(both(inputs)[0].values[:, : 2 * H], alone(inputs)[0].values)


def test_a_convolution_net_has_no_other_convolutions_beside_it():
    with pytest.raises(OptionError, match="convolutions: expected False for cell='conv'"):
        make_layers("conv", F, H, convolutions=True)


def test_dropout_of_inputs_spares_numbers_where_that_is_asked():
    specs = {"x": Spec("vector", 2), "word": Spec("index", 5, 8)}
    layer = InputLayer(specs, dropout=0.5, spared=("vector",)).train()
    values = noise(50, 2, dtype=torch.float32)
    read = layer(Batch({"x": Ragged(values, [50]), "word": Ragged(torch.ones(50, dtype=torch.int64), [50])})).values
    assert_close(read[:, :2], values)
    assert differ(read[0, 2:], read[1, 2:])


@pytest.mark.parametrize("cell", ["gru", "conv"])
def test_the_memory_of_convolutions_is_counted(cell):
    def needed(steps: int, **more: bool) -> int:
        inputs = InputLayer({"x": Spec("vector", F)})
        net = ManyToOne(inputs, make_layers(cell, F, 16, **more), ClassOutput(2), "all")
        examples = Batch(
            {"x": some_ragged([steps] * 4, F, dtype=torch.float32)}, targets=torch.zeros(4, dtype=torch.int64)
        )
        return estimate_memory(net, examples, TrainingOptions())

    more = {} if cell == "conv" else {"convolutions": True}
    grown = needed(2000, **more) - needed(1000, **more)
    assert grown > 4 * 4 * 1000 * 8 * 7  # four sequences, float32, 8 channels of 7 taps at the least
    if more:
        assert needed(1000, **more) > needed(1000)
