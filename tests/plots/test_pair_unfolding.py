"""The picture of an unfolded encoder-decoder: everything is said, nothing lies over anything else, lines have room."""

from itertools import combinations

import numpy as np
import pytest
import torch

from pictures import assert_legible, svg_texts
from small_pairs import OPTIONS, SIDE, a_pair, a_pair_model
from unrolled.inspection.graph import CONTEXT, DECODER, ENCODER, GAP, JOIN, OUTPUT
from unrolled.inspection.pairs import Texts, unfold_pair
from unrolled.plots.pair_layout import ASIDE, lay_out_pair
from unrolled.plots.theme import DARK, LIGHT, written
from unrolled.plots.unfolding import draw_unfolding

every = pytest.mark.parametrize("name", OPTIONS)
LONG = Texts(
    before=["<start>", "extraordinarily", "\n"], wanted=["long-winded", "a", "<end>"], said=["", "a", "weltweit"]
)


def the_unfolding(name, reads=12, writes=12, **options):
    return unfold_pair(a_pair_model(name), a_pair(name, reads, writes), **options)


@every
def test_no_text_lies_over_another_or_is_cut_off(name):
    assert_legible(draw_unfolding(the_unfolding(name, 2, 3, texts=LONG, values=True), theme=DARK))


@pytest.mark.parametrize("name", ["text, two layers", "picture"])
def test_long_and_short_unfoldings_are_legible_too(name):
    assert_legible(draw_unfolding(the_unfolding(name, ends=(2, 1))))
    assert_legible(draw_unfolding(the_unfolding(name, 1, 1)))


@every
@pytest.mark.parametrize("ends", [(1, 1), (3, 2)])
def test_the_boxes_do_not_touch(name, ends):
    boxes = lay_out_pair(the_unfolding(name, ends=ends, values=True)).boxes
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        apart = a.right < b.left or b.right < a.left or a.top < b.bottom or b.top < a.bottom
        assert apart, f"{one} and {other}"


@every
def test_lines_between_rows_pass_beside_every_box(name):
    unfolding = the_unfolding(name, 3, 3, texts=LONG, values=True)
    layout = lay_out_pair(unfolding)
    above = [layout.boxes[node.name] for node in unfolding.nodes if node.side == DECODER and node.kind != "total"]
    lanes = [layout.columns[step] + layout.feed for step in (1, 2)]
    lanes += [layout.boxes[node.name].x + shift for node in unfolding.of_kind(CONTEXT) for shift in (-ASIDE, ASIDE)]
    for lane in lanes:
        assert not [box for box in above if box.left - 0.03 < lane < box.right + 0.03]


@every
def test_the_encoder_lies_below_the_contexts_and_the_decoder_above(name):
    unfolding = the_unfolding(name)
    boxes = lay_out_pair(unfolding).boxes
    contexts = [boxes[node.name] for node in unfolding.of_kind(CONTEXT)]
    sides = {side: [boxes[n.name] for n in unfolding.nodes if n.side == side] for side in (ENCODER, DECODER)}
    assert max(box.top for box in sides[ENCODER]) < min(box.bottom for box in contexts) - 1
    assert min(box.bottom for box in sides[DECODER]) > max(box.top for box in contexts)


@every
def test_the_svg_is_well_formed_and_holds_every_label(name, tmp_path):
    unfolding = the_unfolding(name, ends=(1, 1))
    draw_unfolding(unfolding, tmp_path / "a.svg")
    texts = svg_texts(tmp_path / "a.svg")
    for node in unfolding.nodes:
        if node.kind not in (JOIN, GAP):
            assert written(node.label) in texts
    assert all(written(weights) in texts for weights in unfolding.weights)
    assert texts.count("…") == len(unfolding.of_kind(GAP))
    assert all(" ".join(texts).count(note) == 1 for note in unfolding.notes if len(note) < 40)


def test_an_arrow_of_attention_is_as_thick_as_the_attention_is_large():
    unfolding = the_unfolding("text", 4, 2, ends=(4, 1))
    figure = draw_unfolding(unfolding)
    shares = [arrow.share for arrow in unfolding.arrows if arrow.share is not None]
    orange = [patch for patch in figure.axes[0].patches if 0.5 <= patch.get_zorder() < 1]
    assert len(orange) == len(shares) == 8
    thick = [patch.get_linewidth() for patch in orange]
    assert np.argsort(thick).tolist() == np.argsort(shares).tolist()


def test_what_is_fed_back_is_dashed():
    figure = draw_unfolding(the_unfolding("text", 2, 3))
    dashed = [patch for patch in figure.axes[0].patches if patch.get_linestyle() not in ("solid", "-")]
    assert len(dashed) == 2


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize("shape", [(SIDE, SIDE), (SIDE, SIDE, 3)])
def test_the_picture_that_was_looked_at_is_shown(theme, shape):
    picture = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    figure = draw_unfolding(the_unfolding("picture"), theme=theme, picture=picture)
    assert_legible(figure)
    (shown,) = figure.axes[0].images
    assert np.array_equal(np.asarray(shown.get_array()), picture)


def test_without_a_source_the_decoder_is_drawn_alone():
    unfolding = unfold_pair(a_pair_model("text"), a_pair("text", 0, 3))
    assert_legible(draw_unfolding(unfolding))
    assert len(unfolding.of_kind(OUTPUT)) == 3
    assert torch.is_grad_enabled()
