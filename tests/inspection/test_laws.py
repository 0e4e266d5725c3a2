"""Every broken law is caught, and by the law that names it; a whole model keeps them all."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from unrolled.arrangements.many_to_many import NextStep
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.batch import Batch, LossSum
from unrolled.codecs.base import Spec
from unrolled.inspection.laws import Law, network_laws
from unrolled.nn.heads import ClassOutput, NumberOutput
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged

LENGTHS = torch.tensor([6, 1, 4, 9])


def batch(seed: int = 0) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    values = [torch.randn(int(LENGTHS.sum()), width, generator=draw) for width in (3, 2)]
    return Batch({"x": Ragged(values[0], LENGTHS)}, targets=Ragged(values[1], LENGTHS))


class Bent(torch.autograd.Function):
    """Right forward, wrong backward, in float32 only: a kernel's fault."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * (1.1 if gradient.dtype == torch.float32 else 1.0)


class Broken(NextStep):
    """A next-step net with one fault."""

    def __init__(self, fault: str) -> None:
        torch.manual_seed(0)
        super().__init__(InputLayer({"x": Spec("vector", 3)}), Stack(3, 5), NumberOutput(2))
        self.fault = fault
        self.kept: Any = None

    def forward(self, batch: Batch, state: Any = None) -> tuple[Ragged, Any]:
        inputs = batch.inputs["x"]
        assert isinstance(inputs, Ragged)
        if self.fault == "batch mates":
            inputs = inputs.with_values(inputs.values - inputs.values.mean(0))
        if self.fault == "state forgotten":
            state = None
        if self.fault == "future":
            inputs = inputs.reversed().with_values(inputs.values + inputs.reversed().values)
            inputs = Ragged(inputs.values, batch.lengths)
        raw, after = super().forward(replace(batch, inputs={"x": inputs}), state)
        if self.fault == "state detached":
            after = tuple(type(one)(*(field.detach() for field in one)) for one in after)
        return raw.map(Bent.apply) if self.fault == "kernel" else raw, after

    def loss(self, batch: Batch, state: Any = None) -> LossSum:
        found = super().loss(batch, state)
        if self.fault == "mean over the batch":
            return replace(found, total=found.total / len(batch))
        return found


def broken(fault: str) -> set[str]:
    return {law.name for law in network_laws(Broken(fault), batch()) if not law.holds}


def test_a_whole_model_keeps_every_law():
    laws = network_laws(Broken(""), batch())
    assert all(law.holds for law in laws)
    assert len(laws) == 7
    assert all("holds" in str(law) for law in laws)


@pytest.mark.parametrize(
    ("fault", "caught"),
    [
        ("batch mates", "each sequence alone, without batch mates or padding"),
        ("state forgotten", "chunks cut at random places, the state carried"),
        ("state forgotten", "single steps, the state carried"),
        ("future", "earlier answers, with other inputs later"),
        ("state detached", "gradients: chunks, the state carried"),
        ("mean over the batch", "gradients: each sequence alone"),
    ],
)
def test_each_fault_breaks_its_law(fault, caught):
    assert caught in broken(fault)


def test_a_fault_of_the_gradient_alone_leaves_the_answers_right():
    assert all(name.startswith("gradients") for name in broken("state detached") | broken("mean over the batch"))


def test_a_kernel_with_a_wrong_backward_is_caught():
    assert broken("kernel") == {"gradients: this machine's kernels against float64"}


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_one_answer_for_a_sequence_keeps_the_laws_in_every_pooling(pooling):
    net = ManyToOne(InputLayer({"x": Spec("vector", 3)}), Stack(3, 5), ClassOutput(2), pooling)
    some = replace(batch(), targets=torch.tensor([0, 1, 0, 1]))
    laws = network_laws(net, some)
    assert all(law.holds for law in laws)
    assert len(laws) == 5


def test_what_reads_backwards_is_asked_for_whole_sequences_only():
    net = ManyToOne(InputLayer({"x": Spec("vector", 3)}), Stack(3, 5, bidirectional=True), ClassOutput(2))
    laws = network_laws(net, replace(batch(), targets=torch.tensor([0, 1, 0, 1])))
    assert [law.name for law in laws if not law.holds] == []
    assert len(laws) == 3


def test_the_model_and_its_mode_stay_as_they_were():
    net = Broken("").train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    network_laws(net, batch())
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(weight.grad is None and weight.dtype == torch.float32 for weight in net.parameters())
    assert torch.get_default_dtype() == torch.float32


def test_a_law_says_how_far_it_is_off():
    law = Law("something", 0.5, 1e-4)
    assert not law.holds
    assert str(law).startswith("BROKEN")
    assert law.to_json() == {"name": "something", "gap": 0.5, "limit": 1e-4, "holds": False}
