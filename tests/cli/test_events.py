"""Event logs on the command line: fit, predict the first few, evaluate as of a time, and places by position."""

import json
from pathlib import Path

import polars as pl
import pytest

from unrolled.cli.main import make_app
from unrolled.errors import DataError, OptionError
from unrolled.tasks.registry import load


def call(*words: object) -> None:
    make_app([str(word) for word in words])([str(word) for word in words], standalone_mode=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of baskets in which milk follows tea, and a model of it."""
    place = tmp_path_factory.mktemp("events")
    rows = []
    for user in range(40):
        for step, item in enumerate(["tea", "milk", "cup", "tea", "milk"][user % 2 :]):
            rows.append(
                {
                    "who": f"u{user}",
                    "what": item,
                    "when": f"2024-01-{1 + step:02} 10:00:00",
                    "price": len(item),
                    "kind": "drink" if item != "cup" else "thing",
                }
            )
    pl.DataFrame(rows[::-1]).write_csv(place / "log.csv")
    call("fit", "recommend", place / "log.csv", "--user", "who", "--item", "what", "--time", "when", "--features",
         "price", "--item-features", "kind", "--hidden-size", "16", "--embedding-size", "8", "--epochs", "20",
         "--dropout", "0", "--out", place / "m")  # fmt: skip
    return place


def test_the_model_remembers_how_it_was_made(folder):
    model = load(folder / "m")
    assert model.get_params()["time"] == "when"
    assert (model.features_.columns, model.item_features_.columns) == (("price",), ("kind",))
    call("fit", "recommend", "--config", folder / "m" / "config.toml", "--out", folder / "again", "--epochs", "1")
    assert load(folder / "again").features_.columns == ("price",)


def test_the_first_few_answers_for_each_user_come_out(folder, capsys):
    call("predict", folder / "m", folder / "log.csv", "--top", "2")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 2 * 40
    assert {row["what"] for row in rows if row["rank"] == 1} == {"cup"}  # after milk
    call("predict", folder / "m", folder / "log.csv", "--allowed", "tea,milk", "--top", "1")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["what"] for row in rows} <= {"tea", "milk"}
    call("predict", folder / "m", folder / "log.csv", "--exclude-seen")
    assert capsys.readouterr().out == ""  # everybody had everything


def test_scores_are_as_of_a_time_where_one_is_named(folder, capsys):
    call("evaluate", folder / "m", folder / "log.csv", "--json")
    assert json.loads(capsys.readouterr().out)["n"] == 40
    call("evaluate", folder / "m", folder / "log.csv", "--after", "2024-01-04", "--json")
    scores = json.loads(capsys.readouterr().out)
    assert scores["n"] == 20 * 2 + 20
    assert "first-order Markov" in scores["baselines"]


def test_places_are_found_where_no_column_names_them(tmp_path, capsys):
    spots = [(50.0, 8.0), (50.1, 8.0), (50.0, 8.2)]
    rows = [
        {"user": user, "time": 28_800 * step, "lat": spots[step % 3][0], "lon": spots[step % 3][1]}
        for user in range(10)
        for step in range(30)
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "stays.csv")
    call("fit", "next-place", tmp_path / "stays.csv", "--latitude", "lat", "--longitude", "lon", "--hidden-size", "16",
         "--embedding-size", "8", "--epochs", "20", "--out", tmp_path / "m")  # fmt: skip
    capsys.readouterr()
    call("evaluate", tmp_path / "m", tmp_path / "stays.csv", "--json")
    scores = json.loads(capsys.readouterr().out)
    assert scores["model"]["accuracy_1"] > 0.9
    assert scores["model"]["km"] < 5


def test_options_for_another_kind_of_model_are_refused(folder, tmp_path):
    (tmp_path / "x.csv").write_text("text,label\n" + "good,a\nbad,b\n" * 20)
    call("fit", "classify", tmp_path / "x.csv", "--text", "text", "--label", "label", "--epochs", "1", "--out",
         tmp_path / "c")  # fmt: skip
    with pytest.raises(OptionError, match="--top: expected a recommender"):
        call("predict", tmp_path / "c", tmp_path / "x.csv", "--top", "3")
    with pytest.raises(OptionError, match="--last"):
        call("evaluate", tmp_path / "c", tmp_path / "x.csv", "--last", "3")
    with pytest.raises(OptionError, match="beam"):
        call("predict", folder / "m", folder / "log.csv", "--beam-size", "3")


def test_a_misspelt_column_is_named(folder, tmp_path):
    with pytest.raises(DataError, match="who"):
        call("fit", "recommend", folder / "log.csv", "--user", "whom", "--item", "what", "--out", tmp_path / "m")
