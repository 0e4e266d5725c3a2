"""The LSTM paper's problems: sequences as the paper has them, criteria that tell right from wrong, runs that resume."""

import json
import re
from dataclasses import replace
from itertools import islice, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lstm_paper import __main__ as command
from lstm_paper import (
    copy_memory,
    judging,
    long_adding,
    long_lags,
    reber,
    results,
    temporal_order,
    training,
    very_long_lags,
)
from lstm_paper.adding import ADDING_100
from lstm_paper.late import UPDATES, AddLayer, LateLayer
from lstm_paper.marked_pairs import marked_pairs
from lstm_paper.models import CELLS, ONE_STEP, OneStepBack, make_model
from lstm_paper.multiplication import COARSE
from lstm_paper.page import page
from lstm_paper.problem import Bar, class_error, steps_of
from lstm_paper.problems import PROBLEMS, QUICK
from lstm_paper.results import Result
from lstm_paper.stream import Stream
from lstm_paper.two_sequences import TWO_SEQUENCES
from torch import Tensor

from random_sequences import some_ragged
from unrolled.cells.elman import Elman
from unrolled.nn.heads import IGNORED
from unrolled.nn.stack import Recurrent
from unrolled.nn.unroll import unroll

seeds = st.integers(0, 2**32)
SHORT_ORDER = replace(
    temporal_order.TWO_SYMBOLS,
    name="short-order",
    draw=lambda count, rng: temporal_order.draw(count, rng, ((2, 4), (12, 15)), (40, 44)),
    lag=40,
    limit=20_000,
)


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def right_answers(targets: Tensor, width: int, certainty: float = 20.0) -> Tensor:
    """Logits that put all probability on the targets."""
    return torch.nn.functional.one_hot(targets.clamp(min=0), width) * certainty


# ---- embedded Reber grammar --------------------------------------------------------------------------

# the automaton written out as one regular expression, loops of its nodes as stars
ENDING = r"V(?:PXT*V)*(?:V|PS)"
REBER = re.compile(rf"B(?:TS*X(?:S|XT*{ENDING})|PT*{ENDING})E")


@given(seed=seeds)
def test_every_string_is_accepted_by_an_automaton_and_its_ends_agree(seed):
    string = reber.embedded_string(rng_of(seed))
    assert REBER.fullmatch(string[2:-2])
    assert re.fullmatch(r"B([TP])B.+E\1E", string)
    assert len(string) >= 9


@given(seed=seeds)
def test_what_follows_in_a_string_is_legal(seed):
    string = reber.embedded_string(rng_of(seed))
    legal = reber.legal_after(string)
    assert len(legal) == len(string) - 1
    assert all(after in allowed for (_, after), allowed in zip(pairwise(string), legal, strict=True))
    assert legal[-2] == {string[1]}


def test_both_branches_of_every_node_are_taken():
    rng = rng_of(0)
    strings = {reber.reber_string(rng) for _ in range(200)}
    assert {"BTXSE", "BPVVE", "BTSXSE", "BPTVVE", "BTXXVVE"} <= strings


def test_a_reber_string_is_right_when_the_legal_symbols_are_the_most_active_ones():
    batch = reber.batch_of(["BTBTXSETE", "BPBPVVEPE"])
    raw = torch.tensor(
        [
            [float(s in allowed) for s in reber.SYMBOLS]
            for w in ("BTBTXSETE", "BPBPVVEPE")
            for allowed in reber.legal_after(w)
        ]
    )
    assert reber.error(raw, batch).tolist() == [0, 0]
    raw[-2] = raw[6]  # the outer symbol of the first string, in the second
    assert reber.error(raw, batch).tolist() == [0, 1]


def test_a_weak_legal_symbol_is_a_mistake_even_where_the_string_goes_another_way():
    batch = reber.batch_of(["BTBTXSETE"])
    raw = right_answers(batch.targets.values, len(reber.SYMBOLS))
    assert reber.error(raw, batch) == 1  # P is legal after the first B as well


# ---- long lags ---------------------------------------------------------------------------------------


@given(seed=seeds, lag=st.integers(2, 30), regular=st.booleans())
def test_the_last_symbol_repeats_the_first(seed, lag, regular):
    batch = long_lags.draw(3, rng_of(seed), regular, lag)
    for inputs, targets in zip(steps_of(batch), batch.targets, strict=True):
        assert len(inputs) == lag
        assert inputs[0] == targets[-1] >= lag - 1
        assert bool((inputs[1:] < lag - 1).all())
        if regular:
            assert inputs[1:].tolist() == targets[:-1].tolist() == list(range(lag - 1))
        else:
            assert bool((targets[:-1] == IGNORED).all())


def test_every_symbol_counts_where_all_can_be_foreseen_and_the_last_where_only_that_can():
    batch = long_lags.draw(2, rng_of(0), regular=True)
    raw = right_answers(batch.targets.values, long_lags.P + 1)
    for error in (long_lags.error_at_all_steps, long_lags.error_at_end):
        assert bool((error(raw, batch) < 1e-3).all())
    raw[98] = -raw[98]
    assert (long_lags.error_at_all_steps(raw, batch) > 0.9).tolist() == [True, False]
    assert (long_lags.error_at_end(raw, batch) > 0.9).tolist() == [False, False]
    raw[199] = -raw[199]
    assert (long_lags.error_at_end(raw, batch) > 0.9).tolist() == [False, True]


@given(seed=seeds, lag=st.integers(1, 40), distractors=st.integers(1, 20))
def test_the_second_symbol_names_the_answer_and_the_trigger_comes_last(seed, lag, distractors):
    batch = very_long_lags.draw(5, rng_of(seed), lag, distractors)
    for inputs, answer in zip(steps_of(batch), batch.targets.tolist(), strict=True):
        assert len(inputs) >= lag + 3
        assert (int(inputs[0]), int(inputs[1]), int(inputs[-1])) == (
            distractors,
            distractors + 2 + answer,
            distractors + 1,
        )
        assert bool((inputs[2:-1] < distractors).all())


def test_very_long_sequences_have_nine_steps_more_than_the_least_on_average():
    lengths = very_long_lags.draw(20_000, rng_of(0), 10, 5).lengths
    assert int(lengths.min()) == 13
    assert abs(float(lengths.double().mean()) - 22) < 0.3


# ---- adding and multiplication -----------------------------------------------------------------------


@given(seed=seeds, shortest=st.sampled_from([40, 100, 250]))
def test_two_pairs_are_marked_where_the_paper_has_them(seed, shortest):
    made = marked_pairs(20, rng_of(seed), shortest, -1.0, 0.0)
    assert bool(((made.pairs.lengths >= shortest) & (made.pairs.lengths <= 1.1 * shortest)).all())
    for pairs, first, second in zip(made.pairs, made.first, made.second, strict=True):
        numbers, markers = pairs[:, 0], pairs[:, 1]
        assert markers[0] == markers[-1] == -1
        marked = (markers == 1).nonzero().flatten()
        chosen = sorted([float(first), float(second)])
        if len(marked) == 2:
            assert sorted(numbers[marked].tolist()) == chosen
            assert marked[0] < 10
        else:  # the first pair was chosen
            assert sorted([0.0, float(numbers[marked[0]])]) == chosen
        assert marked[-1] < max(shortest // 2, 10)
        assert set(markers.tolist()) <= {-1.0, 0.0, 1.0}


@given(seed=seeds)
def test_targets_are_the_scaled_sum_and_the_product(seed):
    added = ADDING_100.draw(8, rng_of(seed))
    sums = marked_pairs(8, rng_of(seed), 100, -1.0, 0.0)
    assert torch.equal(added.targets[:, 0], 0.5 + (sums.first + sums.second) / 4)
    assert bool(((added.targets >= 0) & (added.targets <= 1)).all())
    times = COARSE.draw(8, rng_of(seed))
    factors = marked_pairs(8, rng_of(seed), 100, 0.0, 1.0)
    assert torch.equal(times.targets[:, 0], factors.first * factors.second)


def test_a_numbers_error_is_its_distance_from_the_target():
    batch = ADDING_100.draw(3, rng_of(0))
    raw = batch.targets + torch.tensor([[0.039], [-0.039], [0.041]])
    torch.testing.assert_close(ADDING_100.error(raw, batch), torch.tensor([0.039, 0.039, 0.041]))


@given(seed=seeds, steps=st.integers(2, 30))
def test_the_long_sum_adds_two_different_steps(seed, steps):
    batch = long_adding.draw(4, rng_of(seed), steps)
    for pairs, target in zip(steps_of(batch), batch.targets[:, 0], strict=True):
        assert pairs[:, 1].sum() == 2
        assert abs(float((pairs[:, 0] * pairs[:, 1]).sum() - target)) < 1e-6


# ---- two sequences -----------------------------------------------------------------------------------


@given(seed=seeds, name=st.sampled_from([problem.name for problem in TWO_SEQUENCES]))
def test_the_first_numbers_show_the_class_and_their_noise_is_the_papers(seed, name):
    problem, signal = PROBLEMS[name], int(name[-1])
    batch = problem.draw_exam(50, rng_of(seed))
    assert bool(((batch.lengths >= 100) & (batch.lengths <= 110)).all())
    shown = torch.stack([row[:signal, 0] for row in steps_of(batch)])  # (B, signal)
    near, far = (0.2, 0.8) if "target" in name else (1.0, 0.0)
    class_1 = batch.targets[:, 0] == torch.tensor(near)
    assert bool((class_1 | (batch.targets[:, 0] == torch.tensor(far))).all())
    noise = shown - torch.where(class_1, 1.0, -1.0)[:, None]
    if "noisy-signal" in name:
        assert 0.2 < float(noise.std()) < 0.8
    else:
        assert bool((noise == 0).all())


def test_noise_has_the_papers_variances_and_is_on_training_targets_only():
    problem = PROBLEMS["noisy-target-3"]
    batch, clean = problem.draw(20_000, rng_of(0)), problem.draw_exam(500, rng_of(0))
    rest = torch.cat([row[3:] for row in steps_of(batch)])
    assert abs(float(rest.var()) - 0.2) < 0.005
    class_1 = torch.stack([row[0, 0] for row in steps_of(batch)]) > 0
    for which, mean in ((class_1, 0.2), (~class_1, 0.8)):
        targets = batch.targets[which]
        assert abs(float(targets.mean()) - mean) < 0.01
        assert abs(float(targets.var()) - 0.1) < 0.005
    assert set(clean.targets.flatten().tolist()) == {float(torch.tensor(t)) for t in (0.2, 0.8)}


# ---- temporal order and copying ----------------------------------------------------------------------


@given(seed=seeds, problem=st.sampled_from([temporal_order.TWO_SYMBOLS, temporal_order.THREE_SYMBOLS]))
def test_the_class_spells_the_order_and_the_places_are_the_papers(seed, problem):
    places = ((10, 20), (50, 60)) if problem is temporal_order.TWO_SYMBOLS else ((10, 20), (33, 43), (66, 76))
    batch = problem.draw(10, rng_of(seed))
    assert bool(((batch.lengths >= 100) & (batch.lengths <= 110)).all())
    for symbols, target in zip(steps_of(batch), batch.targets.tolist(), strict=True):
        text = "".join(temporal_order.SYMBOLS[symbol] for symbol in symbols)
        assert re.fullmatch("E[abcdXY]+B", text)
        found = [step for step, symbol in enumerate(text) if symbol in "XY"]
        assert all(low <= step <= high for step, (low, high) in zip(found, places, strict=True))
        assert [int(text[step] == "Y") for step in found] == [int(digit) for digit in f"{target:0{len(places)}b}"]


def test_a_classs_error_is_that_of_its_worst_output():
    batch = temporal_order.TWO_SYMBOLS.draw(2, rng_of(0))
    shares = torch.full((2, 4), 0.1)
    shares[torch.arange(2), batch.targets] = 0.7
    shares[1, (batch.targets[1] + 1) % 4] = 0.6
    shares /= shares.sum(1, True)  # 0.7 of 1 and 0.7 of 1.5
    torch.testing.assert_close(class_error(shares.log(), batch), torch.tensor([0.3, 1 - 0.7 / 1.5]))


@given(seed=seeds, pause=st.integers(1, 30))
def test_the_digits_come_out_after_the_pause(seed, pause):
    batch = copy_memory.draw(2, rng_of(seed), pause)
    for inputs, targets in zip(steps_of(batch), batch.targets, strict=True):
        assert len(inputs) == pause + 20
        assert targets[-10:].tolist() == inputs[:10].tolist()
        assert bool((targets[:-10] == 0).all())
        assert (inputs == 9).nonzero().flatten().tolist() == list(range(pause + 9, pause + 20))
    raw = right_answers(batch.targets.values, 10)
    assert copy_memory.error(raw, batch).tolist() == [0, 0]
    raw[-1] = raw[-1].roll(1)
    assert copy_memory.error(raw, batch).tolist() == [0, 1]


# ---- models and runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_fits_every_net_and_its_criterion(name):
    problem = PROBLEMS[name]
    small = problem.draw(2, rng_of(0))
    for cell in CELLS:
        model = make_model(problem, cell)
        raw = judging.raw_answers(model, small)
        assert problem.error(raw.detach(), small).shape == (2,)
        assert torch.isfinite(judging.loss_of(problem.output, raw, small).total)


def test_the_net_of_1990_answers_as_an_elman_layer_and_looks_one_step_back():
    inputs = some_ragged([4, 0, 3], dtype=torch.float32)
    layer = OneStepBack(3, 5)
    outputs, final = layer(inputs)
    want, state = unroll(layer.cell, inputs)
    torch.testing.assert_close(outputs.values, want.values)
    torch.testing.assert_close(final.hidden, state.hidden)
    values = inputs.values.clone().requires_grad_()
    layer(inputs.with_values(values))[0].values[3].sum().backward()  # the last step of the first sequence
    assert values.grad is not None
    assert values.grad.abs().sum(1).nonzero().flatten().tolist() == [3]
    assert isinstance(layer.cell, Elman)


def tiny(limit: int = 96, **changes):
    return replace(SHORT_ORDER, limit=limit, hidden_size=4, **changes)


def test_the_same_seed_gives_the_same_run_and_every_cell_the_same_sequences():
    first, second = (training.run(tiny(), "lstm", 3) for _ in range(2))
    assert replace(first, seconds=0) == replace(second, seconds=0)
    assert not first.solved
    assert first.sequences == 96
    streams = [next(Stream(tiny(), 3).epoch(0)) for _ in range(2)]
    assert torch.equal(steps_of(streams[0]).values, steps_of(streams[1]).values)


def test_a_run_stops_as_soon_as_the_window_is_right():
    always = tiny(recent=Bar(40), error=lambda raw, batch: torch.zeros(len(batch)))
    result = training.run(always, "elman", 0)
    assert result.solved
    assert (result.sequences, result.wrong) == (64, 0)  # the second batch of 32 fills the window of 40


def test_a_run_is_not_solved_before_its_exam_is_passed():
    def right_in_training(raw, batch):
        return torch.full((len(batch),), float(len(batch) != 32))

    strict = tiny(recent=Bar(32), exam=Bar(20), error=right_in_training)
    assert not training.run(strict, "elman", 0).solved
    assert training.run(replace(strict, exam=Bar(20, allowed=20)), "elman", 0).solved


def test_a_bar_asks_for_few_mistakes_and_a_small_mean():
    errors = np.array([0.1, 0.1, 0.5, 0.1])
    assert Bar(4, allowed=1).cleared(errors, 0.5)
    assert not Bar(4).cleared(errors, 0.5)
    assert Bar(4).cleared(errors, 0.51)
    assert Bar(4, allowed=1, mean=0.21).cleared(errors, 0.5)
    assert not Bar(4, allowed=1, mean=0.19).cleared(errors, 0.5)


def test_the_window_holds_the_latest_sequences_and_is_not_passed_before_it_is_full():
    answers = iter([torch.zeros(32), torch.ones(32), torch.zeros(32), torch.zeros(32)])
    problem = tiny(recent=Bar(40, allowed=24), error=lambda raw, batch: next(answers))
    judged = judging.Judged(problem, make_model(problem, "elman"))
    passed = []
    for batch in islice(Stream(problem, 0).epoch(0), 2):
        judged.loss(batch)
        passed.append(judged.passes)
    judged.loss(batch)  # now 8 wrong ones are left of 40
    assert [*passed, judged.passes] == [False, False, True]
    judged.forget()
    assert not judged.passes


def test_sequences_of_a_pool_come_again():
    stream = Stream(tiny(limit=320, pool=5), 0)
    seen = {tuple(row.tolist()) for batch in stream.epoch(0) for row in steps_of(batch)}
    assert len(seen) == 5


def test_no_test_string_is_one_to_learn_and_the_pool_is_part_of_the_exam():
    stream = Stream(reber.EMBEDDED_REBER, 0)
    tests, pool = stream.exams()
    known = {tuple(row.tolist()) for row in steps_of(stream.pool)}
    assert pool is stream.pool
    assert len(tests) == len(pool) == 256
    assert not known & {tuple(row.tolist()) for row in steps_of(tests)}


# ---- a layer that comes in late ----------------------------------------------------------------------


def test_a_late_layer_is_silent_until_it_is_added_and_the_inputs_go_past_it():
    layer = LateLayer(Recurrent(Elman(3, 5)), 3)
    inputs = some_ragged([4, 2], dtype=torch.float32)
    before, _ = layer(inputs)
    layer.added = True
    after, state = layer(inputs)
    want, final = layer.layers(inputs)
    assert bool((before.values[:, :5] == 0).all())
    assert torch.equal(before.values[:, 5:], inputs.values)
    assert torch.equal(after.values, torch.cat([want.values, inputs.values], 1))
    assert torch.equal(state.hidden, final.hidden)
    first, _ = layer.step(torch.stack([row[0] for row in inputs]), layer.initial_state(2))
    torch.testing.assert_close(first, torch.stack([row[0] for row in after]))


def test_a_late_layer_is_added_once_the_loss_has_stopped_decreasing():
    layer = LateLayer(Recurrent(Elman(3, 5)), 3)
    add = AddLayer(layer)
    losses = [1 / (1 + update // UPDATES) for update in range(5 * UPDATES)] + [0.199] * UPDATES
    added = []
    for loss in losses:
        add.on_update(SimpleNamespace(loss=loss))
        added.append(layer.added)
    assert added.index(True) == 6 * UPDATES - 1


@pytest.mark.parametrize("late", [False, True])
def test_only_a_problem_that_asks_for_it_has_a_late_layer(late):
    assert isinstance(make_model(tiny(late=late), "lstm").layers, LateLayer) == late


def some_result(**changes) -> Result:
    return replace(Result("order-2", "lstm", 0, True, 1000, 1, 2560, 0.5, 0.25, 100_000, 3600.0), **changes)


def test_results_come_back_and_a_line_cut_short_counts_as_not_run(tmp_path):
    file = tmp_path / "new" / "results.jsonl"
    assert results.read(file) == []
    results.add(file, some_result())
    with file.open("a") as lines:
        lines.write('{"problem": "order-2", "ce')
    assert results.read(file) == [some_result()]
    results.add(file, some_result(seed=1))
    assert results.read(file) == [some_result(), some_result(seed=1)]


def test_the_file_of_results_is_sorted_and_holds_each_run_once(tmp_path):
    file = tmp_path / "results.jsonl"
    for result in (some_result(seed=1), some_result(problem="adding-100"), some_result(), some_result(wrong=7)):
        results.add(file, result)
    assert results.read(file) == [some_result(problem="adding-100"), some_result(wrong=7), some_result(seed=1)]
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]


def test_the_command_runs_what_is_missing_and_skips_what_is_done(tmp_path, monkeypatch, capsys):
    ran = []

    def run(problem, cell, seed):
        ran.append((problem.name, cell, seed))
        return some_result(cell=cell, seed=seed)

    monkeypatch.setattr(command, "run", run)
    words = [
        "--problems",
        "order-2",
        "--cells",
        "lstm",
        "gru",
        "--out",
        str(tmp_path / "r"),
        "--page",
        str(tmp_path / "p"),
    ]
    assert command.main([*words, "--seeds", "1"]) == 0
    assert command.main([*words, "--seeds", "2"]) == 0
    assert ran == [("order-2", cell, seed) for seed in (0, 1) for cell in ("lstm", "gru")]
    assert "2 runs to go, 2 done before" in capsys.readouterr().out
    assert "2 of 2, 1,000, then 1 wrong" in (tmp_path / "p").read_text()


@pytest.mark.parametrize("raises", [False, True])
def test_an_interrupted_run_leaves_the_finished_ones_and_no_result_of_its_own(tmp_path, monkeypatch, raises):
    def run(problem, cell, seed):
        if seed and raises:
            raise KeyboardInterrupt
        return None if seed else some_result(cell=cell)

    monkeypatch.setattr(command, "run", run)
    words = ["--problems", "order-2", "--cells", "lstm", "--seeds", "3", "--out", str(tmp_path / "r")]
    assert command.main([*words, "--page", str(tmp_path / "p")]) == 130
    assert [json.loads(line)["seed"] for line in (tmp_path / "r").read_text().splitlines()] == [0]


# ---- the page ----------------------------------------------------------------------------------------


def test_the_page_says_what_was_solved_what_was_not_and_what_has_not_been_run():
    runs = [some_result(seed=seed, sequences=1000 * (seed + 1)) for seed in range(3)]
    failed = [some_result(cell="elman", seed=seed, solved=False, wrong=1280) for seed in range(2)]
    rows = {row.split("`")[1]: row for row in page([*runs, *failed]).splitlines() if row.startswith("| `")}
    assert list(rows) == list(PROBLEMS)
    cells = [cell.strip() for cell in rows["order-2"].split("|")][1:-1]
    assert cells[3:] == ["-", "0 of 2 in 100,000; 50 % wrong", "-", "3 of 3, 2,000, then 1 wrong"]
    assert rows["order-3"].count(" - ") == len(CELLS)


def test_the_page_says_how_much_has_not_been_run():
    written = page([some_result()])
    assert f"Runs so far: 1 of {5 * len(PROBLEMS) * len(CELLS)}, 1.0 hours on one thread." in written
    missing = re.search(r"Not run at all yet: ([^.]*)\.", written)
    assert missing is not None
    assert re.split(r",\s", missing[1]) == [name for name in PROBLEMS if name != "order-2"]


def test_the_page_in_docs_is_written_from_the_results_beside_it():
    known = results.read(command.DOCS / "lstm-paper.jsonl")
    assert [result.run for result in known] == sorted({result.run for result in known})
    assert (command.DOCS / "lstm-paper.md").read_text(encoding="utf-8") == page(known)


def test_the_quick_problems_exist():
    assert set(QUICK) <= set(PROBLEMS)
    assert ONE_STEP in CELLS


@pytest.mark.slow
def test_lstm_learns_a_short_temporal_order_and_elman_does_not():
    solved = training.run(SHORT_ORDER, "lstm", 0)
    assert solved.solved
    assert solved.wrong < 0.02 * solved.tested
    failed = training.run(SHORT_ORDER, "elman", 0)
    assert not failed.solved
    assert failed.wrong > 0.5 * failed.tested
