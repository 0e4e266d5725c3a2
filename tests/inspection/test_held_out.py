"""The verdict on trained models that it was not tuned on; all of them run in bench/verdicts.py."""

import pytest

from inspection import held_out, held_out_again

FINE = [
    "digits by rows, lstm",
    "waves of 60 steps, lstm_layer_norm",
    "depth of brackets, gru",
    "damped waves, two lstm layers",
    "first of 8 symbols, elman, 48 units",
    "order of marks in 40 steps, gru",
]
FAULTY = [
    "learning rate times 1000, crossings, gru",
    "forget bias -5, first of 30, lstm",
    "radius 0.3, first of 40, elman",
    "radius 3, first of 15, elman, both ways",
    "inputs times 1000, waves, gru",
    "bptt_steps 5, first of 40, gru",
    "dead relu units in the second layer, digits, both ways",
    "clipped to 1e-6, digits, gru, sgd",
    "constant inputs, digits, gru",
    "500 steps to the answer, elman",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", FINE)
def test_a_model_that_beats_its_baselines_is_called_healthy(name):
    outcome = held_out.run((held_out.HEALTHY | held_out_again.HEALTHY_AT_LAST)[name]())
    assert outcome.has_learnt
    assert outcome.findings == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_named(name):
    expected, make = (held_out.BROKEN | held_out_again.BROKEN_AT_LAST)[name]
    assert expected & set(held_out.run(make(), baselines=False).causes)
