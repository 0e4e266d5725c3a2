"""Sparse gradients: a table learns by them as by dense ones, also clipped, accumulated, interrupted and resumed."""

import pytest
import torch
from torch import nn

from unrolled.arrangements.next_item import NextItem
from unrolled.batch import Batch
from unrolled.data.batching import Buckets
from unrolled.errors import OptionError
from unrolled.nn.event_reader import EventReader
from unrolled.nn.item_vectors import ItemVectors
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged
from unrolled.training.optimizers import make_optimizer
from unrolled.training.options import TrainingOptions
from unrolled.training.sparse import Together, gradient_values, sparse_parameters
from unrolled.training.trainer import Trainer

ITEMS = 30


def examples() -> Batch:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(2, 9, (24,), generator=generator)
    items = torch.randint(ITEMS, (int(lengths.sum()),), generator=generator)
    return Batch({"item": Ragged(items.roll(1), lengths)}, targets=Ragged(items, lengths))


def net(sparse: bool) -> NextItem:
    torch.manual_seed(0)
    return NextItem(EventReader(ItemVectors(ITEMS, 6, sparse=sparse)), Stack(6, 8, "gru"), "sampled_softmax", 10)


def trained(sparse: bool, **options: object) -> NextItem:
    model = net(sparse)
    settings = TrainingOptions(**{"epochs": 2, "learning_rate": 0.01, "weight_decay": 0.0, "device": "cpu", **options})
    Trainer(model, Buckets(examples(), 8), settings).run()
    return model


def test_the_gradient_lists_rows_and_says_what_the_dense_one_says():
    batch = examples().select(torch.arange(4))
    models = {sparse: net(sparse).eval() for sparse in (False, True)}  # evaluation draws the same items each time
    for model in models.values():
        model.loss(batch).total.backward()
    listed, dense = models[True].vectors.own.weight.grad, models[False].vectors.own.weight.grad
    assert listed.is_sparse
    torch.testing.assert_close(listed.to_dense(), dense)


def test_the_first_update_is_that_of_dense_adam():
    batch = examples().select(torch.arange(4))
    models = {sparse: net(sparse).eval() for sparse in (False, True)}
    for model in models.values():
        optimizer = make_optimizer(model, TrainingOptions(learning_rate=0.01, weight_decay=0.0))
        model.loss(batch).total.backward()
        gradient_values(model.parameters())
        optimizer.step()
    for (name, one), other in zip(models[True].named_parameters(), models[False].parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize(
    "options", [{}, {"accumulate": 2}, {"clip_value": 0.01}, {"max_grad_norm": 0.01}, {"average": 0.9}], ids=str
)
def test_training_lowers_the_loss(options):
    untrained, model = net(True).eval(), trained(True, epochs=15, **options).eval()
    with torch.no_grad():
        assert float(model.loss(examples()).total) < float(untrained.loss(examples()).total)


def test_an_item_that_is_never_read_written_or_drawn_keeps_its_vector():
    model = net(True)
    start = model.vectors.own.weight.detach().clone()
    Trainer(model, Buckets(examples(), 8), TrainingOptions(epochs=1, device="cpu")).run()
    unknown = model.vectors.unknown
    assert torch.equal(model.vectors.own.weight[unknown], start[unknown])
    assert not torch.equal(model.vectors.own.weight[:ITEMS], start[:ITEMS])


def test_a_run_that_stopped_and_resumed_ends_where_an_unbroken_one_does(tmp_path):
    whole = trained(True, epochs=4)
    folder = str(tmp_path / "run")
    stopped = net(True)
    options = {"epochs": 4, "learning_rate": 0.01, "weight_decay": 0.0, "device": "cpu", "checkpoint": folder}

    class Stop:
        def __getattr__(self, name):
            return lambda *arguments: None

        def on_update(self, trainer):
            if trainer.at.update == 5:
                trainer.stop()

    Trainer(stopped, Buckets(examples(), 8), TrainingOptions(**options), callbacks=[Stop()]).run()
    resumed = net(True)
    Trainer(resumed, Buckets(examples(), 8), TrainingOptions(**options, resume=True)).run()
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_only_adam_knows_tables():
    with pytest.raises(OptionError, match="adamw"):
        make_optimizer(net(True), TrainingOptions(optimizer="rmsprop"))


def test_all_weights_are_in_one_of_the_two_optimisers():
    model = net(True)
    optimizer = make_optimizer(model, TrainingOptions())
    assert isinstance(optimizer, Together)
    held = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert sorted(held) == sorted(id(weight) for weight in model.parameters())
    assert len(sparse_parameters(model)) == 2


def test_a_model_without_tables_has_one_optimiser():
    assert isinstance(make_optimizer(nn.Linear(2, 1), TrainingOptions()), torch.optim.AdamW)
