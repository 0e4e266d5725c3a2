"""Errors: one tree, and messages that name the argument, what was expected, what came and what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled import errors
from unrolled.errors import (
    ArtifactError,
    DataError,
    InputError,
    NonFiniteLossError,
    NotFittedError,
    OptionError,
    ShapeError,
    StoreUnavailable,
    UnrolledError,
    UnsupportedError,
    message,
    nearest,
    unknown,
)


def test_every_error_is_in_the_tree():
    made_here = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(made_here) == 12
    assert all(issubclass(kind, UnrolledError) for kind in made_here)


@pytest.mark.parametrize("kind", [OptionError, DataError, ShapeError, ArtifactError])
def test_what_the_user_gave_is_a_value_error(kind):
    assert issubclass(kind, InputError)
    assert issubclass(kind, ValueError)


@pytest.mark.parametrize("kind", [UnsupportedError, NotFittedError, NonFiniteLossError, StoreUnavailable])
def test_other_faults_are_not_input_errors(kind):
    assert not issubclass(kind, InputError)


def test_not_fitted_is_what_scikit_learn_looks_for():
    assert issubclass(NotFittedError, ValueError)
    assert issubclass(NotFittedError, AttributeError)


@given(st.text(min_size=1), st.text(min_size=1), st.integers(), st.text(min_size=1))
def test_a_message_says_all_four_things(argument, expected, received, remedy):
    text = message(argument, expected=expected, received=received, remedy=remedy)
    assert text == f"{argument}: expected {expected}, received {received}; {remedy}"
    assert message(argument, expected=expected, received=received) == text.removesuffix(f"; {remedy}")


def test_text_is_shown_as_it_is_and_values_by_repr():
    assert message("a", expected="b", received="two words").endswith("received two words")
    assert message("a", expected="b", received=["x"]).endswith("received ['x']")


@pytest.mark.parametrize("name", ["lstn", "LSTM", "lsmt"])
def test_a_near_name_is_suggested_in_its_own_spelling(name):
    assert nearest(name, ["gru", "lstm"]) == "did you mean 'lstm'?"
    assert nearest(name, ["GRU", "LSTM"]) == "did you mean 'LSTM'?"


def test_far_names_get_a_list_that_is_not_endless():
    assert nearest("zebra", ["gru", "lstm"]) == "choose from 'gru', 'lstm'"
    many = nearest("zebra", [f"column {i}" for i in range(50)])
    assert many.endswith("'column 11', ...")
    assert nearest("zebra", []) == "nothing to choose from"


def test_an_unknown_name_is_an_error_of_the_kind_asked_for():
    error = unknown("cell", "lstn", ["gru", "lstm"], ArtifactError)
    assert isinstance(error, ArtifactError)
    assert str(error) == "cell: expected a known name, received lstn; did you mean 'lstm'?"
    assert type(unknown("cell", "x", iter(["gru"]))) is OptionError
