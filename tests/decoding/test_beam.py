"""Beam search: against brute force over every answer, against the rule written plainly, and against greedy search."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from decoding.tables import START, Table, every_answer, plain_beam
from random_sequences import seeds, some_lengths
from unrolled.decoding import beam
from unrolled.decoding.options import AnswerBounds, SearchOptions
from unrolled.errors import OptionError, ShapeError

END = 1
penalties = st.sampled_from([0.0, 0.6, 1.5])


def beam_search(
    step, state, shared, start, end, max_length, beam_size=5, prefix=None, coverage=None, trace=None, **more
):
    bounds = AnswerBounds(start, end, max_length, prefix)
    return beam.beam_search(step, state, shared, bounds, SearchOptions(beam_size, **more), coverage, trace)


def run(table, sentences, max_length, search=beam_search, **options):
    return search(table.step, table.state(len(sentences)), table.shared(sentences), START, END, max_length, **options)


def assert_same(got, want):
    """Hypotheses as an oracle has them, rank by rank."""
    assert [(tuple(h.tokens), h.finished) for h in got] == [(a.tokens, a.finished) for a in want]
    for hypothesis, answer in zip(got, want, strict=True):
        assert hypothesis.log_probability == pytest.approx(answer.log_probability, abs=1e-9)
        assert hypothesis.score == pytest.approx(answer.score, abs=1e-9)


# ---- the optimum -----------------------------------------------------------------------------------------------------


@given(st.integers(1, 4), st.integers(2, 4), penalties, st.sampled_from([0.0, 0.3]), seeds)
def test_a_beam_as_wide_as_the_tree_ranks_every_answer(limit, vocabulary, alpha, barred, seed):
    table = Table(vocabulary, seed, barred=barred)
    wide = vocabulary**limit + 1
    got = run(table, [0, 1, 2], limit, beam_size=wide, n_best=wide, length_penalty=alpha)
    for sentence, hypotheses in enumerate(got):
        want = every_answer(table, sentence, END, limit, alpha)
        kept = [h for h in hypotheses if h.finished or len(h.tokens) == limit]  # the rest found nothing to go on with
        assert_same(kept, want)


@given(st.lists(st.sampled_from([0, 2]), max_size=3), penalties, seeds)
def test_it_also_does_so_behind_a_prefix(prefix, alpha, seed):
    table = Table(3, seed)
    got = run(table, [4, 5], 4, beam_size=99, n_best=99, length_penalty=alpha, prefix=[prefix, []])
    assert_same(got[0], every_answer(table, 4, END, 4, alpha, prefix))
    assert_same(got[1], every_answer(table, 5, END, 4, alpha))


def plain_greedy(table: Table, sentence: int, limit: int, prefix: list[int]) -> tuple[list[int], float, bool]:
    """Take the likeliest token at every step, and the lowest of equals: tokens, log-probability, whether it ended."""
    tokens: list[int] = []
    total = 0.0
    while len(tokens) < limit:
        row = table.log_probabilities(sentence, tokens)
        if max(row) == -math.inf:
            break
        token = prefix[len(tokens)] if len(tokens) < len(prefix) else row.index(max(row))
        total += row[token]
        if token == END:
            return tokens, total, True
        tokens.append(token)
    return tokens, total, False


def test_a_wider_beam_finds_what_greedy_search_misses():
    table = Table(5, seed=0, scale=1.0)
    narrow = run(table, range(200), 6, beam_size=1)
    wide = run(table, range(200), 6, beam_size=50)
    better = [w[0].score > n[0].score + 1e-9 for w, n in zip(wide, narrow, strict=True) if n[0].finished]
    assert sum(better) > len(better) / 10


# ---- the rule --------------------------------------------------------------------------------------------------------


@given(
    some_lengths(max_size=5, longest=7),
    st.integers(2, 7),
    st.integers(1, 9),
    penalties,
    st.sampled_from([0, 0.4]),
    seeds,
)
def test_every_sentence_is_searched_by_the_rule(limits, vocabulary, beam_size, alpha, barred, seed):
    table = Table(vocabulary, seed, barred=barred)
    sentences = [seed + 3 * place for place in range(len(limits))]
    limits_ = torch.tensor(limits, dtype=torch.int64)
    got = run(table, sentences, limits_, beam_size=beam_size, n_best=beam_size, length_penalty=alpha)
    assert len(got) == len(limits)
    for sentence, limit, hypotheses in zip(sentences, limits, got, strict=True):
        assert_same(hypotheses, plain_beam(table, sentence, END, limit, beam_size, alpha)[:beam_size])


@given(st.lists(st.lists(st.sampled_from([0, 2, 3, 4]), max_size=4), max_size=5), st.integers(1, 6), seeds)
def test_prefixes_of_unequal_lengths_are_followed(prefix, beam_size, seed):
    table = Table(5, seed)
    got = run(table, range(len(prefix)), 6, beam_size=beam_size, n_best=beam_size, prefix=prefix)
    for sentence, (row, hypotheses) in enumerate(zip(prefix, got, strict=True)):
        assert all(hypothesis.tokens[: len(row)] == row for hypothesis in hypotheses)
        assert_same(hypotheses, plain_beam(table, sentence, END, 6, beam_size, 0.0, row)[:beam_size])


@given(
    st.integers(2, 8), penalties, st.sampled_from([0.0, 0.4]), st.sampled_from([torch.float32, torch.float64]), seeds
)
def test_a_beam_of_1_is_greedy_search(vocabulary, alpha, barred, dtype, seed):
    table = Table(vocabulary, seed, barred=barred)
    table.logits = table.logits.to(dtype)
    prefix = [[], [], [0] * (seed % 3), []]
    table.logits[:, 0] = table.logits[:, 0].clamp(min=-3)  # the prefix can come
    narrow = run(table, range(4), 8, beam_size=1, length_penalty=alpha, prefix=prefix)
    for sentence, (one,) in enumerate(narrow):
        tokens, total, finished = plain_greedy(table, sentence, 8, prefix[sentence])
        assert (one.tokens, one.finished) == (tokens, finished)
        assert one.log_probability == pytest.approx(total, rel=1e-5 if dtype == torch.float32 else 1e-12, abs=1e-9)


def test_a_beam_of_1_is_greedy_search_also_where_tokens_are_equally_likely_or_nearly():
    table = Table(6, seed=2)
    table.logits = (table.logits.round() + 1e-7 * torch.randint(0, 2, table.logits.shape)).float()
    narrow = run(table, range(50), 30, beam_size=1)
    assert [one.tokens for (one,) in narrow] == [plain_greedy(table, row, 30, [])[0] for row in range(50)]


def test_of_equal_hypotheses_the_earlier_and_the_lower_token_come_first():
    def flat(tokens, state, shared):
        return torch.zeros(len(tokens), 40), state

    (got,) = beam_search(flat, None, None, torch.tensor([0]), end=39, max_length=2, beam_size=6, n_best=6)
    assert [hypothesis.tokens for hypothesis in got] == [[0, token] for token in range(6)]


def test_an_answer_that_could_not_go_on_is_scored_by_the_tokens_it_has():
    def dead_end(tokens, state, shared):
        return torch.where(tokens[:, None] == 2, -torch.inf, torch.tensor([[0.0, -torch.inf, 0.0]])), state

    (got,) = beam_search(dead_end, None, None, torch.tensor([0]), END, 2, beam_size=3, n_best=3, length_penalty=1.0)
    scores = {tuple(hypothesis.tokens): hypothesis.score for hypothesis in got}
    half = math.log(0.5)
    assert scores == pytest.approx({(2,): half, (0, 0): 2 * half / (7 / 6), (0, 2): 2 * half / (7 / 6)})


def test_what_the_model_says_after_a_token_that_cannot_come_does_not_matter():
    def odd(tokens, state, shared):
        logits = torch.tensor([[0.0, -1.0, -torch.inf, -torch.inf]]).repeat(len(tokens), 1)
        logits[tokens >= 2] = torch.nan
        return logits, state + 1

    (got,) = beam_search(odd, torch.zeros(1), None, 0, END, 5, beam_size=4, n_best=4)
    assert [hypothesis.tokens for hypothesis in got] == [[], [0], [0, 0], [0, 0, 0]]


def test_a_beam_wider_than_the_vocabulary_works_from_the_first_step():
    table = Table(2, seed=6)
    got = run(table, [0, 1], 5, beam_size=40, n_best=40)
    assert [len(hypotheses) for hypotheses in got] == [6, 6]  # an end at each of 5 steps, and the one that goes on


# ---- many sentences at once ------------------------------------------------------------------------------------------


@given(some_lengths(min_size=1, max_size=7, longest=8), st.integers(1, 5), seeds)
def test_an_answer_does_not_depend_on_who_shares_the_batch(limits, beam_size, seed):
    table = Table(6, seed)
    sentences = [seed + place for place in range(len(limits))]
    options = {"beam_size": beam_size, "n_best": beam_size, "length_penalty": 0.8}
    together = run(table, sentences, limits, **options)
    for sentence, limit, hypotheses in zip(sentences, limits, together, strict=True):
        assert run(table, [sentence], limit, **options) == [hypotheses]


def test_work_shrinks_as_sentences_end_and_nothing_shared_is_copied():
    table = Table(6, seed=1)
    seen = []

    def step(tokens, state, shared):
        seen.append(len(shared[0]))
        return table.step(tokens, state, shared)

    run_ = beam_search(step, table.state(40), table.shared(range(40)), START, END, 60, beam_size=3)
    assert len(run_) == 40
    assert seen[0] == 40
    assert seen == sorted(seen, reverse=True)
    assert 0 < seen[-1] < 10
    assert table.rows_seen == [40, *(3 * count for count in seen[1:])]


# ---- the limit -------------------------------------------------------------------------------------------------------


def test_answers_that_met_the_limit_stand_behind_those_that_finished():
    table = Table(4, seed=7)
    for hypotheses in run(table, range(30), 3, beam_size=4, n_best=4, length_penalty=1.0):
        marks = [hypothesis.finished for hypothesis in hypotheses]
        assert marks == sorted(marks, reverse=True)
        for group in (True, False):
            scores = [h.score for h in hypotheses if h.finished == group]
            assert scores == sorted(scores, reverse=True)
        assert all(len(h.tokens) + h.finished == 3 for h in hypotheses if not h.finished)


def test_where_enough_have_finished_no_unfinished_answer_is_given():
    table = Table(4, seed=7)
    for hypotheses in run(table, range(30), 8, beam_size=4, n_best=1):
        best = run(table, range(30), 8, beam_size=4, n_best=4)
        assert len(hypotheses) == 1
        assert hypotheses[0] in [group[0] for group in best]


# ---- penalties -------------------------------------------------------------------------------------------------------


def test_the_length_penalty_turns_the_order_of_a_short_and_a_long_answer():
    # end at once: 0.4; or 2, then 0 for sure, then the end: 0.35
    chances = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    chances_first = torch.tensor([0.25, 0.4, 0.35])

    def step(tokens, state, shared):
        first = state == 0
        return torch.where(first[:, None], chances_first, chances[tokens]).log(), state + 1

    def answer(alpha):
        (got,) = beam_search(step, torch.zeros(1), None, 0, END, 6, beam_size=3, n_best=3, length_penalty=alpha)
        return {tuple(hypothesis.tokens): hypothesis.score for hypothesis in got}

    plain, long = answer(0.0), answer(1.0)
    assert next(iter(plain)) == ()
    assert next(iter(long)) == (2, 0)
    assert plain == pytest.approx({(): math.log(0.4), (2, 0): math.log(0.35), (0,): math.log(0.25)})
    # lengths with the end: 1, 3 and 2
    want = {(): math.log(0.4), (2, 0): math.log(0.35) / (8 / 6), (0,): math.log(0.25) / (7 / 6)}
    assert long == pytest.approx(want)


def attending(tokens, state, shared):
    """Token 2 looks at the first place, 3 at the second; three tokens, then the end."""
    attention, time = state
    mask, favour = shared
    width = len(tokens) // len(mask)
    looks = torch.stack([tokens == 2, tokens == 3, torch.zeros_like(tokens) > 0], 1).double()  # (R, S)
    logits = favour.repeat_interleave(width, 0).log()
    ends = torch.tensor([-torch.inf, 0.0, -torch.inf, -torch.inf], dtype=torch.float64)
    logits = torch.where((time == 2)[:, None], ends, logits)
    return logits, (attention + 0.5 * looks, time + 1)


def covered(weight, **options):
    mask = torch.tensor([[True, True, False], [True, False, False]])
    favour = torch.tensor([[0.0, 0.0, 0.7, 0.3]], dtype=torch.float64).expand(2, 4)
    state = (torch.zeros(2, 3, dtype=torch.float64), torch.zeros(2, dtype=torch.int64))
    penalty = {"coverage_penalty": weight, "coverage": lambda state, shared: (state[0], shared[0])} if weight else {}
    return beam_search(attending, state, (mask, favour), 0, END, 5, beam_size=4, n_best=4, **penalty, **options)


def test_the_coverage_penalty_prefers_an_answer_that_looked_at_the_whole_source():
    plain, penalised = covered(0.0), covered(2.0)
    assert [answers[0].tokens for answers in plain] == [[2, 2], [2, 2]]
    # with two real places an answer that saw both wins; with one, seeing that one twice does
    assert sorted(penalised[0][0].tokens) == [2, 3]
    assert penalised[1][0].tokens == [2, 2]


def test_the_coverage_penalty_is_what_one_reckons_by_hand():
    first, second = covered(2.0, length_penalty=1.0)
    by_tokens = {tuple(hypothesis.tokens): hypothesis for hypothesis in first}
    # the end is read off after both tokens were, so each has been seen with its 0.5
    assert by_tokens[2, 3].score == pytest.approx(math.log(0.21) / (8 / 6) + 2 * (2 * math.log(0.5)))
    # second sentence: one place; seen with 0.5 + 0.5, capped at 1
    assert {tuple(h.tokens): h for h in second}[2, 2].score == pytest.approx(math.log(0.49) / (8 / 6))
    # never seen at all: a large penalty, but a number
    assert -1e4 < by_tokens[2, 2].score < -100
    assert all(math.isfinite(hypothesis.score) for hypothesis in first)


def test_unfinished_answers_are_penalised_too():
    mask = torch.tensor([[True, True, False]])
    favour = torch.tensor([[0.0, 0.0, 0.7, 0.3]], dtype=torch.float64)
    state = (torch.zeros(1, 3, dtype=torch.float64), torch.zeros(1, dtype=torch.int64))
    (got,) = beam_search(
        attending, state, (mask, favour), 0, END, 2, beam_size=4, n_best=4, coverage_penalty=1.0,
        coverage=lambda state, shared: (state[0], shared[0]),
    )  # fmt: skip
    assert len(got) == 4
    assert not any(hypothesis.finished for hypothesis in got)
    # after two tokens only the first of them has been read
    seen_first = {tuple(h.tokens): h.score - h.log_probability for h in got}
    tiny = math.log(torch.finfo(torch.float64).tiny)
    assert seen_first[2, 3] == pytest.approx(math.log(0.5) + tiny)


# ---- traces ----------------------------------------------------------------------------------------------------------


@given(some_lengths(min_size=1, max_size=5, longest=7), st.integers(1, 5), seeds)
def test_a_trace_follows_the_surviving_path(limits, beam_size, seed):
    table = Table(6, seed)
    sentences = [seed + place for place in range(len(limits))]

    def trace(state):
        return state.code, (torch.stack([state.code, -state.code], 1), None)

    got = run(table, sentences, limits, beam_size=beam_size, n_best=beam_size, trace=trace)
    for sentence, limit, hypotheses in zip(sentences, limits, got, strict=True):
        for hypothesis in hypotheses:
            code, want = 0, []
            for token in [START, *hypothesis.tokens]:
                code = (code * 31 + token * 7 + sentence * 13 + 5) % 97
                want.append(code)
            if max(limits) == 0:
                assert hypothesis.trace is None
                continue
            codes, (pairs, nothing) = hypothesis.trace
            want = want[: len(hypothesis.tokens)]  # one for each token: what the model saw as it wrote it
            assert codes.tolist() == want
            assert pairs.tolist() == [[code, -code] for code in want]
            assert nothing is None
            assert len(hypothesis.tokens) <= limit


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beam_size": 0}, "beam_size: expected an integer >= 1, received 0"),
        ({"n_best": 0}, "n_best: expected from 1 to beam_size, 5, received 0"),
        ({"beam_size": 2, "n_best": 3}, "n_best: expected from 1 to beam_size, 2, received 3"),
        ({"length_penalty": -0.5}, "length_penalty: expected a number >= 0"),
        ({"length_penalty": math.nan}, "length_penalty: expected a number >= 0"),
        ({"coverage_penalty": math.inf}, "coverage_penalty: expected a number >= 0"),
        ({"coverage_penalty": 0.2}, "coverage: expected a function"),
        ({"coverage": lambda state, shared: shared}, "coverage_penalty: expected a number > 0"),
    ],
    ids=range(8),
)
def test_illegal_options_are_refused(options, words):
    with pytest.raises(OptionError, match=words):
        run(Table(3), [0], 3, **options)


def test_a_coverage_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"coverage: expected \(R, S\) and a mask \(B, S\)"):
        run(
            Table(3), [0], 3, coverage_penalty=1.0,
            coverage=lambda state, shared: (torch.zeros(len(state.code), 2), torch.zeros(1, 3) > 0),
        )  # fmt: skip


def test_short_unlikely_ends_do_not_crowd_out_the_likely_answer():
    """An answer of six tokens that is nearly certain; each step's end is unlikely, but among the best of few tokens."""
    sure, end, wrong = 0.97, 0.02, 0.01

    def step(tokens, state, shared):
        last = state == 6
        row = torch.stack(
            [torch.where(last, sure, end), torch.where(last, end, sure), torch.full_like(state, wrong)], 1
        )
        return row.log(), state + 1

    for beam_size in (1, 2, 3, 5, 8):
        ((best, *_),) = beam_search(step, torch.zeros(1), None, 1, 0, 20, beam_size)
        assert best.tokens == [1] * 6, beam_size
