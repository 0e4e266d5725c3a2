"""The picture of an unfolding says everything that the data says, and nothing is written over anything else."""

from dataclasses import replace

import pytest
import torch

from pictures import assert_legible, svg_texts
from small_models import MODELS, a_batch, a_model
from unrolled.errors import OptionError
from unrolled.inspection.graph import GAP, INPUT, JOIN, LOSS
from unrolled.inspection.unfolding import unfold
from unrolled.plots.theme import DARK, LIGHT, written
from unrolled.plots.unfolding import draw_unfolding

every = pytest.mark.parametrize("name", MODELS)


def the_unfolding(name, length=12, **options):
    model = a_model(name)
    return unfold(model, a_batch(model, [length]), **options)


@every
def test_no_text_lies_over_another_or_is_cut_off(name):
    assert_legible(draw_unfolding(the_unfolding(name, ends=(2, 1))))
    assert_legible(draw_unfolding(the_unfolding(name, 2, labels=["long-word", "\n"], values=True)))


def test_a_single_step_is_legible_too():
    assert_legible(draw_unfolding(the_unfolding("next step", 1)))


@pytest.mark.parametrize("name", ["next step", "many to one, mean", "direct forecast"])
@pytest.mark.parametrize("bptt_steps", [1, 4])
def test_windows_of_truncation_are_legible(name, bptt_steps):
    unfolding = the_unfolding(name, ends=(1, 1), bptt_steps=bptt_steps)
    figure = draw_unfolding(unfolding)
    assert_legible(figure)
    said = [text.get_text() for text in figure.axes[0].texts]
    assert said.count("stops") >= 1


@pytest.mark.parametrize("name", ["next step", "many to one, mean", "many to many, bidirectional"])
def test_restarts_are_legible_and_said(name):
    model = a_model(name)
    batch = a_batch(model, [6])
    reset = torch.tensor([False, False, True, False, False, False])
    figure = draw_unfolding(unfold(model, replace(batch, reset=reset), ends=(1, 1)))
    assert_legible(figure)
    assert "restarts" in [text.get_text() for text in figure.axes[0].texts]


@every
def test_the_svg_is_well_formed_and_holds_every_label(name, tmp_path):
    unfolding = the_unfolding(name, ends=(1, 1))
    draw_unfolding(unfolding, tmp_path / "a.svg")
    texts = svg_texts(tmp_path / "a.svg")
    for node in unfolding.nodes:
        if node.kind not in (JOIN, GAP):
            assert written(node.label) in texts
    for weights in unfolding.weights:
        assert written(weights) in texts or unfolding.arrangement == "DirectForecast"
    assert texts.count("…") == len(unfolding.of_kind(GAP))


@every
def test_the_boxes_do_not_touch(name):
    from unrolled.plots.layout import lay_out

    boxes = list(lay_out(the_unfolding(name, values=True)).boxes.items())
    for place, (one, a) in enumerate(boxes):
        for other, b in boxes[place + 1 :]:
            apart = a.right < b.left or b.right < a.left or a.top < b.bottom or b.top < a.bottom
            assert apart, f"{one} and {other}"


def test_time_flows_to_the_right_and_losses_lie_on_top():
    from unrolled.plots.layout import lay_out

    unfolding = the_unfolding("next step")
    boxes = lay_out(unfolding).boxes
    line = [boxes[name].x for name in ("s_0", "cell_1", "s_1", "cell_2", "s_2", "cell_12", "s_12")]
    assert line == sorted(line)
    assert boxes["x_1"].y < boxes["cell_1"].y < boxes["y_1"].y < boxes["J_1"].y < boxes["J"].y


def test_what_is_read_and_what_it_costs_is_written_in_the_boxes():
    unfolding = the_unfolding("next step", 3, labels=["h", " ", "\n"], answers=["a", "b", "c"], values=True)
    said = [text.get_text() for text in draw_unfolding(unfolding).axes[0].texts]
    assert {"h", "␣", "↵", "a", "b", "c"} <= set(said)
    assert {f"{node.values['J'][0]:.3g}" for node in unfolding.of_kind(LOSS)} <= set(said)
    assert [node.text for node in unfolding.of_kind(INPUT)] == ["h", " ", "\n"]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_a_picture_has_the_colours_of_its_theme(theme):
    from matplotlib.colors import to_hex

    figure = draw_unfolding(the_unfolding("next step"), theme=theme)
    assert to_hex(figure.get_facecolor()) == theme.background
    assert theme.ink in {text.get_color() for text in figure.axes[0].texts}


def test_the_same_picture_is_the_same_file(tmp_path):
    for name in ("a.svg", "b.svg"):
        draw_unfolding(the_unfolding("next step", 2), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_picture_is_written_as_its_name_says(tmp_path):
    draw_unfolding(the_unfolding("next step"), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OptionError, match=r"\.svg, \.png"):
        draw_unfolding(the_unfolding("next step"), tmp_path / "a.jpeg")
