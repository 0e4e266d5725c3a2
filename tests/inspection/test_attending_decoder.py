"""An attending decoder shows all its layers, whether it goes through whole targets at once or step by step."""

import pytest
import torch

from random_sequences import assert_close
from unrolled.arrangements.encoder_decoder import EncoderDecoder
from unrolled.arrangements.encoders import RecurrentEncoder
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.inspection.gradient_flow import gradient_flow
from unrolled.inspection.states import states
from unrolled.nn.decoder import AttendingDecoder
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged

V, D, H = 7, 6, 8
LAYERS = ["encoder, layer 1", "encoder, layer 1, backward", "decoder, layer 1", "decoder, layer 2", "decoder, layer 3"]


def net(cell: str = "lstm", **options: object) -> EncoderDecoder:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(InputLayer({"source": Spec("index", 9, 4)}), Stack(4, 5, bidirectional=True))
    decoder = AttendingDecoder(V, encoder.memory_size, encoder.summary_size, D, H, cell, num_layers=2, **options)
    return EncoderDecoder(encoder, decoder).double().eval()


def pairs(reads: list[int], writes: list[int]) -> Batch:
    torch.manual_seed(1)
    targets = Ragged(torch.randint(V, (sum(writes),)), writes)
    before = Ragged(torch.randint(V, (sum(writes),)), writes)
    return Batch({"target": before}, {}, targets, sources={"source": Ragged(torch.randint(9, (sum(reads),)), reads)})


def stepwise_twin(plain: EncoderDecoder, cell: str) -> EncoderDecoder:
    """The same function, computed a step at a time: its coverage counts nothing."""
    twin = net(cell, coverage=True)
    twin.load_state_dict(plain.state_dict(), strict=False)
    assert twin.decoder.sequential
    return twin


BATCH = pairs([3, 6, 2, 4], [2, 5, 7, 5])


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_step_by_step_every_layer_remembers_the_same_as_at_once(cell):
    plain = net(cell)
    for one, other in zip(states(plain, BATCH).layers, states(stepwise_twin(plain, cell), BATCH).layers, strict=True):
        assert one.name == other.name
        assert one.outputs.lengths.tolist() == other.outputs.lengths.tolist()
        for name in one.everything:
            assert_close(other.everything[name].values, one.everything[name].values)
        for name in one.initial:
            assert_close(other.initial[name], one.initial[name])


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_step_by_step_the_gradient_flows_as_at_once(cell):
    plain = net(cell)
    flow = gradient_flow(plain, BATCH, sequences=4)
    again = gradient_flow(stepwise_twin(plain, cell), BATCH, sequences=4)
    assert again.loss == pytest.approx(flow.loss)
    for one, other in zip(flow.layers, again.layers, strict=True):
        assert other.state_gradients == pytest.approx(one.state_gradients, rel=1e-4)
        assert other.counts == one.counts
        assert other.decay.curve == pytest.approx(one.decay.curve, rel=1e-4)


@pytest.mark.parametrize("options", [{}, {"input_feeding": True}, {"coverage": True}, {"attention": "none"}], ids=str)
def test_layers_of_a_decoder_are_counted_through_its_stacks(options):
    flow = gradient_flow(net(**options), BATCH, detail=False)
    assert [layer.name for layer in flow.layers] == LAYERS
    assert all(layer.state_gradients for layer in flow.layers)


@pytest.mark.parametrize("options", [{"input_feeding": True}, {"coverage": True}], ids=str)
def test_watching_changes_no_answer(options):
    model = net(**options)
    with torch.no_grad():
        before = model(BATCH)[0].values
        seen = states(model, BATCH)
        after = model(BATCH)[0].values
    assert torch.equal(before, after)
    # the last layer's states are those that the answer was read from
    hidden = seen.layers[-1].fields["hidden"]
    with torch.no_grad():
        written, _ = model.decoder(BATCH.inputs["target"], model.share(BATCH).source)
    assert_close(written.hidden[:, :H], hidden.values)


def test_an_input_fed_readout_carries_the_gradient_past_the_state():
    """A layer hears of later losses also through what is fed back: the first state's gradient is the true one."""
    model = net("elman", input_feeding=True)
    one = BATCH.select(torch.tensor([1]))
    flow = gradient_flow(model, one, detail=False)
    start = torch.zeros(1, H, dtype=torch.float64, requires_grad=True)
    cell = model.decoder.bottom.layers[0].cell
    step = type(cell).step

    def nudged(inputs, state):
        output, after = step(cell, inputs, state)
        if nudged.first:
            nudged.first = False
            after = type(after)(after.hidden + start)
            output = after.hidden
        return output, after

    nudged.first = True
    cell.step = nudged
    result = model.loss(one)
    (gradient,) = torch.autograd.grad(result.total / result.count, start)
    assert flow.layers[2].state_gradients[0] == pytest.approx(float(gradient.norm()), rel=1e-4)
