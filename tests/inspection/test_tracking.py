"""A planted unit is found, chance is not mistaken for a find, and the facts about texts and numbers are right."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from random_sequences import noise, shake
from small_models import F, H, a_batch, inputs
from unrolled.arrangements.many_to_many import NextStep
from unrolled.errors import ShapeError
from unrolled.inspection.features import number_features, text_features
from unrolled.inspection.states import LayerStates, States, states
from unrolled.inspection.tracking import correlations, tracking_units
from unrolled.nn.heads import TokenOutput
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged

texts = st.text(alphabet='ab (")]\n.E1', max_size=40)


def seen_as(values):
    field = Ragged(values, [len(values)])
    return States((LayerStates(0, "forward", "GRU", field, {}, {"hidden": field}, {}, field),))


def test_a_planted_unit_that_counts_is_found_in_a_real_model():
    model = shake(NextStep(inputs(), Stack(F, H, "elman_relu"), TokenOutput(5)).double(), scale=0.1).eval()
    cell = model.layers.layers[0].cell
    with torch.no_grad():  # h_0 <- h_0 + 1 at every step
        cell.weight_ih[0], cell.weight_hh[0], cell.bias_hh[0] = 0.0, 0.0, 0.0
        cell.weight_hh[0, 0], cell.bias_ih[0] = 1.0, 1.0
    batch = a_batch(model, [20, 31, 9])
    position = batch.inputs["x"].positions.numpy()
    (best,) = tracking_units(states(model, batch), {"position": position})
    assert (best.feature, best.layer, best.field, best.unit) == ("position", 0, "hidden", 0)
    assert best.correlation == pytest.approx(1.0)


def test_the_best_of_many_by_chance_does_not_hold_on_unseen_steps():
    values, features = noise(60, 500), {str(n): noise(60, seed=n).numpy() for n in range(1, 9)}
    found = tracking_units(seen_as(values), features)
    assert len(found) == 8
    assert min(abs(one.chosen_at) for one in found) > 0.4  # 500 units to choose from
    assert np.mean([abs(one.correlation) for one in found]) < 0.25  # the steps that were kept back see through it


def test_the_ranking_starts_with_what_holds_best():
    time = torch.arange(40.0, dtype=torch.float64)
    values = torch.stack([time, noise(40)], 1)
    noisy = time.numpy() + 10 * noise(40, seed=3).numpy()
    found = tracking_units(seen_as(values), {"noisy": noisy, "time": time.numpy(), "never": np.zeros(40)})
    assert [one.feature for one in found] == ["time", "noisy"]
    assert found[0].to_json()["unit"] == 0


def test_correlations_are_numpys():
    values, feature = noise(30, 4).numpy(), noise(30, seed=7).numpy()
    want = [np.corrcoef(column, feature)[0, 1] for column in values.T]
    np.testing.assert_allclose(correlations(values, feature), want)
    assert np.isnan(correlations(np.ones((5, 1)), np.arange(5.0))).all()


def test_features_of_another_length_are_refused():
    with pytest.raises(ShapeError, match="40 steps, received 39"):
        tracking_units(seen_as(noise(40, 2)), {"time": np.arange(39)})


# ---- facts --------------------------------------------------------------------------------------------


@given(texts)
def test_facts_about_a_text_are_one_for_each_step(text):
    assert {len(values) for values in text_features(list(text)).values()} == {len(text)}


@given(texts)
def test_words_have_the_facts_of_their_last_characters(text):
    whole = text_features(list(text))
    pairs = [text[place : place + 2] for place in range(0, len(text), 2)]
    for name, values in text_features(pairs).items():
        if name != "steps so far":
            np.testing.assert_array_equal(
                values, whole[name][[min(2 * n + 1, len(text) - 1) for n in range(len(pairs))]]
            )


def test_quotes_brackets_lines_and_words_are_followed():
    facts = text_features(list('a ("b c)\nde"'))
    assert facts["inside quotes"].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0]
    assert facts["bracket depth"].tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert facts["position in line"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3]
    assert facts["position in word"].tolist() == [1, 0, 0, 0, 1, 0, 1, 0, 0, 1, 2, 0]
    assert facts["is a vowel"].tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]


def test_a_step_that_reads_nothing_leaves_the_facts_as_they_were():
    assert text_features(["", "(", "", "a"])["bracket depth"].tolist() == [0, 1, 1, 1]


def test_facts_about_numbers_look_back_only():
    series = [2.0, -1.0, np.nan, 4.0]
    facts = number_features(series)
    assert facts["running mean"].tolist() == [2.0, 0.5, 1 / 3, 1.25]
    assert facts["sign"].tolist() == [1, -1, 0, 1]
    assert facts["change"].tolist() == [0, -3, 1, 4]
    for length in range(2, 4):
        for name, values in number_features(series[:length]).items():
            np.testing.assert_array_equal(values, facts[name][:length])
