"""Greedy search and sampling: against a plain loop over one sentence, and what they refuse."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from decoding.tables import START, Table
from random_sequences import seeds, some_lengths
from unrolled.decoding.beam import beam_search
from unrolled.decoding.paths import Hypothesis
from unrolled.decoding.search import greedy, sample_sequences
from unrolled.errors import DataError, OptionError, ShapeError
from unrolled.ragged import Ragged

END = 1


def run(search, table, sentences, max_length, **options):
    return search(table.step, table.state(len(sentences)), table.shared(sentences), START, END, max_length, **options)


def plain_greedy(table: Table, sentence: int, limit: int, prefix: list[int]) -> tuple[list[int], float, bool]:
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


def parts(hypothesis: Hypothesis) -> tuple[list[int], float, bool]:
    return hypothesis.tokens, pytest.approx(hypothesis.log_probability, abs=1e-9), hypothesis.finished


# ---- greedy ----------------------------------------------------------------------------------------------------------


@given(some_lengths(max_size=6, longest=9), st.integers(2, 9), st.sampled_from([0.0, 0.3]), seeds)
def test_greedy_takes_the_likeliest_token_of_every_sentence(limits, vocabulary, barred, seed):
    table = Table(vocabulary, seed, barred=barred)
    sentences = [seed + place for place in range(len(limits))]
    got = run(greedy, table, sentences, torch.tensor(limits, dtype=torch.int64))
    assert len(got) == len(limits)
    for sentence, limit, hypothesis in zip(sentences, limits, got, strict=True):
        assert plain_greedy(table, sentence, limit, []) == parts(hypothesis)
        assert hypothesis.score == hypothesis.log_probability


@given(st.lists(st.lists(st.integers(2, 5), max_size=4), max_size=5), st.booleans(), seeds)
def test_a_prefix_is_in_the_answer_and_in_its_score(prefix, as_ragged, seed):
    table = Table(6, seed)
    sentences = list(range(len(prefix)))
    flat = torch.tensor([token for row in prefix for token in row], dtype=torch.int64)
    given_ = Ragged(flat, torch.tensor([len(row) for row in prefix], dtype=torch.int64)) if as_ragged else prefix
    got = run(greedy, table, sentences, 6, prefix=given_)
    for sentence, row, hypothesis in zip(sentences, prefix, got, strict=True):
        assert hypothesis.tokens[: len(row)] == row
        assert plain_greedy(table, sentence, 6, row) == parts(hypothesis)


def test_of_equally_likely_tokens_the_lowest_is_taken():
    def flat(tokens, state, shared):
        return torch.zeros(len(tokens), 4), state

    (hypothesis,) = greedy(flat, None, None, torch.tensor([0]), end=3, max_length=2)
    assert hypothesis.tokens == [0, 0]
    assert hypothesis.log_probability == pytest.approx(-2 * math.log(4))


def test_log_probabilities_and_logits_give_the_same():
    table = Table(5, seed=3)
    raw = run(greedy, table, range(8), 7)
    table.logits = table.logits.log_softmax(1)
    for one, other in zip(raw, run(greedy, table, range(8), 7), strict=True):
        assert one.tokens == other.tokens
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-12)


def test_work_shrinks_as_sentences_end():
    table = Table(6, seed=1)
    got = run(greedy, table, range(30), 40)
    assert table.rows_seen[0] == 30
    ends = [len(hypothesis.tokens) for hypothesis in got]
    assert table.rows_seen == [sum(end >= time for end in ends) for time in range(len(table.rows_seen))]
    assert table.rows_seen[-1] < 30


# ---- sampling --------------------------------------------------------------------------------------------------------


@given(some_lengths(max_size=5, longest=6), st.integers(2, 6), st.sampled_from([0.0, 0.4]), seeds)
def test_sampling_at_temperature_0_is_greedy(limits, vocabulary, barred, seed):
    table = Table(vocabulary, seed, barred=barred)
    sentences, limits = list(range(len(limits))), torch.tensor(limits, dtype=torch.int64)
    assert run(sample_sequences, table, sentences, limits, temperature=0) == run(greedy, table, sentences, limits)


def test_the_same_seed_draws_the_same_and_another_something_else():
    table = Table(8, scale=0.5)
    draws = [
        run(sample_sequences, table, range(20), 12, generator=torch.Generator().manual_seed(seed)) for seed in (4, 4, 5)
    ]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_draws_follow_the_distribution_and_their_log_probability_is_the_models():
    table = Table(4, seed=2, scale=1.0)
    want = [math.exp(value) for value in table.log_probabilities(3, [])]
    generator = torch.Generator().manual_seed(0)
    got = run(sample_sequences, table, [3] * 4000, 1, generator=generator)
    firsts = [hypothesis.tokens[0] if hypothesis.tokens else END for hypothesis in got]
    for token, share in enumerate(want):
        assert firsts.count(token) / 4000 == pytest.approx(share, abs=0.03)
    warm = run(sample_sequences, table, [3] * 50, 1, generator=generator, temperature=3.0)
    for hypothesis in warm:
        token = hypothesis.tokens[0] if hypothesis.tokens else END
        assert math.exp(hypothesis.log_probability) == pytest.approx(want[token])


def test_top_k_of_1_is_greedy():
    table = Table(7, seed=5)
    assert run(sample_sequences, table, range(9), 8, top_k=1) == run(greedy, table, range(9), 8)


@pytest.mark.parametrize("option", [{"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0}], ids=str)
def test_illegal_options_of_sampling_are_refused_even_without_a_sentence(option):
    with pytest.raises(OptionError, match=next(iter(option))):
        run(sample_sequences, Table(3), [], 4, **option)


# ---- what all three refuse, and where nothing is to be done ----------------------------------------------------------


SEARCHES = pytest.mark.parametrize("search", [greedy, sample_sequences, beam_search], ids=lambda s: s.__name__)


def first(answer):
    """The hypothesis, from any of the searches."""
    return answer[0] if isinstance(answer, list) else answer


@SEARCHES
def test_no_sentence_takes_no_step(search):
    table = Table(3)
    assert run(search, table, [], 5) == []
    assert table.rows_seen == []


@SEARCHES
def test_a_limit_of_0_gives_an_empty_answer_without_a_step(search):
    table = Table(3)
    want = Hypothesis([], 0.0, 0.0, False)
    assert [first(answer) for answer in run(search, table, [1, 2], 0)] == [want, want]
    assert table.rows_seen == []


@SEARCHES
def test_a_vocabulary_of_the_end_alone_ends_at_once(search):
    def only(tokens, state, shared):
        return torch.zeros(len(tokens), 1), state

    (answer,) = search(only, None, None, torch.tensor([0]), 0, 5)
    assert first(answer) == Hypothesis([], 0.0, 0.0, True)


@SEARCHES
def test_a_decoder_that_never_ends_stops_at_its_limit(search):
    def never(tokens, state, shared):
        logits = torch.zeros(len(tokens), 3)
        logits[:, END] = -torch.inf
        return logits, state

    answers = search(never, None, None, torch.tensor([0, 0]), END, torch.tensor([7, 50]))
    assert [len(first(answer).tokens) for answer in answers] == [7, 50]
    assert not any(first(answer).finished for answer in answers)
    assert first(answers[0]).log_probability == pytest.approx(7 * math.log(0.5))


@SEARCHES
def test_a_model_that_holds_nothing_possible_stops_there(search):
    def dead_end(tokens, state, shared):
        return torch.where(tokens[:, None] == 2, -torch.inf, torch.tensor([[-torch.inf, -torch.inf, 0.0]])), state

    (answer,) = search(dead_end, None, None, torch.tensor([0]), END, 9)
    assert first(answer) == Hypothesis([2], 0.0, 0.0, False)


@SEARCHES
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_broken_logits_are_refused_by_sentence_and_step(search, value):
    def breaks(tokens, state, shared):
        logits = torch.zeros(len(tokens), 4)
        logits[:, END] = -9.0
        logits.view(len(shared), -1, 4)[(shared == 8) & (state.view(len(shared), -1)[:, 0] == 2), :, 2] = value
        return logits, state + 1

    with pytest.raises(DataError, match=r"NaN or \+inf at step 2 of sentence 1;"):
        search(breaks, torch.zeros(3), torch.tensor([7, 8, 9]), 0, END, 6)


@SEARCHES
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"state": torch.zeros(3, 2)}, ShapeError, "shared 0: expected one row for each sentence, 3 as in state 0"),
        ({"start": torch.zeros(5, dtype=torch.int64)}, ShapeError, "start: expected one row"),
        ({"max_length": [1, 2, 3]}, ShapeError, r"max_length: expected an integer or shape \(2,\)"),
        ({"max_length": -1}, OptionError, "max_length: expected integers >= 0, received -1"),
        ({"max_length": 2.5}, OptionError, "max_length: expected integers"),
        ({"end": -1}, OptionError, "end: expected a token"),
        ({"end": 6}, OptionError, "end: expected a token below 6"),
        ({"prefix": [[2]]}, ShapeError, "prefix: expected one for each of 2 sentences"),
        ({"prefix": [[2], [2, 2, 2, 2]]}, OptionError, "at most 3 tokens for sentence 1"),
        ({"prefix": [[2], [2, END]]}, OptionError, "prefix: expected tokens that go on, received the end"),
        ({"prefix": [[], [6]]}, OptionError, "prefix: expected tokens from 0 to 5, received 6"),
        ({"prefix": [[], [2, 3]]}, OptionError, "token 3 at step 1 of sentence 1, of probability 0"),
        ({"state": None, "shared": None}, ShapeError, "start: expected one token for each sentence"),
    ],
    ids=lambda value: str(next(iter(value.items()))) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_in_words(search, change, error, words):
    def step(tokens, state, shared):
        logits = torch.zeros(len(tokens), 6)
        logits[:, 3] = -torch.inf
        return logits, state

    arguments = {
        "state": torch.zeros(2, 2),
        "shared": torch.zeros(2),
        "start": 0,
        "end": END,
        "max_length": 3,
    }
    with pytest.raises(error, match=words):
        search(step, **arguments | change)


@SEARCHES
def test_a_step_with_too_few_rows_is_refused(search):
    with pytest.raises(ShapeError, match=r"logits: expected shape \(2, V\) from the step, received \(1, 4\)"):
        search(lambda tokens, state, shared: (torch.zeros(1, 4), state), torch.zeros(2), None, 0, END, 3)


@SEARCHES
def test_nothing_is_kept_for_a_backward_pass(search):
    weights = torch.zeros(4, requires_grad=True)
    kept = []

    def step(tokens, state, shared):
        kept.append(weights.expand(len(tokens), 4) * 1.0)
        return kept[-1], state

    search(step, torch.zeros(2), None, 0, END, 3)
    assert not any(logits.requires_grad for logits in kept)
