"""The n-gram model beside one written with dictionaries."""

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.baselines.language import NGram

SIZE = 5
texts = st.lists(st.lists(st.integers(0, SIZE - 1), max_size=12), min_size=1, max_size=5)


class Dictionaries:
    """Witten-Bell by the book: followers of every context, recursion over shorter contexts."""

    def __init__(self, sequences, order):
        self.order = order
        self.followers = defaultdict(lambda: defaultdict(int))
        for sequence in sequences:
            for place, token in enumerate(sequence):
                for size in range(order):
                    self.followers[self.context(sequence, place, size)][token] += 1

    @staticmethod
    def context(sequence, place, size):
        return (size, *(["edge"] * max(0, size - place)), *sequence[max(0, place - size) : place])

    def share(self, sequence, place, token, size=None):
        size = self.order - 1 if size is None else size
        if size < 0:
            return 1 / SIZE
        shorter = self.share(sequence, place, token, size - 1)
        followers = self.followers.get(self.context(sequence, place, size))
        if not followers:
            return shorter
        count, kinds = sum(followers.values()), len(followers)
        return (followers.get(token, 0) + kinds * shorter) / (count + kinds)


def arrays(sequences):
    return [np.array(sequence, dtype=np.int64) for sequence in sequences]


@given(texts, texts, st.integers(1, 4))
def test_nats_are_those_of_dictionaries(seen, asked, order):
    model = NGram(SIZE, order).fit(arrays(seen), arrays(seen))
    book = Dictionaries(seen, order)
    want = [-sum(math.log(book.share(s, place, token)) for place, token in enumerate(s)) for s in asked]
    np.testing.assert_allclose(model.predict(arrays(asked)), want, rtol=1e-9, atol=1e-12)


@given(texts, st.lists(st.integers(0, SIZE - 1), max_size=4), st.integers(1, 4))
def test_probabilities_of_the_next_token_sum_to_one(seen, context, order):
    model = NGram(SIZE, order).fit(arrays(seen), arrays(seen))
    alone = model.predict(arrays([context]))[0]
    ends = model.predict(arrays([[*context, token] for token in range(SIZE)])) - alone
    assert float(np.exp(-ends).sum()) == pytest.approx(1)


def test_a_longer_context_learns_what_a_shorter_one_cannot():
    cycle = arrays([[0, 1, 0, 2] * 50])
    nats = {order: float(NGram(SIZE, order).fit(cycle, cycle).predict(cycle)[0]) / 200 for order in (1, 2, 3)}
    assert nats[1] == pytest.approx(1.04, abs=0.05)
    assert nats[2] == pytest.approx(0.5 * math.log(2), abs=0.05)
    assert nats[3] < 0.1


def test_nothing_learnt_is_the_uniform_distribution():
    model = NGram(SIZE, 3).fit([], [])
    assert model.predict(arrays([[0, 1, 2]]))[0] == pytest.approx(3 * math.log(SIZE))


def test_its_name_says_the_order():
    assert NGram(SIZE, 5).name == "5-gram, Witten-Bell"
    assert NGram(SIZE, 1).name == "token frequencies"


@given(texts, st.integers(1, 12), st.integers(1, 3))
def test_only_the_first_tokens_count_and_the_name_says_so(seen, most, order):
    kept, left = [], most
    for sequence in seen:
        kept.append(sequence[: max(left, 0)])
        left -= len(sequence)
    cut, whole = NGram(SIZE, order, max_steps=most).fit(arrays(seen), []), NGram(SIZE, order).fit(arrays(kept), [])
    np.testing.assert_allclose(cut.predict(arrays(seen)), whole.predict(arrays(seen)))
    total = sum(map(len, seen))
    assert cut.name == (whole.name if total <= most else f"{whole.name} ({most} of {total} tokens)")


def test_a_note_stands_behind_the_name_and_is_saved():
    model = NGram(SIZE, 2, note="first page").fit(arrays([[0, 1]]), [])
    assert model.name == "2-gram, Witten-Bell (first page)"
    assert NGram.from_state(model.state()).name == model.name


def test_ids_that_training_never_saw_cost_less_than_impossible():
    model = NGram(SIZE, 2).fit(arrays([[0, 1, 0, 1]]), [])
    assert math.log(SIZE) < model.predict(arrays([[SIZE - 1]]))[0] < 10
