"""Pictures of states, gates, saliency, tracking and training: legible, complete, and of any text and length."""

import numpy as np
import pytest

from pictures import assert_legible, svg_texts, written_texts
from small_models import H, a_batch, a_model
from unrolled.errors import OptionError
from unrolled.inspection.saliency import Saliency
from unrolled.inspection.states import states
from unrolled.inspection.tracking import Tracked
from unrolled.metrics.scores import Scores
from unrolled.plots.recall import draw_recall
from unrolled.plots.saliency import draw_saliency
from unrolled.plots.states import draw_gates, draw_states, draw_tracking
from unrolled.plots.theme import DARK, LIGHT, shortened, visible, width_of
from unrolled.plots.training import draw_history
from unrolled.training.history import History, Row

TEXT = 'He said: "no $money$_^ (at all)",\nand left. '
SALIENCY = Saliency((0.1, -2.0, 0.3), (0.0, 1.0, 0.5), None, -0.1)


def a_layer(length, name="many to many"):
    model = a_model(name)
    return states(model, a_batch(model, [length])).layers[0]


@pytest.mark.parametrize("field", ["hidden", "cell", "forget gate"])
@pytest.mark.parametrize("text", ["a", TEXT, TEXT * 3], ids=len)
def test_states_are_legible_under_their_text(field, text):
    figure = draw_states(a_layer(len(text)), field=field, labels=list(text))
    assert_legible(figure)
    said = [said for said, _ in written_texts(figure)]
    assert [one for one in said if one in set(visible(text))] == list(visible(text))
    assert {f"unit {unit}" for unit in range(H)} <= set(said)


@pytest.mark.parametrize("length", [1, 7, 300])
def test_states_without_text_count_steps(length):
    figure = draw_states(a_layer(length))
    assert_legible(figure)
    assert "1" in [text for text, _ in written_texts(figure)]


def test_the_colours_are_the_numbers():
    layer = a_layer(5)
    figure = draw_states(layer, units=[2, 0], field="cell")
    image = figure.axes[0].images[0]
    np.testing.assert_allclose(image.get_array(), layer.fields["cell"][0][:, [2, 0]].T)
    assert image.get_clim() == (-image.get_clim()[1], image.get_clim()[1])
    assert draw_states(layer, field="forget gate").axes[0].images[0].get_clim() == (0.0, 1.0)


@pytest.mark.parametrize("text", ["ab", TEXT[:30], TEXT * 3], ids=len)
@pytest.mark.parametrize("name", ["many to many", "direct forecast"])
def test_gates_are_legible(name, text):
    layer = a_layer(len(text), name)
    figure = draw_gates(layer, labels=list(text), theme=DARK)
    assert_legible(figure)
    assert set(layer.gates) <= {text for text, _ in written_texts(figure)}
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), next(iter(layer.gates.values()))[0].mean(1))


def test_a_cell_without_gates_and_an_unknown_field_are_refused():
    with pytest.raises(OptionError, match="a cell with gates, received Elman"):
        draw_gates(a_layer(3, "next step"))
    with pytest.raises(OptionError, match="did you mean 'hidden'"):
        draw_states(a_layer(3), field="hiden")


@pytest.mark.parametrize("labels", [[], ["excellent", "a", "extraordinarily-long-word"]])
def test_saliency_is_legible(labels):
    figure = draw_saliency(SALIENCY, labels)
    assert_legible(figure)
    np.testing.assert_allclose(
        np.concatenate([axes.images[0].get_array() for axes in figure.axes[:-1]], 1)[:, 1], [-1, 1]
    )


@pytest.mark.parametrize("count", [0, 1, 12])
def test_a_ranking_is_legible(count):
    ranking = [Tracked(f"since the last space {n}", 1, "backward", "hidden", 127, -0.5, -0.9) for n in range(count)]
    figure = draw_tracking(ranking)
    assert_legible(figure)
    assert sum("layer 2, backward, hidden 127" in text for text, _ in written_texts(figure)) == count


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("watched", [True, False])
def test_training_curves_are_legible(count, watched):
    rows = [
        Row(n + 1.0, n, n, 2 / (n + 1), 2.2 / (n + 1) if watched else None, 0.1, 10.0 * n, 1e3) for n in range(count)
    ]
    figure = draw_history(History(rows))
    assert_legible(figure)
    said = {text for text, _ in written_texts(figure)}
    assert {"training", "weights kept", "loss", "gradient norm", "epoch"} <= said
    assert ("validation" in said) is watched


@pytest.mark.parametrize("count", [0, 1, 6])
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_recall_curves_are_legible(count, theme):
    row = {"hr_1": 0.1, "hr_5": 0.4, "hr_10": 0.5, "hr_20": 0.9, "ndcg_10": 0.3}
    scores = Scores(9, "events", row, {f"baseline number {n}": row for n in range(count)}, "ndcg_10", True)
    figure = draw_recall(scores, theme=theme)
    assert_legible(figure)
    said = {text for text, _ in written_texts(figure)}
    assert {"this model", "1", "5", "10", "20", *(f"baseline number {n}" for n in range(count))} <= said


def test_scores_of_no_ranking_have_no_recall_curves():
    with pytest.raises(OptionError, match="rankings"):
        draw_recall(Scores(9, "sequences", {"accuracy": 0.5}, {}, "accuracy", True))


def test_every_picture_is_a_well_formed_svg_with_its_words(tmp_path):
    draw_saliency(SALIENCY, ["<&>", "日本", "c"], tmp_path / "a.svg")
    assert {"<&>", "日本", "c", "occlusion"} <= set(svg_texts(tmp_path / "a.svg"))


def test_text_is_cut_to_its_room():
    assert shortened("short", 2.0) == "short"
    assert shortened("a very long word", 0.5).endswith("…")
    assert width_of(shortened("a very long word", 0.5), 9.0) <= 0.5
