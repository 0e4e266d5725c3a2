"""Numbers in a file, in a column that a model learnt as text, are the texts that are written there, or are refused."""

import gzip
import io

import numpy as np
import pytest

import unrolled as ur
from unrolled.errors import DataError

FAST = {"epochs": 1, "progress": False, "baselines": False}
WRITTEN = ["1.10", "1.1", "2.0", "+5", "1e3"]
CSV = "\n".join(["v", *WRITTEN, ""])


@pytest.fixture(scope="module")
def model():
    learnt = ["1.10", "1.9", "2.0", "true", "True", "a"]
    rows = [{"v": learnt[row % 6], "y": "ab"[row % 2]} for row in range(36)]
    return ur.Classifier(ur.Characters("v"), "y", hidden_size=4).fit(rows, **FAST)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("spelt")
    (path / "a.csv").write_text(CSV)
    (path / "a.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    (path / "one.csv").write_text("v\n1.10\n1.1\n")
    (path / "two.csv").write_text("v\n2.0\n+5\n1e3\n")
    return path


AT_HAND = {
    "path": lambda folder: ur.read_csv(folder / "a.csv"),
    "by suffix": lambda folder: ur.read(folder / "a.csv"),
    "packed": lambda folder: ur.read(folder / "a.csv.gz"),
    "address": lambda folder: ur.read(f"file://{folder / 'a.csv'}"),
    "two files": lambda folder: ur.read([folder / "one.csv", folder / "two.csv"]),
    "two open files": lambda folder: ur.read_csv([io.StringIO("v\n1.10\n1.1\n"), io.BytesIO(b"v\n2.0\n+5\n1e3\n")]),
    "bytes": lambda folder: ur.read_csv(CSV.encode()),
    "tabs": lambda folder: ur.read_tsv(CSV.encode()),
    "as a source": lambda folder: ur.as_source(ur.read_csv(folder / "a.csv")),
    "kept as text": lambda folder: ur.read_csv(io.StringIO(CSV), texts=["v"]),
}


@pytest.mark.parametrize("way", AT_HAND)
def test_a_column_learnt_as_text_is_as_written_in_the_file(way, model, folder):
    want = model.predict_proba([{"v": written} for written in WRITTEN])
    table = AT_HAND[way](folder)
    np.testing.assert_array_equal(model.predict_proba(table), want)
    assert (table.frame["v"].dtype.is_float()) is (way != "kept as text")


LOST = {
    "open file": lambda folder: ur.read_csv(io.StringIO(CSV)),
    "some rows": lambda folder: ur.read_csv(folder / "a.csv").select([0, 2]),
    "a part": lambda folder: ur.read_csv(folder / "a.csv").split(test=0.4)[1],
}


@pytest.mark.parametrize("way", LOST)
def test_what_cannot_be_read_again_is_refused_with_what_to_do(way, model, folder):
    with pytest.raises(DataError, match=r"column 'v': expected text.* spelling is lost; .*texts=\['v'\]"):
        model.predict(LOST[way](folder))


def test_a_file_that_changed_meanwhile_is_refused(model, tmp_path):
    (tmp_path / "a.csv").write_text(CSV)
    table = ur.read_csv(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("v\n1.10\n")
    with pytest.raises(DataError, match="received 1 rows where there were 5"):
        model.predict(table)


def test_true_and_false_are_as_written(model):
    want = model.predict_proba([{"v": "true"}, {"v": "True"}])
    np.testing.assert_array_equal(model.predict_proba(ur.read_csv(b"v\ntrue\nTrue\n")), want)
    assert not np.array_equal(want[0], want[1])


def test_series_and_items_are_found_by_their_names_as_written():
    days = "".join(f"{shop},2024-01-{day:02},{day % 7}\n" for shop in ("1.10", "1.9", "A") for day in range(1, 32))
    names = {"time": "day", "group": "shop"}
    model = ur.Forecaster(hidden_size=4, horizon=1).fit(ur.read_csv(f"shop,day,y\n{days}".encode(), **names), **FAST)
    one = b"shop,day,y\n" + "".join(line + "\n" for line in days.split("\n") if line.startswith("1.10")).encode()
    for table in (ur.read_csv(one, **names), ur.read_csv(one), ur.as_source(ur.read_csv(one), **names)):
        assert model.predict(table)["shop"].to_list() == ["1.10"]
        assert model.report_["unseen series"] == 0
    bought = [{"user": user, "item": item} for user in range(12) for item in ("1.10", "1.9", "A", "B")]
    shop = ur.Recommender(hidden_size=4, embedding_size=4).fit(bought, **FAST)
    shop.predict(ur.read_csv(b"user,item\n7,1.10\n7,1.9\n"))
    assert shop.report_["unknown"] == 0


def test_numbers_that_were_learnt_as_numbers_are_not_read_again(model, folder):
    numbers = ur.Classifier(ur.Characters("t"), "n", hidden_size=4).fit({"t": ["a", "b"] * 8, "n": [1, 2] * 8}, **FAST)
    table = ur.read_csv(io.StringIO("t,n\na,1\nb,2\n"))
    assert len(numbers.predict(table)) == 2
    assert numbers.evaluate(table).n == 2
