"""The encoder-decoder: steps equal the whole pass, mates change nothing, copying and sampling do what they say."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from unrolled.arrangements.encoder_decoder import EncoderDecoder
from unrolled.arrangements.encoders import RecurrentEncoder
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.errors import OptionError, UnsupportedError
from unrolled.nn.decoder import AttendingDecoder
from unrolled.nn.heads import IGNORED
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged
from unrolled.state import map_state

V, SOURCES, D, H = 7, 9, 6, 8
START = V - 1
KINDS = {
    "plain": {},
    "additive": {"attention": "additive"},
    "no attention": {"attention": "none"},
    "input feeding": {"input_feeding": True},
    "coverage": {"coverage": True},
    "both, additive": {"coverage": True, "input_feeding": True, "attention": "additive", "cell": "gru"},
    "copy": {"copy": True},
    "copy, coverage": {"copy": True, "coverage": True},
    "positions": {"positions": True},
    "positions, step by step": {"positions": True, "coverage": True, "input_feeding": True, "attention": "additive"},
    "deep": {"num_layers": 2, "layers": {"residual": True}},
}
kinds = pytest.mark.parametrize("kind", KINDS)
OF_THE_NET = ("tied", "copy", "label_smoothing", "unknown")


def net(dropout: float = 0.0, **options: Any) -> EncoderDecoder:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(
        InputLayer({"source": Spec("index", SOURCES, 4)}), Stack(4, 5, bidirectional=True), dropout
    )
    of_net = {name: options.pop(name) for name in OF_THE_NET if name in options}
    decoder = AttendingDecoder(V, encoder.memory_size, encoder.summary_size, D, H, dropout=dropout, **options)
    made = EncoderDecoder(encoder, decoder, unknown=0, **of_net)
    for parameter in made.parameters():  # also those that start at zero must matter
        torch.nn.init.normal_(parameter, std=0.5)
    return made.double().eval()


def pairs(lengths: list[tuple[int, int]], seed: int = 1) -> Batch:
    """Random pairs of the given lengths; some source words are not in the target's vocabulary."""
    torch.manual_seed(seed)
    reads, writes = torch.tensor(lengths).T
    source = Ragged(torch.randint(SOURCES, (int(reads.sum()),)), reads)
    copies = source.with_values(torch.randint(V + 2, source.values.shape))
    targets = Ragged(torch.randint(V, (int(writes.sum()),)), writes)
    before = [torch.cat([torch.tensor([START]), row[:-1]]) for row in targets]
    return Batch({"target": Ragged.from_sequences(before)}, {}, targets, sources={"source": source, "copy": copies})


def further_of(batch: Batch) -> int:
    places = batch.sources["copy"]
    assert isinstance(places, Ragged)
    return max(0, int(places.values.max()) + 1 - V)


def rows_of(batch: Batch, row: int) -> Batch:
    return batch.select(torch.tensor([row]))


SHAPES = [(3, 4), (1, 1), (6, 2), (0, 3), (2, 7)]


@kinds
def test_single_steps_equal_the_whole_pass(kind):
    model = net(**KINDS[kind])
    batch = pairs([(3, 5), (6, 5), (1, 5)])
    whole, _ = model(batch)
    state = model.first_state(batch)
    tokens = batch.inputs["target"].padded()
    for step in range(5):
        one = Batch({"target": Ragged(tokens[:, step], torch.ones(3, dtype=torch.int64))}, sources=batch.sources)
        logs, state = model.step(one, state)
        torch.testing.assert_close(logs, whole.padded()[:, step], rtol=1e-10, atol=1e-10)


@kinds
def test_a_pair_does_not_depend_on_its_batch_mates(kind):
    model = net(**KINDS[kind])
    batch = pairs(SHAPES)
    together, _ = model(batch)
    for row in range(len(SHAPES)):
        alone, _ = model(rows_of(batch, row))
        width = alone.values.shape[1]
        torch.testing.assert_close(together[row][:, :width], alone.values, rtol=1e-10, atol=1e-10)


@kinds
def test_probabilities_sum_to_one_and_the_loss_is_theirs(kind):
    model = net(**KINDS[kind])
    batch = pairs(SHAPES)
    logs, _ = model(batch)
    torch.testing.assert_close(logs.values.exp().sum(1)[logs.sequence_ids != 3], torch.ones(14).double())
    chosen = logs.values.gather(1, batch.targets.values[:, None]).squeeze(1)
    result = model.loss(batch)
    assert result.count == 17
    torch.testing.assert_close(result.total, -chosen.sum())


@kinds
def test_every_weight_gets_a_gradient(kind):
    model = net(**KINDS[kind]).train()
    model.loss(pairs(SHAPES)).total.backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []


@kinds
@pytest.mark.parametrize("all_entries", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_gradients_are_those_of_finite_differences(kind, all_entries):
    model = net(**KINDS[kind])
    batch = pairs([(2, 3), (3, 2)])
    weights = dict(model.named_parameters())
    chosen = [name for name in weights if name.endswith(("embedding.weight", "start.bias", "to_readout.bias"))]

    def total(*values: Tensor) -> Tensor:
        replaced = dict(zip(chosen, values, strict=True))
        return torch.func.functional_call(model, replaced, (batch,))[0].values.clamp(min=-50).sum()

    # in a random direction, or entry by entry
    assert torch.autograd.gradcheck(total, tuple(weights[name] for name in chosen), fast_mode=not all_entries)


def test_a_copied_word_can_be_one_the_vocabulary_does_not_have():
    model = net(copy=True)
    batch = pairs([(4, 3)])
    batch.sources["copy"].values[1] = V + 1
    logs, _ = model(batch)
    assert logs.values.shape[1] == V + 2
    written, _ = model.decoder(model._tokens(batch), model.share(batch).source)
    write = model.head.switch(written.hidden).sigmoid()[:, 0]
    torch.testing.assert_close(logs.values[:, V + 1].exp(), (1 - write) * written.weights[:, 1])
    target = Ragged(torch.full((3,), V + 1), [3])
    loss = model.loss(Batch(batch.inputs, {}, target, sources=batch.sources))
    torch.testing.assert_close(loss.total, -logs.values[:, V + 1].sum())


def test_an_unknown_target_costs_nothing():
    model = net()
    batch = pairs([(3, 4)])
    targets = batch.targets.with_values(torch.tensor([1, IGNORED, 2, IGNORED]))
    logs, _ = model(batch)
    result = model.loss(Batch(batch.inputs, {}, targets, sources=batch.sources))
    assert result.count == 2
    torch.testing.assert_close(result.total, -logs.values[0, 1] - logs.values[2, 2])


def test_label_smoothing_spreads_the_target_over_the_vocabulary():
    model, smooth = net(), net(label_smoothing=0.2)
    batch = pairs(SHAPES)
    logs = model(batch)[0].values
    expected = -0.8 * logs.gather(1, batch.targets.values[:, None]).sum() - 0.2 * logs.mean(1).sum()
    torch.testing.assert_close(smooth.loss(batch).total, expected)


def test_coverage_costs_what_is_looked_at_again_while_training():
    model = net(coverage=True)
    batch = pairs([(3, 4)])
    written, _ = model.decoder(model._tokens(batch), model.share(batch).source)
    so_far = written.weights.cumsum(0) - written.weights
    repeats = torch.minimum(so_far, written.weights).sum()
    plain = model.loss(batch).total
    torch.testing.assert_close(model.train().loss(batch).total - plain, repeats)


def test_sampled_tokens_replace_true_ones_as_often_as_asked():
    model = net().train()
    batch = pairs([(5, 400)])
    tokens = model._tokens(batch)
    shared = model.share(batch)
    shares = {}
    for share in (1.0, 0.7, 0.0):
        model.teacher_forcing = share
        torch.manual_seed(3)
        changed = (model._sampled(tokens, shared).values != tokens.values).double()
        assert changed[0] == 0  # the start stays
        shares[share] = float(changed.mean())
    assert shares[1.0] == 0
    assert 0.15 < shares[0.7] / shares[0.0] < 0.45


def test_drawn_tokens_are_what_the_model_says_at_the_step_before():
    model = net().train()
    with torch.no_grad():  # a model that always says 3
        model.head.bias.copy_(torch.tensor([0.0, 0, 0, 1000, 0, 0, 0]))
    model.teacher_forcing = 0.0
    batch = pairs([(2, 5), (3, 4)])
    drawn = model._sampled(model._tokens(batch), model.share(batch))
    assert [row.tolist() for row in drawn] == [[START, 3, 3, 3, 3], [START, 3, 3, 3]]


@pytest.mark.parametrize(("feeding", "coverage"), list(product([False, True], repeat=2)))
def test_noise_in_training_is_new_at_each_pass_and_gone_in_evaluation(feeding, coverage):
    model = net(dropout=0.5, input_feeding=feeding, coverage=coverage)
    batch = pairs(SHAPES)
    assert torch.equal(model(batch)[0].values, model(batch)[0].values)
    model.train()
    assert not torch.equal(model(batch)[0].values, model(batch)[0].values)


def test_hypotheses_of_a_source_stand_side_by_side():
    model = net(coverage=True, copy=True)
    batch = pairs([(3, 1), (5, 1)])
    shared = model.share(batch)
    state = model.decoder.first_state(shared.source)
    twice = map_state(lambda field: field.repeat_interleave(2, 0), state)
    tokens = torch.tensor([1, 2, 3, 4])
    further = further_of(batch)
    logs, _ = model.advance(tokens, twice, shared, further)
    for place, row in ((0, 0), (1, 0), (2, 1), (3, 1)):
        alone = rows_of(batch, row)
        one = model.share(alone)
        single, _ = model.advance(tokens[place : place + 1], model.decoder.first_state(one.source), one, further)
        torch.testing.assert_close(logs[place : place + 1], single, rtol=1e-10, atol=1e-10)


def test_what_cannot_be_is_refused():
    with pytest.raises(OptionError, match="coverage"):
        net(coverage=True, attention="none")
    with pytest.raises(OptionError, match="copy"):
        net(copy=True, attention="none")
    with pytest.raises(OptionError, match="label_smoothing"):
        net(copy=True, label_smoothing=0.1)
    with pytest.raises(UnsupportedError, match="first_state"):
        net().initial_state(3)
