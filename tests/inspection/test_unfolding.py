"""The unfolded graph holds what the model computes: every cell, state, arrow and number, for each arrangement."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from random_sequences import assert_close
from small_models import MODELS, F, H, V, a_batch, a_model
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.errors import ShapeError, UnsupportedError
from unrolled.inspection.graph import CELL, GAP, INPUT, LOSS, OUTPUT, STATE, TOTAL
from unrolled.inspection.states import states
from unrolled.inspection.unfolding import unfold

every = pytest.mark.parametrize("name", MODELS)
ends = st.tuples(st.integers(1, 4), st.integers(1, 4))


def the_unfolding(name, length, **options):
    model = a_model(name)
    return model, unfold(model, a_batch(model, [length]), **options)


def directions(name):
    return 2 if "bidirectional" in name else 1


def layers(name):
    return 2 if "two" in name or name == "one to many" else 1


# ---- the graph -------------------------------------------------------------------------------------


@every
@given(length=st.integers(1, 12), ends=ends)
@settings(max_examples=8)
def test_there_is_a_cell_for_each_step_layer_and_direction(name, length, ends):
    _, unfolding = the_unfolding(name, length, ends=ends)
    rows = layers(name) * directions(name)
    assert len(unfolding.of_kind(CELL)) == len(unfolding.shown) * rows
    assert len(unfolding.of_kind(STATE)) == (len(unfolding.shown) + 1) * rows
    assert len(unfolding.of_kind(INPUT)) == len(unfolding.shown)


@every
@given(length=st.integers(1, 12), ends=ends)
@settings(max_examples=8)
def test_arrows_connect_nodes_that_exist_and_names_are_unlike(name, length, ends):
    _, unfolding = the_unfolding(name, length, ends=ends)
    names = [node.name for node in unfolding.nodes]
    assert len(set(names)) == len(names)
    assert {end for arrow in unfolding.arrows for end in (arrow.source, arrow.target)} <= set(names)
    assert {arrow.weights for arrow in unfolding.arrows} - {""} >= set(unfolding.weights) - {"V"}


@every
@given(length=st.integers(1, 40), ends=ends)
@settings(max_examples=8)
def test_elision_keeps_the_ends_and_hides_at_least_two_steps(name, length, ends):
    _, unfolding = the_unfolding(name, length, ends=ends)
    first, last = ends
    assert set(unfolding.shown) >= {*range(1, min(first, length) + 1), *range(max(1, length - last + 1), length + 1)}
    hidden = sorted(set(range(1, length + 1)) - set(unfolding.shown))
    assert len(hidden) != 1
    assert len(unfolding.of_kind(GAP)) == bool(hidden) * layers(name) * directions(name)


@every
def test_every_input_reaches_every_loss_that_it_may_and_no_other(name):
    model, unfolding = the_unfolding(name, 4, ends=(4, 1))
    for node in unfolding.of_kind(INPUT):
        reached, front = set(), {node.name}
        while front:
            reached |= front
            front = {arrow.target for arrow in unfolding.arrows if arrow.source in front} - reached
        steps = {loss.step for loss in unfolding.of_kind(LOSS) if loss.name in reached}
        if isinstance(model, ManyToOne):
            assert steps == {None}
        else:
            assert steps == set(range(1 if "bidirectional" in name else node.step, 5))


@every
def test_the_weights_have_the_model_s_own_shapes(name):
    model, unfolding = the_unfolding(name, 2)
    shapes = {tuple(weight.shape) for weight in model.parameters()}
    assert set(unfolding.weights.values()) <= shapes
    assert len([weights for weights in unfolding.weights if weights[0] == "U"]) == layers(name) * directions(name)


def test_one_layer_has_the_letters_of_the_lecture():
    _, unfolding = the_unfolding("next step", 2)
    arrows = {(arrow.source, arrow.target): arrow.weights for arrow in unfolding.arrows}
    assert arrows == {
        ("s_0", "cell_1"): "W",
        ("x_1", "cell_1"): "U",
        ("cell_1", "s_1"): "",
        ("s_1", "cell_2"): "W",
        ("x_2", "cell_2"): "U",
        ("cell_2", "s_2"): "",
        ("cell_1", "y_1"): "V",
        ("y_1", "J_1"): "",
        ("cell_2", "y_2"): "V",
        ("y_2", "J_2"): "",
        ("J_1", "J"): "",
        ("J_2", "J"): "",
    }
    assert unfolding.node("J").label == "J = J_1 + J_2"
    assert unfolding.weights == {"U": (H, F), "W": (H, H), "V": (V, H)}


def test_backward_states_flow_from_the_end():
    _, unfolding = the_unfolding("many to many, bidirectional", 3)
    arrows = {(arrow.source, arrow.target): arrow.weights for arrow in unfolding.arrows}
    assert arrows["s'_4", "cell'_3"] == "W'"
    assert arrows["s'_3", "cell'_2"] == "W'"
    assert ("cell'_1", "s'_1") in arrows


def test_the_last_step_ahead_and_the_first_step_back_make_one_answer():
    _, unfolding = the_unfolding("many to one, last, bidirectional", 5)
    assert {arrow.source for arrow in unfolding.arrows if arrow.target == "y"} == {"cell_5", "cell'_1"}


# ---- truncated back-propagation -----------------------------------------------------------------------


@given(length=st.integers(1, 30), bptt_steps=st.integers(1, 12))
@settings(max_examples=20)
def test_windows_cover_every_step_once_and_the_gradient_stops_between_them(length, bptt_steps):
    _, unfolding = the_unfolding("next step", length, bptt_steps=bptt_steps)
    covered = [step for window in unfolding.windows for step in range(window.start, window.stop + 1)]
    assert covered == list(range(1, length + 1))
    stops = [arrow for arrow in unfolding.arrows if arrow.stops]
    assert bool(stops) == (len(unfolding.windows) > 1)
    if stops:
        first = unfolding.windows[0].stop
        assert (stops[0].source, stops[0].target) == (f"s_{first}", f"cell_{first + 1}")


def test_many_to_one_looks_back_from_its_end():
    model, unfolding = the_unfolding("many to one, mean", 10, bptt_steps=4)
    assert [(w.start, w.stop, w.learns) for w in unfolding.windows] == [(1, 6, False), (7, 10, True)]
    stops = {(arrow.source, arrow.target) for arrow in unfolding.arrows if arrow.stops}
    assert ("s_6", "cell_7") in stops
    batch = a_batch(model, [10])
    model.bptt_steps = 4
    x = batch.inputs["x"].values.requires_grad_()
    model.train().loss(batch).total.backward()
    steps_with_gradient = [t + 1 for t in range(10) if float(x.grad[t].abs().sum()) > 0]
    assert steps_with_gradient == list(range(7, 11))
    pooled = {arrow.source: arrow.stops for arrow in unfolding.arrows if arrow.target == "mean"}
    assert {int(name.split("_")[1]) for name, stops in pooled.items() if not stops} <= set(steps_with_gradient)


def test_a_model_that_reads_backwards_has_no_windows():
    with pytest.raises(UnsupportedError, match="bptt_steps=0"):
        the_unfolding("many to many, bidirectional", 8, bptt_steps=3)


# ---- real numbers --------------------------------------------------------------------------------------


@every
def test_values_are_the_model_s_own(name):
    model = a_model(name)
    batch = a_batch(model, [4, 9])
    unfolding = unfold(model, batch, row=1, values=True)
    seen = {(layer.layer, layer.direction): layer for layer in states(model, batch).layers}
    for node in unfolding.of_kind(STATE):
        layer = seen[node.layer, node.direction]
        for field, values in node.values.items():
            real = layer.fields[field][1][node.step - 1] if 1 <= node.step <= 9 else layer.initial[field][1]
            assert_close(torch.tensor(values, dtype=torch.float64), real.detach())
    one = batch.select([1])
    raw = model(one)[0]
    for node in unfolding.of_kind(OUTPUT):
        real = raw[0] if node.step is None else raw.values[node.step - 1]
        assert_close(torch.tensor(node.values["y"], dtype=torch.float64), real.detach())
    (last,) = unfolding.of_kind(TOTAL) or unfolding.of_kind(LOSS)
    assert last.values["J"][0] == pytest.approx(float(model.loss(one).total.detach()))


@every
def test_values_have_the_shapes_that_are_said(name):
    _, unfolding = the_unfolding(name, 6, values=True)
    for node in unfolding.nodes:
        for field, values in node.values.items():
            assert len(values) == torch.Size(node.shapes[field]).numel()


@every
def test_an_unfolding_becomes_plain_values(name):
    _, unfolding = the_unfolding(name, 7, values=True, bptt_steps=0)
    assert json.loads(json.dumps(unfolding.to_json()))["length"] == 7


def test_without_targets_there_is_no_loss():
    model = a_model("many to many")
    batch = a_batch(model, [3])
    assert not unfold(model, type(batch)(batch.inputs, batch.statics)).of_kind(LOSS)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"row": 2}, "0 to 1, received 2"), ({"row": 1}, "empty"), ({"labels": "ab"}, "one for each of 3 steps")],
)
def test_what_cannot_be_unfolded_is_refused_in_a_sentence(options, said):
    model = a_model("next step")
    with pytest.raises(ShapeError, match=said):
        unfold(model, a_batch(model, [3, 0]), **options)


# ---- restarts ------------------------------------------------------------------------------------------


def restarted(name, length, steps, **options):
    model = a_model(name)
    batch = a_batch(model, [length])
    reset = torch.zeros(length, dtype=torch.bool)
    reset[[step - 1 for step in steps]] = True
    cut = type(batch)(batch.inputs, batch.statics, batch.targets, reset=reset)
    return unfold(model, cut, ends=(length, 1), **options), [batch.slice_time(0, steps[-1] - 1), model, batch]


@pytest.mark.parametrize("name", ["next step", "many to many, two layers", "many to many, bidirectional"])
@given(restart=st.integers(2, 5))
@settings(max_examples=4)
def test_a_restart_cuts_the_state_s_way_and_the_gradient_s(name, restart):
    unfolding, _ = restarted(name, 5, [restart])
    assert unfolding.restarts == (restart,)
    assert [(w.start, w.stop) for w in unfolding.windows] == [(1, restart - 1), (restart, 5)]
    cut = {(arrow.source, arrow.target) for arrow in unfolding.arrows if arrow.restarts}
    marks = [""] if layers(name) == 1 else ["^(1)", "^(2)"]
    want = {(f"s_{restart - 1}{mark}", f"cell_{restart}{mark}") for mark in marks}
    if directions(name) == 2:
        want |= {(f"s'_{restart}", f"cell'_{restart - 1}")}
    assert cut == want
    assert all(arrow.stops for arrow in unfolding.arrows if arrow.restarts)


def test_the_states_after_a_restart_are_those_of_a_sequence_of_its_own():
    unfolding, (_, model, batch) = restarted("next step", 6, [4], values=True)
    alone = unfold(model, batch.slice_time(3, 6), ends=(3, 1), values=True)
    for step in (1, 2, 3):
        ours, theirs = (drawn.node(name).values for drawn, name in ((unfolding, f"s_{step + 3}"), (alone, f"s_{step}")))
        assert ours["hidden"] == pytest.approx(theirs["hidden"])


def test_restarts_and_truncation_both_end_windows():
    unfolding, _ = restarted("next step", 10, [3, 9], bptt_steps=4)
    assert [(w.start, w.stop) for w in unfolding.windows] == [(1, 2), (3, 4), (5, 8), (9, 10)]
    assert [arrow.target for arrow in unfolding.arrows if arrow.restarts] == ["cell_3", "cell_9"]
    assert [arrow.target for arrow in unfolding.arrows if arrow.stops] == ["cell_3", "cell_5", "cell_9"]


@pytest.mark.parametrize("name", ["many to one, last", "many to one, mean"])
def test_windows_that_learn_are_those_that_the_gradient_reaches(name):
    unfolding, (_, model, batch) = restarted(name, 6, [4])
    x = batch.inputs["x"].values.requires_grad_()
    reset = torch.tensor([False, False, False, True, False, False])
    model.loss(type(batch)(batch.inputs, batch.statics, batch.targets, reset=reset)).total.backward()
    reached = [t + 1 for t in range(6) if float(x.grad[t].abs().sum()) > 0]
    assert reached == [step for w in unfolding.windows if w.learns for step in range(w.start, w.stop + 1)]


def test_a_restart_before_the_first_step_changes_nothing():
    unfolding, _ = restarted("next step", 3, [1])
    assert unfolding.restarts == ()
    assert not any(arrow.restarts for arrow in unfolding.arrows)
