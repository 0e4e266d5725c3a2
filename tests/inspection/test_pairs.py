"""The unfolded graph of an encoder-decoder holds what it computes: both sides, and the attention between them."""

import json

import pytest
import torch

from random_sequences import assert_close
from small_pairs import OPTIONS, TEXTS, V, a_pair, a_pair_model
from unrolled.batch import Batch
from unrolled.errors import ShapeError, UnsupportedError
from unrolled.inspection.graph import CELL, CONTEXT, DECODER, ENCODER, GAP, INPUT, LOSS, OUTPUT, PLACE, STATE, TOTAL
from unrolled.inspection.pairs import Texts, unfold_pair
from unrolled.inspection.states import states
from unrolled.inspection.unfolding import unfold

every = pytest.mark.parametrize("name", OPTIONS)
attending = pytest.mark.parametrize("name", [name for name in OPTIONS if "no attention" not in name])


def the_unfolding(name, reads=12, writes=12, **options):
    model, one = a_pair_model(name), a_pair(name, reads, writes)
    return model, one, unfold_pair(model, one, **options)


def of_side(unfolding, kind, side):
    return [node for node in unfolding.of_kind(kind) if node.side == side]


def reached_from(unfolding, name):
    reached, front = set(), {name}
    while front:
        reached |= front
        front = {arrow.target for arrow in unfolding.arrows if arrow.source in front and not arrow.feeds} - reached
    return reached


@every
def test_arrows_connect_nodes_that_exist_and_names_are_unlike(name):
    _, _, unfolding = the_unfolding(name)
    names = [node.name for node in unfolding.nodes]
    assert len(set(names)) == len(names)
    assert {end for arrow in unfolding.arrows for end in (arrow.source, arrow.target)} <= set(names)
    assert {arrow.weights for arrow in unfolding.arrows} - {""} == set(unfolding.weights)


@every
@pytest.mark.parametrize(("reads", "writes"), [(1, 1), (3, 2), (12, 12)])
def test_both_sides_have_a_cell_for_each_step_and_layer(name, reads, writes):
    model, _, unfolding = the_unfolding(name, reads, writes, ends=(2, 1))
    layers = len(model.decoder.bottom.layers) + len(model.decoder.top.layers)
    assert len(of_side(unfolding, CELL, DECODER)) == len(unfolding.shown) * layers
    assert len(of_side(unfolding, STATE, DECODER)) == (len(unfolding.shown) + 1) * layers
    assert len(unfolding.of_kind(CONTEXT)) == len(unfolding.of_kind(OUTPUT)) == len(unfolding.shown)
    if name in TEXTS:
        rows = len(model.encoder.layers.layers) * (1 + (not model.encoder.layers.causal))
        assert len(of_side(unfolding, CELL, ENCODER)) == len(unfolding.shown_places) * rows
        assert unfolding.places == reads
    assert unfolding.length == writes


@attending
@pytest.mark.parametrize("reads", [1, 5, 12])
def test_the_attention_into_each_context_is_the_models_and_sums_to_one(name, reads):
    model, one, unfolding = the_unfolding(name, reads, ends=(2, 1))
    with torch.no_grad():
        written, _ = model.decoder(one.inputs["target"], model.share(one).source)
    for context in unfolding.of_kind(CONTEXT):
        arrows = [arrow for arrow in unfolding.arrows if arrow.target == context.name and arrow.share is not None]
        assert sum(arrow.share for arrow in arrows) == pytest.approx(1, abs=1e-5)
        weights = written.weights[context.step - 1].tolist()
        assert context.values["attention"] == pytest.approx(weights)
        shown = [arrow.share for arrow in arrows if unfolding.node(arrow.source).kind != GAP]
        assert shown == pytest.approx([weights[place - 1] for place in unfolding.shown_places])


def test_of_a_picture_the_places_that_are_looked_at_most_are_shown():
    _, _, unfolding = the_unfolding("picture", ends=(2, 2))
    looked = torch.tensor([node.values["attention"] for node in unfolding.of_kind(CONTEXT)]).sum(0)
    hidden = [place for place in range(1, unfolding.places + 1) if place not in unfolding.shown_places]
    assert min(looked[place - 1] for place in unfolding.shown_places) >= max(looked[place - 1] for place in hidden)
    assert len(unfolding.of_kind(PLACE)) == 4
    assert {"picture", "net", "v"} <= {node.name for node in unfolding.nodes}


def test_without_attention_every_step_reads_the_whole_source_as_one_vector():
    _, _, unfolding = the_unfolding("text, no attention")
    assert all(arrow.share is None for arrow in unfolding.arrows)
    assert {node.label for node in unfolding.of_kind(CONTEXT)} == {"v"}


@every
def test_what_is_read_reaches_every_loss_and_what_is_written_only_later_ones(name):
    _, _, unfolding = the_unfolding(name, 3, 4, ends=(4, 1))
    losses = {loss.name: loss.step for loss in unfolding.of_kind(LOSS)}
    for node in unfolding.of_kind(INPUT):
        steps = {losses[name] for name in reached_from(unfolding, node.name) & set(losses)}
        assert steps == (set(range(node.step, 5)) if node.side == DECODER else {1, 2, 3, 4})


@every
def test_an_output_is_fed_back_as_the_next_input_where_both_are_shown(name):
    _, _, unfolding = the_unfolding(name, ends=(3, 2))
    assert unfolding.shown == (1, 2, 3, 11, 12)
    fed = [(arrow.source, arrow.target) for arrow in unfolding.arrows if arrow.feeds]
    assert fed == [("y_1", "w_2"), ("y_2", "w_3"), ("y_11", "w_12")]


@every
def test_real_numbers_are_the_models_own(name):
    model, one, unfolding = the_unfolding(name, values=True)
    with torch.no_grad():
        raw = model(one)[0].values
        result = model.loss(one)
    assert_close(torch.tensor(unfolding.node("y_12").values["y"]), raw[11], 1e-5)
    assert unfolding.node("J").values["J"][0] == pytest.approx(float(result.total), rel=1e-5)
    layer = states(model, one).of_stack("decoder").layers[-1]
    mark = layer.layer + 1
    assert_close(
        torch.tensor(unfolding.node(f"d_12^({mark})").values["hidden"]), layer.fields["hidden"].values[11], 1e-5
    )
    assert_close(torch.tensor(unfolding.node(f"d_0^({mark})").values["hidden"]), layer.initial["hidden"][0], 1e-5)
    json.dumps(unfolding.to_json())


def test_nodes_say_what_is_read_written_and_right():
    texts = Texts(list("abc"), ["<start>", "x"], ["x", "<end>"], ["y", "<end>"])
    _, _, unfolding = the_unfolding("text", 3, 2, texts=texts)
    assert [node.text for node in of_side(unfolding, INPUT, ENCODER)] == ["a", "b", "c"]
    assert [node.text for node in of_side(unfolding, INPUT, DECODER)] == ["<start>", "x"]
    assert [node.text for node in unfolding.of_kind(OUTPUT)] == ["y", "<end>"]
    assert [node.text for node in unfolding.of_kind(LOSS)] == ["x", "<end>"]


def test_without_a_source_or_targets_there_is_less_to_show():
    model, one = a_pair_model("text"), a_pair("text", 0, 3)
    unfolding = unfold_pair(model, one, values=True)
    assert unfolding.places == 0
    assert not of_side(unfolding, CELL, ENCODER)
    bare = unfold_pair(model, Batch(one.inputs, sources=a_pair("text", 3, 3).sources))
    assert not bare.of_kind(LOSS)
    assert not bare.of_kind(TOTAL)


def test_unfold_takes_an_encoder_decoder_too():
    model, one = a_pair_model("text"), a_pair("text", 3, 2)
    labels, answers = ["<start>", "x"], ["x", "<end>"]
    assert unfold(model, one, labels=labels, answers=answers) == unfold_pair(
        model, one, texts=Texts(before=labels, wanted=answers)
    )
    with pytest.raises(UnsupportedError, match="bptt_steps"):
        unfold(model, one, bptt_steps=1)


@pytest.mark.parametrize("field", Texts._fields)
def test_texts_that_are_not_one_for_each_are_refused(field):
    with pytest.raises(ShapeError, match=f"{field}: expected one for each of"):
        the_unfolding("text", 3, 2, texts=Texts(**{field: ["a"] * 4}))


@every
def test_a_model_in_training_stays_in_training(name):
    model = a_pair_model(name).train()
    unfold_pair(model, a_pair(name), values=True)
    assert model.training
    assert model.decoder.training
    assert model.output.width == V
