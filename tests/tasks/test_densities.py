"""SequenceModel as a density: it draws what it learnt, ends by itself, and its nats are honest."""

import json

import numpy as np
import pytest
import torch

from unrolled.artifacts import seal
from unrolled.codecs.tables.frames import Frames
from unrolled.errors import DataError, InputError, OptionError
from unrolled.tasks.registry import load
from unrolled.tasks.vectors.sequence_model import SequenceModel

KEYS = [{"frames": np.eye(3)[np.arange(6) % 3].tolist()}] * 9
FITTING = {"epochs": 25, "learning_rate": 0.01, "batch_size": 16, "validation": 0.0, "seed": 0}


def hooks(count, seed=0, scale=1.0):
    """A start anywhere, two steps right or two left, a step up with the pen lifted: the mean of both goes nowhere."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        side = rng.choice([-1.0, 1.0])
        steps = np.array([[0, 0], [side, 0], [side, 0], [0, 1.0]]) + 0.05 * rng.normal(size=(4, 2))
        rows.append({"frames": np.column_stack([np.cumsum(steps, 0) * scale, [0, 0, 0, 1]]).tolist()})
    return rows


@pytest.fixture(scope="module")
def keys():
    """Binary frames, which need no mixture."""
    return SequenceModel(hidden_size=4).fit(KEYS, epochs=1)


@pytest.fixture(scope="module")
def drawing():
    return SequenceModel(output="mixture", components=4, hidden_size=24, dropout=0.0).fit(hooks(240), **FITTING)


def test_a_mixture_draws_both_ways_and_ends_by_itself(drawing):
    assert drawing.codec_.switches_ == [2]
    drawn = drawing.draw(200, length=50, seed=0)
    whole = [rows for rows in drawn if len(rows) == 4 and rows[:, 2].tolist() == [0, 0, 0, 1]]
    assert len(whole) > 150
    ends = np.array([rows[2, 0] for rows in whole])
    assert (np.abs(np.abs(ends) - 2) < 0.7).mean() > 0.8
    assert 0.3 < (ends > 0).mean() < 0.7


def test_a_mixture_costs_fewer_nats_than_any_single_gaussian(drawing):
    scores = drawing.evaluate(hooks(60, seed=1))
    assert scores.leading == "nats_per_frame"
    assert len(scores.baselines) == 3
    assert scores.difference < -0.3
    assert scores.n == 240


def test_nats_are_those_of_the_column_s_own_unit(drawing):
    larger = SequenceModel(output="mixture", components=4, hidden_size=24, dropout=0.0).fit(
        hooks(240, scale=1000.0), **FITTING
    )
    one, other = drawing.evaluate(hooks(60, seed=1)), larger.evaluate(hooks(60, seed=1, scale=1000.0))
    shift = 2 * np.log(1000)  # two numbers a frame
    for mine, theirs in [(one.model, other.model), *((one.baselines[n], other.baselines[n]) for n in one.baselines)]:
        assert theirs["nats_per_frame"] == pytest.approx(mine["nats_per_frame"] + shift, abs=1e-2)
        assert theirs["mse"] == pytest.approx(mine["mse"] * 1e6, rel=1e-2)


def test_a_baseline_s_nats_are_those_of_its_gaussian_by_hand():
    rows = hooks(30)
    model = SequenceModel(Frames("frames"), output="mixture", hidden_size=4).fit(rows, epochs=1, validation=0.0)
    frames = np.array([row["frames"] for row in rows])  # (B, 4, 3)
    walk = model.baselines_["gaussian_frames:last_frame"]
    steps = np.diff(frames[:, :, :2], axis=1) - walk.drift_
    lower = np.linalg.inv(walk.covariance_)
    own = 0.5 * np.einsum("bti,ij,btj->bt", steps, lower, steps) + 0.5 * np.linalg.slogdet(walk.covariance_)[1]
    own = own + np.log(2 * np.pi)
    got = np.array(walk.nats(list(frames)))  # (B, 5)
    on = walk.states.predict([frames[0, :-1, 2:]])[0][:, 0]
    switches = -np.log(np.where(frames[:, 1:, 2] > 0.5, on, 1 - on))
    np.testing.assert_allclose(got[:, 1:4], own + switches - np.log(1 - walk.end_), rtol=1e-9)
    np.testing.assert_allclose(got[:, 4], -np.log(walk.end_))


def test_draws_repeat_with_their_seed_and_go_on_after_a_prompt(drawing):
    one, again, other = (drawing.draw(3, seed=seed) for seed in (1, 1, 2))
    for mine, same, else_ in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(mine, same)
        assert mine.shape != else_.shape or (mine != else_).any()
    prompt = np.array(hooks(1, seed=3)[0]["frames"])[:3]
    side = np.sign(prompt[2, 0])
    (last,) = drawing.generate(prompt, length=1, temperature=0.0)
    np.testing.assert_allclose(last, [2 * side, 1, 1], atol=0.5)
    np.testing.assert_array_equal(drawing.generate(seed=1), drawing.draw(1, seed=1)[0])
    assert drawing.draw(2, length=0)[1].shape == (0, 3)
    assert drawing.draw(0) == []


def test_drawing_reads_what_it_drew(drawing):
    """The likeliest sequence, drawn step by step, is what the model says of it as a whole."""
    frames = drawing.generate(temperature=0.0)
    raw, _ = drawing.network_(drawing._encode(drawing._source([{"frames": frames.tolist()}])))
    said = drawing.network_.output.sample(raw.values, 0.0).detach().numpy()
    np.testing.assert_allclose(
        drawing.codec_.decode(raw.with_values(torch.tensor(said[:, :3])))[0][:-1], frames, atol=1e-4
    )
    assert said[-1, 3] == 1


def test_predictions_of_a_mixture_are_means_and_probabilities(drawing):
    rows = hooks(2, seed=5)
    said = drawing.predict(rows)
    assert [frames.shape for frames in said] == [(4, 3), (4, 3)]
    np.testing.assert_allclose(said[0][1, :2], rows[0]["frames"][2][:2], atol=0.5)
    assert said[0][2, 2] > 0.8 > 0.2 > said[0][0, 2]


def test_a_mixture_is_loaded_as_it_was_saved(drawing, tmp_path):
    drawing.save(tmp_path / "m")
    again = load(tmp_path / "m")
    np.testing.assert_array_equal(again.draw(2, seed=0)[1], drawing.draw(2, seed=0)[1])
    assert again.evaluate(hooks(9)) == drawing.evaluate(hooks(9))


def test_missing_numbers_and_empty_sequences_cost_a_mixture_nothing(drawing):
    rows = hooks(40, seed=1)
    whole = drawing.evaluate(rows)
    assert drawing.evaluate([*rows, {"frames": []}]) == whole
    gaps = [{"frames": [[None, y, pen] for _, y, pen in row["frames"]]} for row in rows]
    for values in (drawing.evaluate(gaps).model, *drawing.evaluate(gaps).baselines.values()):
        assert all(np.isfinite(value) for value in values.values())
    model = SequenceModel(output="mixture", hidden_size=4).fit([*gaps, *rows, {"frames": None}], epochs=1)
    assert all(np.isfinite(frames).all() for frames in model.draw(3, seed=0))
    assert [len(frames) for frames in model.predict([{"frames": []}, rows[0]])] == [0, 4]


def test_a_mixture_learns_long_sequences_by_truncated_back_propagation():
    walk = np.cumsum(np.random.default_rng(0).normal(size=(200, 2)), 0)
    model = SequenceModel(output="mixture", components=2, hidden_size=8, dropout=0.0).fit(
        [{"frames": walk.tolist()}] * 2, **{**FITTING, "bptt_steps": 20, "batch_size": 2, "epochs": 25}
    )
    scores = model.evaluate([{"frames": walk.tolist()}])
    assert scores.model["nats_per_frame"] < scores.baselines["Gaussian around average frame"]["nats_per_frame"] - 1


def test_a_model_of_an_older_version_still_answers(keys, tmp_path):
    keys.save(tmp_path / "m")
    file = tmp_path / "m" / "model.json"
    record = json.loads(file.read_text())
    del (
        record["learnt"]["frames"]["learnt"]["switches_"],
        record["parameters"]["output"],
        record["parameters"]["components"],
    )
    file.write_text(json.dumps(seal(record)))
    np.testing.assert_array_equal(
        load(tmp_path / "m").generate(KEYS[0]["frames"][:2], 6), keys.generate(KEYS[0]["frames"][:2], 6)
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"output": "mixtures"}, "did you mean 'mixture'"),
        ({"components": 3}, r'components: expected None without output="mixture", received 3'),
        ({"output": "mixture", "components": 0}, "components: expected an integer from 1"),
    ],
)
def test_an_option_that_changes_nothing_is_refused(options, words):
    with pytest.raises(OptionError, match=words):
        SequenceModel(hidden_size=4, **options).fit(hooks(20), epochs=1)


def test_bad_requests_to_a_mixture_are_refused(drawing, keys):
    with pytest.raises(OptionError, match='output: expected "mixture"'):
        keys.draw(3)
    for words, ask in {
        "temperature": lambda: drawing.draw(1, temperature=-0.5),
        "count": lambda: drawing.draw(-1),
        "length": lambda: drawing.generate(length=-1),
        "frames": lambda: drawing.draw(1, prompt=[[1.0, 2.0]]),
    }.items():
        with pytest.raises(InputError, match=words):
            ask()
    with pytest.raises(DataError, match="only 0 and 1"):
        SequenceModel(output="mixture").fit(KEYS, epochs=1)


def test_a_mixture_can_be_looked_into(drawing):
    inside = drawing.inspect(hooks(9), row=1)
    assert inside.scores.leading == "nats_per_frame"
    assert len(inside.saliency.gradient) == 5  # a start, and four frames


def test_the_rival_is_a_density_too():
    model = SequenceModel(output="mixture", components=2, hidden_size=6)
    scores = model.fit(hooks(60), epochs=2, rival=True).evaluate(hooks(9))
    assert np.isfinite(scores.baselines["causal convolution net of the same size"]["nats_per_frame"])
    assert len(scores.baselines) == 4
