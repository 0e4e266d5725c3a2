"""The next place: habits by hour, weekday and user, with positions or without, and how far off a wrong answer is."""

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone

from unrolled.codecs.tables.places import Places
from unrolled.errors import DataError, OptionError
from unrolled.tasks.items.next_place import NextPlace
from unrolled.tasks.registry import load

FAST = {"epochs": 15, "device": "cpu"}
MONDAY = 1_704_067_200
DAY = 86_400


def visits(users: int = 12, days: int = 28, seed: int = 0) -> pl.DataFrame:
    """Each user goes from home to work on weekdays, and on Saturdays and Sundays to a haunt of that day."""
    draw = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        home, work, haunts = user, 100 + user % 4, [200 + user % 3, 210 + user % 5]
        for day in range(days):
            place = work if day % 7 < 5 else haunts[day % 7 - 5]
            for spot, hour in ((place, 9), (home, 18)):
                time = MONDAY + day * DAY + hour * 3600 + int(draw.normal(0, 600))
                where = 50 + spot / 1000 + draw.normal(0, 2e-5), 8 + (spot % 7) / 100 + draw.normal(0, 2e-5)
                rows.append({"user": user, "place": f"p{spot}", "time": time, "lat": where[0], "lon": where[1]})
    return pl.DataFrame(rows)[draw.permutation(len(rows))]


def make(**options: object) -> NextPlace:
    return NextPlace(**{"hidden_size": 32, "embedding_size": 16, "dropout": 0.0, **options})


@pytest.fixture(scope="module")
def walker() -> NextPlace:
    past = visits().filter(pl.col("time") < MONDAY + 21 * DAY)
    return make(latitude="lat", longitude="lon").fit(past, **FAST)


def test_habits_are_foretold_better_than_by_what_is_done_most(walker):
    scores = walker.evaluate(visits(), after=MONDAY + 21 * DAY)
    assert scores.unit == "visits"
    assert scores.model["accuracy_1"] > 0.9
    assert scores.baselines["own most frequent"]["accuracy_1"] < 0.7
    assert scores.wins
    assert scores.model["km"] < scores.baselines["popularity"]["km"]


def test_a_perfect_answer_is_no_kilometre_off(walker):
    scores = walker.evaluate(visits(), after=MONDAY + 21 * DAY)
    wrong = 1 - scores.model["accuracy_1"]
    assert (scores.model["km"] == 0) == (wrong == 0)


def test_a_user_who_was_never_seen_is_foretold_by_his_own_habits(walker):
    odd = visits(users=1).with_columns(user=pl.lit("stranger"))
    swapped = odd.with_columns(place=pl.col("place").replace({"p0": "p5", "p100": "p101"})).sort("time")
    morning = swapped.filter(pl.col("time") < MONDAY + 15 * DAY - 8 * 3600)  # Monday evening, at work
    assert walker.predict(morning, k=1)["place"].to_list() in (["p5"], ["p101"])


def test_places_can_be_found_among_positions(tmp_path):
    model = make(place=Places("lat", "lon", metres=30)).fit(visits(), **FAST)
    assert len(model.places_.centres_) == visits()["place"].n_unique()
    assert model.evaluate(visits()).model["accuracy_1"] > 0.8
    again = load(model.save(tmp_path / "m"))
    assert again.predict(visits(2), k=2).equals(model.predict(visits(2), k=2))
    assert clone(again).get_params()["place"].metres == 30


def test_a_saved_model_answers_and_scores_the_same(walker, tmp_path):
    again = load(walker.save(tmp_path / "m"))
    assert again.evaluate(visits(3)) == walker.evaluate(visits(3))


@pytest.mark.parametrize(
    "options",
    [{"own_history": False}, {"latitude": "lat", "longitude": "lon"}, {"time": None}, {"features": ["lat"]}],
    ids=str,
)
def test_options_change_the_model(options):
    quick = {"epochs": 1, "baselines": False, "device": "cpu"}
    plain, other = make().fit(visits(4), **quick), make(**options).fit(visits(4), **quick)
    width = lambda model: model.network_.layers.layers[0].cell.input_size  # noqa: E731
    assert width(plain) != width(other)


def test_bad_positions_are_refused():
    with pytest.raises(OptionError, match="both or neither"):
        make(latitude="lat").fit(visits(3), epochs=1)
    with pytest.raises(DataError, match="degrees"):
        make(latitude="time", longitude="lon").fit(visits(3), epochs=1)
    with pytest.raises(DataError, match="place"):
        make(place="plaice").fit(visits(3), epochs=1)
