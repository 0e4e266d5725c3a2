"""Rows of databases are tables: any driver, any query, the widest kind of each column."""

import datetime as dt
import inspect
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

import unrolled as ur
from unrolled.errors import DataError, OptionError


@pytest.fixture
def shop():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("create table sales (day text, shop text, sold)")
        connection.executemany(
            "insert into sales values (?, ?, ?)",
            [("2024-01-02", "007", 2.5), ("2024-01-01", "007", 1), ("2024-01-01", "012", None)],
        )
        yield connection


def test_rows_have_the_widest_kinds_and_names_keep_their_zeros(shop):
    table = ur.read_sql("select shop, sold from sales", shop)
    assert table.frame.rows() == [("007", 2.5), ("007", 1.0), ("012", None)]


def test_times_and_series_are_named(shop):
    table = ur.read_sql("select * from sales", shop, time="day", group="shop")
    assert table.frame["sold"].to_list() == [1.0, 2.5, None]
    assert (table.time, table.group) == ("day", "shop")


def test_times_are_read_by_the_options_that_every_reader_has(shop):
    shop.execute("update sales set day = '03/02/2024'")
    days = ur.read_sql("select * from sales", shop, time="day", group="shop", day_first=True, zone="Asia/Tokyo").frame[
        "day"
    ]
    assert days[0] == dt.date(2024, 2, 3)
    with pytest.raises(OptionError, match="day_last"):
        ur.read_sql("select * from sales", shop, time="day", day_last=True)
    for name in (name for name in ur.__all__ if name.startswith("read") or name == "as_source"):
        words = inspect.signature(getattr(ur, name)).parameters
        assert "time" not in words or any(word.kind is word.VAR_KEYWORD for word in words.values()), name


def test_what_sqlite_mixes_is_text(shop):
    shop.execute("insert into sales values ('2024-01-03', '1', 'n/a')")
    assert ur.read_sql("select sold from sales", shop).frame["sold"].to_list() in (
        ["2.5", "1", None, "n/a"],
        [2.5, 1.0, None, None],
    )


class Driver:
    """A connection of another driver, with the common interface alone."""

    def __init__(self, rows):
        self.rows = rows

    def cursor(self):
        return self

    def execute(self, query):
        self.description = [("day", None), ("price", None)]

    def fetchall(self):
        return self.rows

    def close(self):
        pass


def test_every_driver_with_the_common_interface_is_read():
    rows = [(dt.date(2024, 1, 1), Decimal("1.50")), (dt.date(2024, 1, 2), None)]
    assert ur.read_sql("select", Driver(rows)).frame.rows() == [(dt.date(2024, 1, 1), 1.5), (dt.date(2024, 1, 2), None)]


def test_a_file_of_sqlite_is_read_by_its_address(tmp_path):
    path = tmp_path / "a b#c.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table t as select 1 as n")
        connection.commit()
    assert list(ur.read_sql("select n from t", f"sqlite:///{path}")) == [{"n": 1}]
    with pytest.raises(DataError, match=r"readonly|read-only"):
        ur.read_sql("delete from t returning n", f"sqlite:///{path}")
    with pytest.raises(DataError, match="database"):
        ur.read_sql("select 1", f"sqlite:///{tmp_path / 'none.db'}")
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("selekt", "syntax error"),
        ("select * from absent", "no such table: absent"),
        ("select 1 as a, 2 as a", "'a' twice"),
        ("select * from sales where sold > 100", "at least one row"),
        ("create table other (a)", "returns none"),
    ],
)
def test_a_query_that_gives_no_table_is_one_sentence(query, words, shop):
    with pytest.raises(DataError, match=words) as caught:
        ur.read_sql(query, shop)
    assert "\n" not in str(caught.value)


def test_something_else_than_a_connection_is_refused(shop):
    with pytest.raises(OptionError, match="an open connection"):
        ur.read_sql("select 1", 7)
    with pytest.raises(OptionError, match="query"):
        ur.read_sql(7, shop)
    with pytest.raises(DataError):
        ur.read_sql("select 1", "nowhere://host/db")


def test_a_model_is_fitted_on_a_query(shop):
    shop.executemany("insert into sales values (?, 'b', ?)", [(f"2024-01-{day:02}", day % 7) for day in range(1, 29)])
    table = ur.read_sql("select day, sold from sales where shop = 'b'", shop, time="day")
    model = ur.Forecaster("sold", horizon=1, hidden_size=4).fit(table, epochs=1, progress=False, baselines=False)
    assert str(model.predict()["day"][0])[:10] == "2024-01-29"
