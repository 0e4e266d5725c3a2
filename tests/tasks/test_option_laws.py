"""Laws over all options of all tasks: what is no number or flag in range is one OptionError that names it, at once.

Asked with no data at all, so that a refusal that came after the first look at the data would be another error.
"""

import inspect
import math
import typing
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import unrolled as ur
from folders.tiny_tasks import MAKERS, TRAINING, answers, tiny
from unrolled.errors import DataError, InputError, OptionError
from unrolled.tasks.registry import TASKS, load, task_class
from unrolled.training.options import TrainingOptions

NOTHING: Any = None
NO_NUMBER: list[Any] = [math.nan, math.inf, -math.inf, -1, -(2**70), -(10**400), True, "x", "1", [1]]
BAD: dict[type, list[Any]] = {int: [*NO_NUMBER, 1.5], float: [*NO_NUMBER, 10**400], bool: [0, 1, 1.0, "no", math.nan]}
tasks = pytest.mark.parametrize("task", TASKS)
models = pytest.mark.parametrize("name", MAKERS)


def options(function: Any) -> dict[str, type]:
    """The parameters of a function that are numbers or flags."""
    hints = typing.get_type_hints(function)
    found = {}
    for name in inspect.signature(function).parameters:
        parts = {hints.get(name), *typing.get_args(hints.get(name))}
        for kind in (bool, int, float):
            if kind in parts:
                found[name] = kind
    return found


def refused(name: str, ask: Any, bad: Any) -> None:
    with pytest.raises(OptionError, match=f"^{name}: expected"):
        ask(**{name: bad})


@tasks
def test_a_constructor_s_numbers_and_flags_are_refused_before_anything_is_read(task):
    make = task_class(task)
    found = options(make.__init__)
    assert {"hidden_size", "num_layers", "dropout"} <= set(found)
    for name, kind in found.items():
        beyond = [2**70, 10**400] if kind is int else [1, 1.0, 2**70] if kind is float else []
        for bad in [*BAD[kind], *beyond]:
            refused(name, lambda **given: make(**given).fit(NOTHING), bad)
    for name in ("layers", "training"):
        for bad in (5, "x", [1], math.nan):
            refused(name, lambda **given: make(**given).fit(NOTHING), bad)
    with pytest.raises(OptionError, match="did you mean 'gru'"):
        make(cell="grru").fit(NOTHING)


@tasks
def test_numbers_at_the_edge_of_their_range_are_taken(task):
    for edge in ({"hidden_size": 1}, {"num_layers": 1000}, {"dropout": 0}, {"hidden_size": np.int64(4)}):
        with pytest.raises(DataError, match="data: expected"):
            task_class(task)(**edge).fit(NOTHING)


@tasks
def test_training_options_are_refused_before_anything_is_read(task):
    make = task_class(task)
    for option in fields(TrainingOptions):
        if option.type in BAD:
            for bad in BAD[option.type]:
                refused(option.name, lambda **given: make().fit(NOTHING, **given), bad)
                refused(option.name, lambda **given: make(training=given).fit(NOTHING), bad)
    for name in ("batch_size", "bptt_steps", "seed", "epochs", "accumulate"):
        refused(name, lambda **given: make().fit(NOTHING, **given), 2**70)
    for bad in (1, "x", (1,), (-1, 1), (2, 1), (math.nan, 1), (math.inf, math.inf), (10**400, 10**401), (True, 2)):
        refused("clip_band", lambda **given: make().fit(NOTHING, **given), bad)
    for name in ("baselines", "rival"):
        for bad in BAD[bool]:
            refused(name, lambda **given: make().fit(NOTHING, **given), bad)


@tasks
@pytest.mark.parametrize(
    ("group", "kind", "names"),
    [
        ("layers", float, ("recurrent_dropout", "zoneout")),
        ("layers", bool, ("variational", "layer_norm", "residual", "learn_initial_state")),
        ("decoder", float, ("label_smoothing", "teacher_forcing")),
        ("decoder", bool, ("input_feeding", "coverage", "positions", "tied")),
    ],
)
def test_options_by_name_are_refused_before_anything_is_read(task, group, kind, names):
    make = task_class(task)
    if group in inspect.signature(make).parameters:
        for name in names:
            for bad in BAD[kind]:
                if (name, bad) != ("teacher_forcing", True):
                    refused(name, lambda **given: make(**{group: given}).fit(NOTHING), bad)
        with pytest.raises(OptionError, match=f"did you mean {names[0]!r}"):
            make(**{group: {names[0] + "s": 0.5}}).fit(NOTHING)


@pytest.mark.parametrize("bad", [0.5, "x", [], ["x"], [math.nan], [0.1, math.nan, 0.9], [0.9, 0.1], [0], [1], [True]])
def test_quantiles_that_are_no_shares_in_order_are_refused(bad):
    refused("quantiles", lambda **given: ur.Forecaster(**given).fit(NOTHING), bad)


@pytest.mark.parametrize("bad", BAD[float])
def test_class_weights_that_are_no_numbers_are_refused(bad):
    refused("class_weights", lambda class_weights: ur.Classifier(class_weights={"a": class_weights}).fit(NOTHING), bad)


DRAWN = ("generate", "draw")  # see test_numeric_options
PUBLIC = {
    ("Translator", "n_best"): {"count", "beam_size", "length_penalty", "max_length", "coverage_penalty"},
    ("Captioner", "predict"): {"beam_size", "length_penalty", "max_length", "coverage_penalty"},
    ("Recommender", "predict"): {"k", "exclude_seen"},
    ("Recommender", "stream"): {"k", "exclude_seen"},
    ("NextPlace", "evaluate"): {"last", "exclude_seen"},
    ("Forecaster", "backtest"): {"stride"},
    ("Detector", "follow"): {"every", "updates"},
    ("LanguageModel", "stream"): {"top"},
}


def methods(model: Any) -> dict[str, tuple[Any, Mapping[str, type]]]:
    """The public methods of a model that take numbers or flags, ready to be asked about nothing."""
    found: dict[str, tuple[Any, Mapping[str, type]]] = {"stream": (model.stream, options(model._stepping))}
    for name, function in inspect.getmembers(type(model), inspect.isfunction):
        if name.startswith(("_", "set_", "get_")) or name in ("fit", "stream", "allow_files", *DRAWN):
            continue
        needs_data = "data" in inspect.signature(function).parameters
        ask = getattr(model, name)
        found[name] = ((lambda ask=ask, **given: ask(NOTHING, **given)) if needs_data else ask, options(function))
    return {name: (ask, given) for name, (ask, given) in found.items() if given}


@models
def test_the_numbers_that_a_fitted_model_is_asked_with_are_refused_before_anything_is_read(name):
    model = tiny(name).model
    before, asked = answers(model, tiny(name)), methods(model)
    for (task, method), wanted in PUBLIC.items():
        assert task != name or wanted <= set(asked[method][1])
    for method, (ask, given) in asked.items():
        if (name.partition(",")[0], method) == ("Detector", "inspect"):
            continue  # it is always refused, as not supported
        for option, kind in given.items():
            for bad in BAD[kind]:
                refused(option, ask, bad)
    assert answers(model, tiny(name)) == before


@pytest.mark.parametrize("name", ["Recommender", "NextPlace", "LanguageModel", "Translator"])
def test_a_wish_for_more_than_there_is_gives_what_there_is(name):
    model, data = tiny(name).model, tiny(name).data
    if name in ("Recommender", "NextPlace"):
        table = model.predict(data, k=2**70)
        assert table["rank"].max() == model.catalogue_.size
        assert len(model.evaluate(data, last=2**31 - 1).notes) >= 0
        stream = model.stream(k=2**70)
    elif name == "LanguageModel":
        stream = model.stream(top=2**70)
    else:
        with pytest.raises(OptionError, match="beam_size: expected an integer from 1 to 1000"):
            model.n_best(data, beam_size=2**70)
        return
    answer, _ = stream.step(stream.events(model._source(data), 0)[0][0], stream.initial_state())
    assert answer


@pytest.mark.parametrize("name", ["Forecaster", "Detector"])
def test_a_model_whose_second_fit_is_refused_stays_as_it_was(name):
    make, data, _ = MAKERS[name]()
    model = make.fit(data, **TRAINING)
    before = answers(model, tiny(name))
    for wrong in ({"epochs": math.nan}, {"epoch": 3}, {"baselines": "no"}):
        with pytest.raises(OptionError):
            model.fit(data, **wrong)
    assert answers(model, tiny(name)) == before


@pytest.mark.parametrize("name", ["Classifier", "Translator", "Captioner", "Detector", "NextPlace"])
def test_numbers_of_numpy_are_numbers_and_are_saved(name, tmp_path):
    model, data, ask = MAKERS[name]()
    wide = {"hidden_size": np.int64(5), "dropout": np.float32(0.25), "num_layers": np.int32(1)}
    if "bidirectional" in model.get_params():
        wide["bidirectional"] = np.bool_(False)
    model.set_params(**wide).fit(data, **TRAINING, baselines=False)
    again = load(model.save(tmp_path / "model"))
    assert again.hidden_size == 5
    assert again.dropout == 0.25
    asked = data[:5] if isinstance(data, list) else data
    assert repr(ask(again, asked)) == repr(ask(model, asked))


def test_the_errors_are_input_errors():
    assert issubclass(OptionError, InputError)
