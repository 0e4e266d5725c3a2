"""Every road to a recurrent layer is seen, and says the same of the same weights: a Stack, unrolled.nn, and unroll."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from random_sequences import assert_close, noise, shake
from unrolled import nn as ours
from unrolled.batch import LossSum
from unrolled.cells.registry import CELLS, make_cell
from unrolled.errors import UnsupportedError
from unrolled.inspection.gradient_flow import gradient_flow
from unrolled.inspection.names import places
from unrolled.inspection.states import states
from unrolled.nn.stack import Recurrent, Stack
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

F, H, LENGTHS = 3, 4, [5, 5, 5]


def sequences() -> Ragged:
    return Ragged(noise(sum(LENGTHS), F), LENGTHS)


def squares(model: nn.Module, given) -> LossSum:
    outputs = model(given)[0]
    values = outputs if isinstance(outputs, Tensor) else outputs.data if hasattr(outputs, "data") else outputs.values
    return LossSum(values.square().sum(), 1.0)


def drop_in(kind: str, **options) -> nn.Module:
    return shake(getattr(ours, kind)(F, H, num_layers=2, batch_first=True, **options).double())


def as_stack(module: nn.Module, cell: str) -> Stack:
    """The same weights as layers of ours."""
    both = module.bidirectional
    stack = Stack(F, H, cell, num_layers=2, bidirectional=both).double()
    for number, layer in enumerate(stack.layers):
        cells = [layer.forward_cell, layer.backward_cell] if both else [layer.cell]
        for reverse, one in enumerate(cells):
            one.load_state_dict(type(one).from_torch(module, number, bool(reverse)).state_dict())
    return stack


KINDS = {"LSTM": "lstm", "GRU": "gru", "RNN": "elman"}
FORMS = {
    "ragged": lambda x: x,
    "padded": lambda x: x.padded(),
    "packed": lambda x: pack_sequence(list(x), enforce_sorted=False),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_drop_in_module_flows_as_a_stack_of_the_same_weights(kind, bidirectional, form):
    module = drop_in(kind, bidirectional=bidirectional)
    given = FORMS[form](sequences())
    flow, other = (
        gradient_flow(module, given, loss=squares),
        gradient_flow(as_stack(module, KINDS[kind]), sequences(), loss=squares),
    )
    assert flow.loss == pytest.approx(other.loss)
    assert [layer.name for layer in flow.layers] == [layer.name for layer in other.layers]
    for one, two in zip(flow.layers, other.layers, strict=True):
        assert one.state_gradients == pytest.approx(two.state_gradients, rel=1e-9)
        assert one.decay.curve == pytest.approx(two.decay.curve, rel=1e-9)
        assert one.gates == pytest.approx(two.gates) or one.gates == two.gates


@pytest.mark.parametrize("kind", KINDS)
def test_a_drop_in_module_s_states_are_a_stack_s(kind):
    module = drop_in(kind, bidirectional=True)
    seen, other = states(module, sequences()), states(as_stack(module, KINDS[kind]), sequences())
    assert [layer.name for layer in seen.layers] == [
        "layer 1", "layer 1, backward", "layer 2", "layer 2, backward"
    ]  # fmt: skip
    for one, two in zip(seen.layers, other.layers, strict=True):
        for name, field in one.everything.items():
            assert_close(field.values, two.everything[name].values)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"zoneout": 0.2}, {"proj_size": 2}], ids=str)
def test_updates_of_a_drop_in_module_s_matrices_are_compared(options):
    flow = gradient_flow(drop_in("LSTM", **options), sequences(), loss=squares, learning_rate=0.1)
    assert [set(layer.updates) >= {"weight_ih", "weight_hh"} for layer in flow.layers] == [True, True]
    assert not any(layer.frozen for layer in flow.layers)


def test_a_single_step_is_seen_although_torch_would_run_it():
    assert len(gradient_flow(drop_in("GRU"), noise(3, 1, F), loss=squares).layers) == 2


class Translator(nn.Module):
    """Several stacks of every kind, as a user may write them; it returns a mean loss."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ours.LSTM(F, H, num_layers=2, batch_first=True)
        self.net = nn.ModuleDict({"bridge": Stack(H, H, "gru")})
        self.steps = nn.ModuleList([Recurrent(make_cell("elman", H, H)), Recurrent(make_cell("elman", H, H))])
        self.reader = make_cell("gru", H, H)

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.encoder(x)  # (B, T, H)
        ragged, _ = self.net["bridge"](Ragged.from_sequences(list(hidden)))
        for layer in self.steps:
            ragged, _ = layer(ragged)
        ahead, _ = unroll(self.reader, ragged)
        back, _ = unroll(self.reader, ahead, reverse=True)
        return back.values.square().mean()


def test_layers_of_several_stacks_are_told_apart_by_their_attributes():
    flow = gradient_flow(Translator(), torch.randn(2, 5, F), loss=lambda model, x: model(x))
    assert [layer.name for layer in flow.layers] == [
        "encoder, layer 1", "encoder, layer 2", "net.bridge, layer 1", "steps, layer 1", "steps, layer 2",
        "reader, layer 1", "reader, layer 1, backward",
    ]  # fmt: skip
    assert all(layer.decay is not None for layer in flow.layers)


def test_a_second_pass_through_a_layer_has_a_name_of_its_own():
    stack = Stack(F, F, "gru").double()
    flow = gradient_flow(stack, sequences(), loss=lambda model, x: squares(model, model(x)[0]))
    assert [layer.name for layer in flow.layers] == ["layer 1", "layer 1, pass 2"]


def test_modules_that_hold_all_stacks_are_left_out_of_their_names():
    model = nn.ModuleDict({"net": nn.ModuleDict({"one": Stack(F, H), "two": Stack(F, H)})})
    assert [place.stack for place in places(model).values()] == ["one", "two"]


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_alone_in_a_user_s_module_is_a_layer(cell):
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = make_cell(cell, F, H).double()

        def forward(self, inputs):
            return unroll(self.cell, inputs)

    model = Reader()
    (flow,) = gradient_flow(model, sequences(), loss=squares, detail=False).layers
    (seen,) = states(model, sequences()).layers
    assert (flow.name, seen.name) == ("layer 1", "layer 1")
    assert_close(seen.outputs.values, model(sequences())[0].values.detach())


def test_passes_of_another_model_are_left_alone():
    teacher, student = Stack(F, H, "gru").double(), Stack(F, H, "lstm").double()

    def distance(model, x):
        return (model(x)[0].values - teacher(x)[0].values.detach()).square().mean()

    assert [layer.cell for layer in gradient_flow(student, sequences(), loss=distance).layers] == ["LSTM"]


def test_looking_leaves_modes_and_hooks_as_they_were_even_where_the_model_fails():
    module = drop_in("GRU").train()
    with pytest.raises(RuntimeError):
        gradient_flow(module, noise(3, 5, F + 1), loss=squares)
    assert module.training
    assert not module._forward_hooks
    assert not module._forward_pre_hooks


def test_a_layer_that_is_torch_s_own_is_refused_with_a_remedy():
    model = nn.LSTM(F, H).double()
    for look in (lambda: gradient_flow(model, noise(5, 3, F), loss=squares), lambda: states(model, noise(5, 3, F))):
        with pytest.raises(UnsupportedError, match=r"unrolled.nn.LSTM in place of torch.nn.LSTM"):
            look()
