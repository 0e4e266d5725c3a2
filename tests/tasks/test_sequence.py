"""SequenceModel: piano rolls by probability, numbers by value, and both go on after a prompt."""

import numpy as np
import pytest

from unrolled.codecs.tables.frames import Frames
from unrolled.errors import DataError, InputError, OptionError
from unrolled.tasks.registry import load
from unrolled.tasks.vectors.sequence_model import SequenceModel

FAST = {"epochs": 40, "learning_rate": 0.02, "batch_size": 8, "validation": 0.0}
CYCLE = np.eye(4)[[0, 2, 1, 2]]  # what follows a 2 hangs on what came before it


def cycles(count):
    return [
        {"frames": np.roll(CYCLE, -shift, axis=0)[np.arange(12 + shift) % 4].tolist()} for shift in range(4)
    ] * count


@pytest.fixture(scope="module")
def blinking():
    return SequenceModel(hidden_size=32, dropout=0.0).fit(cycles(16), **FAST)


def test_a_cycle_with_memory_is_learnt_where_the_last_frame_is_not_enough(blinking):
    scores = blinking.evaluate(cycles(1))
    assert scores.model["nats_per_frame"] < 0.5
    assert scores.model["nats_per_frame"] < scores.baselines["each key from its last state"]["nats_per_frame"] / 2
    assert scores.model["key_f1"] > scores.baselines["each key from its last state"]["key_f1"]


def test_generation_goes_on_with_the_cycle(blinking):
    got = blinking.generate(CYCLE[:2], length=6)
    np.testing.assert_array_equal(got, CYCLE[np.arange(2, 8) % 4])


def test_draws_repeat_with_their_seed_and_are_binary(blinking):
    one, again, other = (blinking.generate(CYCLE[:1], 30, temperature=3.0, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert set(np.unique(one)) <= {0.0, 1.0}


def test_predictions_are_probabilities_of_the_next_frame(blinking):
    (shares,) = blinking.predict([{"frames": CYCLE.tolist()}])
    assert shares.shape == (4, 4)
    assert ((shares >= 0) & (shares <= 1)).all()
    np.testing.assert_array_equal(shares[1:] > 0.5, CYCLE[[2, 3, 0]] > 0.5)


def test_stepping_says_what_reading_says(blinking):
    (shares,) = blinking.predict([{"frames": CYCLE.tolist()}])
    frame = blinking.generate(CYCLE, 1)[0]
    np.testing.assert_array_equal(frame, shares[-1] > 0.5)


def test_numbers_are_predicted_by_value_in_their_own_unit(tmp_path):
    turn = np.arange(20) * 0.5
    rows = [{"frames": np.stack([100 + 10 * np.sin(turn + n), np.cos(turn + n)], 1).tolist()} for n in range(24)]
    model = SequenceModel(Frames("frames", scaling="standard"), hidden_size=16, dropout=0.0).fit(rows, **FAST)
    scores = model.evaluate(rows)
    assert scores.leading == "mse"
    assert scores.model["mse"] < scores.baselines["last frame"]["mse"]
    got = model.generate(rows[0]["frames"][:10], length=3)
    assert got.shape == (3, 2)
    np.testing.assert_allclose(got, np.array(rows[0]["frames"][10:13]), atol=4)
    (values,) = model.predict(rows[:1])
    np.testing.assert_allclose(values[-2], rows[0]["frames"][-1], atol=4)
    with pytest.raises(OptionError, match="temperature"):
        model.generate(rows[0]["frames"][:2], 2, temperature=1.0)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(load(tmp_path / "m").generate(rows[0]["frames"][:10], length=3), got)


def test_truncated_back_propagation_learns_long_sequences():
    rows = [{"frames": CYCLE[np.arange(60) % 4].tolist()}] * 4
    model = SequenceModel(hidden_size=24, dropout=0.0).fit(
        rows, **{**FAST, "bptt_steps": 6, "batch_size": 4, "epochs": 50}
    )
    assert model.evaluate(rows).model["nats_per_frame"] < 0.5


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"frames": [[1, 0]]}] * 5, "at least 2 frames"),
        ([{"frames": [[1, 0], [1]]}] * 5, "frames"),
        ([{"frames": [[1, 0], [0, 1]]}, {"frames": [[1, 0, 0]] * 2}], "frames"),
        ([{"frames": [1, 0, 1]}] * 5, "frames"),
        ([{"frames": "text"}] * 5, "frames"),
        ([{"frames": [[1.0, float("inf")]] * 3}] * 5, "frames"),
        ([{"frames": []}] * 5, "frames|step"),
    ],
)
def test_what_is_no_sequence_of_frames_is_refused(rows, words):
    with pytest.raises(InputError, match=words):
        SequenceModel(hidden_size=4).fit(rows, epochs=1)


def test_bad_requests_are_refused(blinking):
    with pytest.raises(OptionError, match="temperature"):
        blinking.generate(CYCLE[:1], 3, temperature=-1.0)
    with pytest.raises(DataError, match="prompt"):
        blinking.generate([], 3)
    with pytest.raises(InputError):
        blinking.generate([[1, 0]], 3)
    with pytest.raises(InputError, match="length"):
        blinking.generate(CYCLE[:1], length=-1)
    assert blinking.generate(CYCLE[:1], length=0).shape == (0, 4)


@pytest.mark.parametrize("ask", ["predict", "evaluate"])
def test_a_model_of_zeros_and_ones_refuses_other_numbers_and_reads_missing_ones(blinking, ask):
    zeros = [0.0] * 4
    with pytest.raises(DataError, match=r"column 'frames', record 1: expected 0 and 1, as in training, received 0\.5"):
        getattr(blinking, ask)([{"frames": [zeros, zeros]}, {"frames": [zeros, [0.5, 0.0, 0.0, 0.0]]}])
    getattr(blinking, ask)([{"frames": [zeros, [None, 0.0, 0.0, 0.0]]}])
    assert blinking.report_["missing values"] == 1


def test_missing_numbers_do_not_spread():
    rows = [{"frames": [[float(n), None], [1.0, 2.0], [None, 2.5], [0.5, 1.0]]} for n in range(20)]
    model = SequenceModel(hidden_size=4).fit(rows, epochs=2)
    assert all(np.isfinite(values).all() for values in model.predict(rows))
    for values in (model.evaluate(rows).model, *model.evaluate(rows).baselines.values()):
        assert all(np.isfinite(value) for value in values.values())
