"""After every method of every task that reads data, `report_` is of that call: counts, shares and warnings."""

import copy

import polars as pl
import pytest

import unrolled as ur
from folders.tiny_tasks import MAKERS, tiny
from unrolled.errors import OptionError, UnsupportedError
from unrolled.reading_report import COUNTED, OF_EVENTS, WARNED, Tally, UnrolledWarning, counted, lines_of, note
from unrolled.serving.metrics import COUNTED as METRICS
from unrolled.serving.schemas import Report
from unrolled.tasks.shared.reported import REPORTED

QUIET = {"epochs": 1, "progress": False, "baselines": False}
# methods that are not asked about data
OTHERS = {
    "allow_files", "backend", "describe", "export", "first_state", "get_metadata_routing", "get_params", "load", "save",
    "set_params", "state_of", "stream", "writer",
    "score",  # asks `predict`
    "fit",  # its report is that of the scores on held-out data
    "check",  # reads the same data in many ways, and compares them
}  # fmt: skip
ASK = {
    "generate": lambda model, data: model.generate(**prompt(model, data), length=2, seed=0),
    "draw": lambda model, data: model.draw(2, length=3, seed=0),
    "score_texts": lambda model, data: model.score_texts(data),
    "step": lambda model, data: model.step(data.frame.to_dicts()[0], model.first_state()),
    "evaluate": lambda model, data: model.evaluate(
        data, marks_of(data) if model.describe().task == "Detector" else None
    ),
}


def prompt(model, data):
    if model.describe().task == "LanguageModel":
        return {"prompt": "Anna", "given": {"kind": "a"}}
    return {"prompt": data[0][model.describe().columns[0].name]}


def marks_of(table):
    return [row == table.frame.height - 5 for row in range(table.frame.height)]


def with_gaps(data):
    """The data of a question without some rows in the middle, and of another series or user besides."""
    if isinstance(data, list):
        return data
    frame = data.frame if isinstance(data, ur.Table) else data
    keep = pl.int_range(pl.len()) % 50 < 45
    frame = frame.filter(keep)
    for key in ("site", "user"):
        if key in frame.columns:
            other = frame.with_columns(pl.col(key).replace({frame[key][0]: "A"}))
            frame = pl.concat([other.filter(pl.col(key) == "A"), frame])
    return ur.Table(frame, data.time, data.group) if isinstance(data, ur.Table) else frame


VERBS = [(name, verb) for name in MAKERS for verb in REPORTED if hasattr(MAKERS[name]()[0], verb)]


@pytest.mark.parametrize("name", MAKERS)
def test_every_method_reports_or_is_not_asked_about_data(name):
    model = MAKERS[name]()[0]
    public = {one for one in dir(type(model)) if not one.startswith("_") and callable(getattr(type(model), one))}
    of_metadata = {one for one in public if one.startswith("set_") and one.endswith("_request")}
    assert public - of_metadata - set(REPORTED) <= OTHERS


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
@pytest.mark.parametrize(("name", "verb"), VERBS)
def test_after_every_method_the_report_is_of_that_call_and_counts_everything_once(name, verb):
    model, data, _ = tiny(name)
    model = copy.deepcopy(model) if verb in ("partial_fit", "add_items", "follow") else model
    rows = with_gaps(data)
    model.predict(rows)
    wanted, model.report_ = model.report_, {}
    try:
        ASK.get(verb, lambda one, given: getattr(one, verb)(given))(model, rows)
    except (OptionError, UnsupportedError):  # a Detector has no `inspect`, these items no features, frames no mixture
        assert verb in ("inspect", "add_items", "draw", "paths")  # and no quantiles to draw paths from
        return
    assert set(model.report_) == set(Tally(None).report())
    Report.model_validate(model.report_)
    if verb in ("generate", "draw", "score_texts", "step"):
        return  # they are asked about something else
    for column, found in wanted["columns"].items():
        if found["tokens"]:
            assert model.report_["columns"][column]["tokens"] == found["tokens"]
    for what in COUNTED:
        if what != "unseen labels":
            assert model.report_["shares"].get(what) == wanted["shares"].get(what), what


# ---- shares and warnings ----------------------------------------------------------------------------


@pytest.mark.parametrize("what", COUNTED)
@pytest.mark.parametrize(("count", "of"), [(3, 10), (2, 10), (1, 2), (1, 1), (0, 10)])
def test_more_than_a_fifth_is_warned_of_where_it_says_something(what, count, of):
    with counted(Tally(None)) as tally:
        note(what, count, of)
    report = tally.report()
    assert report[what] == count
    assert report["shares"].get(what, {"share": 0, "of": of})["share"] == count / of
    assert lines_of(report) == ([f"{what}: {count}, {count / of:.1%} of {of} {COUNTED[what]}"] if count else [])
    warned = what in WARNED and (count, of) in ((3, 10), (1, 1))
    assert [line.partition(";")[0] for line in report["warnings"]] == lines_of(report) * warned


def test_shares_are_those_of_what_was_asked_and_the_warning_names_the_series():
    model = tiny("Forecaster").model
    frame = tiny("Forecaster").data.frame
    asked = frame.filter((pl.col("site") == "a") & (pl.int_range(pl.len()) % 3 != 1)).with_columns(site=pl.lit("A"))
    with pytest.warns(UnrolledWarning) as seen:
        model.predict(ur.Table(asked, "day", "site"))
    gaps = asked["day"].diff().dt.total_days().sum() + 1 - asked.height
    wanted = {"gaps filled": (gaps / (asked.height + gaps), asked.height + gaps), "unseen series": (1.0, 1)}
    found = {name: (one["share"], one["of"]) for name, one in model.report_["shares"].items()}
    assert found == wanted
    said = [str(one.message) for one in seen]
    assert any("unseen series: 1, 100.0% of 1 series, such as 'A'; most are known in lower case" in one for one in said)
    assert any(one.startswith(f"gaps filled: {gaps}, ") for one in said)


@pytest.mark.parametrize("name", ["Recommender", "NextPlace"])
def test_users_that_training_never_saw_are_counted_and_not_warned_of(name, tmp_path):
    model, frame, _ = tiny(name)
    asked = pl.concat([frame[:6], frame[:6].with_columns(user=pl.lit("U0"))])
    for one in (model, ur.load(model.save(tmp_path / "m"))):
        one.predict(asked)
        assert one.report_["shares"]["unseen users"] == {
            "share": 0.5, "of": 2, "unit": "users", "examples": ["U0"], "hint": "",
        }  # fmt: skip
        assert one.report_["warnings"] == []


def test_new_users_and_items_are_counted_once_and_known_after_they_were_learnt():
    model, frame, _ = tiny("Recommender")
    model = copy.deepcopy(model)
    new = frame[:6].with_columns(user=pl.lit("new"), item=pl.lit("new"))
    for unseen in (1, 0):
        model.partial_fit(new)
        assert (model.report_["unseen users"], model.report_["unknown"] > 0) == (unseen, bool(unseen))


def test_fit_ends_the_report_of_earlier_calls():
    model = ur.Classifier(hidden_size=4).fit(["ab", "ba"] * 8, ["x", "y"] * 8, **QUIET)
    with pytest.warns(UnrolledWarning):
        model.predict(["zz"])
    model.fit(["ab", "ba"] * 8, ["x", "y"] * 8, **QUIET)
    assert (model.report_["unknown"], model.report_["warnings"]) == (0, [])


def test_the_counts_of_events_are_those_of_sessions_and_of_the_metrics():
    names = {name.replace(" ", "_") for name in OF_EVENTS}
    assert names < set(METRICS)
    model, table, _ = tiny("Detector")
    rows = table.frame.filter(pl.col("site") == "a").with_columns(site=pl.lit("new"), load=pl.lit(None)).to_dicts()
    with ur.Sessions(model.stream()) as sessions:
        for row in (rows[0], rows[1], rows[4]):
            sessions.step("ada", row)
        found = {name: sessions.statistics[name] for name in names}
        assert "gaps filled: 2" in "\n".join(sessions.unknown)
    assert found == {
        "missing_values": 3, "gaps_filled": 2, "unseen_series": 1, "rows_left_out": 0, "times_that_did_not_fit": 0,
    }  # fmt: skip


# ---- tables of scores -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_the_table_of_scores_fits_80_columns_and_shows_every_number_once(name):
    scores = tiny(name).model.scores_ or scores_of(name)
    lines = str(scores).splitlines()
    table = [line for line in lines if "  " in line or not line]
    assert max(map(len, table)) <= 80
    words = " ".join(table).split()
    for row in (scores.model, *scores.baselines.values()):
        for metric, value in row.items():
            assert words.count(metric) == 1
            assert f"{value:.4f}" in words


def scores_of(name):
    model, data, _ = tiny(name)
    return ASK["evaluate"](model, data)
