"""Saliency: exact where the model is linear, nothing from the future, and right where only one step matters."""

import numpy as np
import pytest
import torch

from random_sequences import noise, shake
from small_models import MODELS, F, H, a_batch, a_model, inputs
from unrolled.arrangements.many_to_many import ManyToMany
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.errors import ShapeError
from unrolled.inspection.saliency import saliency
from unrolled.nn.heads import ClassOutput, MultiLabelOutput, NumberOutput
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged

LENGTH, NUMBERS, ECHOED = 5, 6, 1


@pytest.fixture(scope="module")
def echo():
    """The lecture's echo, learnt: the second of five numbers must come out."""
    torch.manual_seed(0)
    model = ManyToOne(InputLayer({"x": Spec("index", NUMBERS)}), Stack(NUMBERS, 24, "gru"), ClassOutput(NUMBERS))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        batch = echo_batch(64)
        optimizer.zero_grad()
        (model.loss(batch).total / 64).backward()
        optimizer.step()
    return model.eval()


def echo_batch(rows):
    numbers = torch.randint(NUMBERS, (rows, LENGTH))
    return Batch({"x": Ragged(numbers.flatten(), [LENGTH] * rows)}, targets=numbers[:, ECHOED])


def test_the_one_informative_step_of_the_echo_is_found_both_ways(echo):
    batch = echo_batch(20)
    right = echo(batch)[0].argmax(1) == batch.targets
    assert float(right.float().mean()) > 0.9
    seen = [saliency(echo, batch, row) for row in right.nonzero().flatten().tolist()]
    assert all(int(np.argmax(one.occlusion)) == ECHOED for one in seen)
    # where the answer is certain the gradient vanishes, so that it may miss what occlusion finds
    assert np.mean([int(np.argmax(np.abs(one.gradient))) == ECHOED for one in seen]) > 0.8


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_both_ways_agree_where_the_model_is_linear(pooling):
    model = shake(ManyToOne(inputs(), Stack(F, H, "linear"), NumberOutput(2), pooling).double()).eval()
    seen = saliency(model, Batch({"x": Ragged(noise(9, F), [4, 5])}), row=1)
    np.testing.assert_allclose(seen.gradient, seen.occlusion, rtol=1e-9, atol=1e-12)
    assert seen.agreement == pytest.approx(1.0)


@pytest.mark.parametrize("name", [name for name in MODELS if "many to one" not in name and "bidirectional" not in name])
def test_what_comes_later_does_not_count(name):
    model = a_model(name)
    seen = saliency(model, a_batch(model, [3, 6]), row=1, at=2)
    assert seen.at == 2
    np.testing.assert_allclose(seen.occlusion[3:], 0, atol=1e-12)
    np.testing.assert_allclose(seen.gradient[3:], 0, atol=1e-12)
    assert all(abs(share) > 0 for share in (*seen.gradient[:3], *seen.occlusion[:3]))


def test_a_bidirectional_answer_hangs_on_the_future_too():
    model = a_model("many to many, bidirectional")
    assert all(abs(share) > 0 for share in saliency(model, a_batch(model, [5]), at=0).occlusion)


@pytest.mark.parametrize("name", MODELS)
def test_occlusion_is_what_the_model_says_without_the_step(name):
    model = a_model(name)
    batch = a_batch(model, [4])
    seen = saliency(model, batch, at=3)
    raw = model(batch)[0]
    raw = (raw.values[3:] if isinstance(raw, Ragged) else raw).detach()
    answer = model.output.predict(raw)

    def score(values):
        numbers = model.output.predict(values)
        return float(numbers.sum() if numbers.is_floating_point() else -model.output.loss(values, answer).sum())

    assert seen.score == pytest.approx(score(raw))
    values = batch.inputs["x"].values.clone()
    values[1] = 0
    without = Batch(batch.inputs | {"x": batch.inputs["x"].with_values(values)}, batch.statics)
    less = model(without)[0].detach() if "many to one" in name else model(without)[0].values[3:].detach()
    assert seen.occlusion[1] == pytest.approx(seen.score - score(less))


def test_a_set_of_labels_is_explained_as_a_whole():
    model = shake(ManyToMany(inputs(), Stack(F, H), MultiLabelOutput(3)).double()).eval()
    seen = saliency(model, Batch({"x": Ragged(noise(4, F), [4])}))
    assert seen.score < 0  # a log probability
    assert len(seen.to_json()["gradient"]) == 4


def test_looking_leaves_no_hook_and_no_gradient_behind():
    model = a_model("many to one, max").train()
    saliency(model, a_batch(model, [3]))
    assert model.training
    assert not model.inputs._forward_hooks
    assert all(weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize(("row", "at"), [(2, -1), (1, -1), (0, 3), (0, -4)])
def test_a_step_that_is_not_there_is_refused(row, at):
    model = a_model("next step")
    with pytest.raises(ShapeError, match="expected a s"):
        saliency(model, a_batch(model, [3, 0]), row, at)
