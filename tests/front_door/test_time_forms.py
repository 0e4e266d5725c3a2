"""How times are read: the form is learnt over the whole column, doubt is refused, later values follow the form."""

import datetime as dt
import random

import polars as pl
import pytest

import unrolled as ur
from unrolled.data.time_forms import TimeForm, learn_form, read_times
from unrolled.data.time_options import TimeOptions
from unrolled.errors import ArtifactError, DataError, OptionError

DAY = dt.date(2024, 1, 15)
TEN = dt.datetime(2024, 1, 15, 10, 0)
UTC = dt.datetime(2024, 1, 15, 9, 0, tzinfo=dt.UTC)  # ten o'clock one hour east of Greenwich
MONTHS = [f"01/{month:02}/{year}" for year in (2021, 2022, 2023) for month in range(1, 13)]


def read(values, **options):
    return read_times(pl.Series("t", values), TimeOptions(**options))[0]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("2024-01-15", DAY), ("2024/1/15", DAY), ("2024.01.15", DAY), ("2024年1月15日", DAY), ("20240115", DAY),
        ("15/01/2024", DAY), ("15.01.2024", DAY), ("15-1-2024", DAY), ("01/15/2024", DAY), ("1/15/24", DAY),
        ("15.01.24", DAY), ("Jan 15, 2024", DAY), ("15 January 2024", DAY), ("15-JAN-24", DAY), ("15-Jan-2024", DAY),
        ("Monday, January 15, 2024", DAY), ("January 15th, 2024", DAY), ("2024-W03-1", DAY), ("2024W03", DAY),
        ("2024-015", DAY), ("2024-01-15/2024-01-21", DAY), ("1991 Jul", dt.date(1991, 7, 1)),
        ("Jul 1991", dt.date(1991, 7, 1)),
        ("Jul-91", dt.date(1991, 7, 1)), ("July 1991", dt.date(1991, 7, 1)), ("1970 Q2", dt.date(1970, 4, 1)),
        ("1970Q2", dt.date(1970, 4, 1)), ("Q2 1970", dt.date(1970, 4, 1)), ("2Q70", dt.date(1970, 4, 1)),
        ("2024-05", dt.date(2024, 5, 1)), ("05/2024", dt.date(2024, 5, 1)), ("2024M05", dt.date(2024, 5, 1)),
        ("202405", dt.date(2024, 5, 1)), ("1990", dt.date(1990, 1, 1)),
        (" 2024-01-15 10:00 ", TEN), ("2024-01-15T10:00:00.000", TEN), ("2024-01-15 10:00:00,000", TEN),
        ("15/01/2024 10:00", TEN), ("15.01.2024 10:00:00", TEN), ("1/15/2024 10:00 AM", TEN),
        ("1/15/2024, 10:00:00\u202fAM", TEN), ("15-JAN-24 10.00.00.000000 AM", TEN), ("202401151000", TEN),
        ("20240115T100000", TEN), ("10:00 15/01/2024", TEN), ("Mon Jan 15 10:00:00 2024", TEN),
        ("2024-01-15 10:00:00+01:00", UTC), ("2024-01-15 10:00:00+0100", UTC), ("2024-01-15 10:00:00+01", UTC),
        ("2024-01-15 09:00:00 UTC", UTC), ("2024-01-15T09:00:00Z", UTC), ("2024-01-15T10:00:00.000000+01:00", UTC),
        ("Mon, 15 Jan 2024 10:00:00 +0100", UTC), ("15/Jan/2024:10:00:00 +0100", UTC),
        ("Mon Jan 15 2024 10:00:00 GMT+0100 (Central European Standard Time)", UTC),
        ("2024-01-15T10:00+01:00[Europe/Berlin]", UTC), ("20240115T090000Z", UTC),
    ],
)  # fmt: skip
def test_every_usual_writing_is_read(text, want):
    assert read([text]).to_list() == [want]


def test_parts_that_some_rows_leave_out_are_zero():
    assert read(["2024-01-15", "2024-01-15 10:00"]).to_list() == [dt.datetime(2024, 1, 15), TEN]
    assert read(["2024-01-15 10:00:00.5", "2024-01-15 10:00:00"]).to_list()[1] == TEN
    assert read(["2024-01-15", "", None]).to_list() == [DAY, None, None]


def test_the_end_of_a_day_is_the_next_midnight():
    assert read(["2024-01-15 23:00", "2024-01-15 24:00"])[1] == dt.datetime(2024, 1, 16)
    with pytest.raises(DataError, match=r"25:00' in row 0"):
        read(["2024-01-15 25:00"])


@pytest.mark.parametrize(
    "text", ["yesterday", "2024-02-30", "0000-01-01", "31/31/2024", "2024-01-15 10:61", "12-00", "2024-W60"]
)
def test_what_is_no_time_is_refused_with_its_row(text):
    with pytest.raises(DataError, match=r"column 't': .* in row 0; name the format with time_format="):
        read([text])


@pytest.mark.parametrize("place", ["Europe", "Etc/passwd", "nowhere"])
def test_a_zone_of_an_unknown_name_is_refused(place):
    with pytest.raises(DataError, match=rf"column 't': expected .* received '.*{place}"):
        read([f"2024-01-15T10:00+01:00[{place}]"])


# ---- order of day and month ----------------------------------------------------------------------


def test_the_order_that_makes_the_steps_regular_is_taken():
    times, form = read_times(pl.Series("t", MONTHS))
    assert times.to_list() == [dt.date(year, month, 1) for year in (2021, 2022, 2023) for month in range(1, 13)]
    assert form.order == "day"
    american = [f"{text[3:5]}/{text[:2]}/{text[6:]}" for text in MONTHS]
    assert read_times(pl.Series("t", american))[0].equals(times)


def test_steps_are_regular_within_each_series():
    values = pl.Series("t", MONTHS[:26] + MONTHS[:26])
    names = pl.Series("g", ["a"] * 26 + ["b"] * 26)
    assert read_times(values, None, names)[1].order == "day"


def test_a_single_value_beyond_twelve_decides_for_all():
    assert read(["05/04/2024", "06/04/2024", "13/04/2024"])[0] == dt.date(2024, 4, 5)


@pytest.mark.parametrize("texts", [MONTHS[:12], ["05/04/2024"], ["1/2/24 10:00", "5/7/24 11:00", "9/3/24 12:00"]])
def test_doubt_about_the_order_is_refused_with_the_option_that_settles_it(texts):
    with pytest.raises(DataError, match=r"day_first="):
        read(texts)
    for first in (True, False):
        assert read(texts, day_first=first).null_count() == 0


def test_values_that_both_orders_read_alike_are_read():
    assert read(["01/01/2020", "02/02/2020"]).to_list() == [dt.date(2020, 1, 1), dt.date(2020, 2, 2)]


def test_points_are_written_with_the_day_first():
    assert read(["01.02.2024", "02.02.2024", "03.02.2024"])[0] == dt.date(2024, 2, 1)


@pytest.mark.parametrize("form", ["%d/%m/%y", "%m/%d/%y", "%y-%m-%d", "%d-%m-%y", "%y/%m/%d"])
def test_years_of_two_digits_are_of_this_century_in_every_order(form):
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=count) for count in range(60)]
    assert read([f"{day:{form}}" for day in days]).to_list() == days


def test_six_digits_that_may_be_dates_are_refused_unless_an_option_says_what_they_are():
    for values in ([240131, 240201], ["240131", "240201"]):
        with pytest.raises(DataError, match='time_format="%y%m%d"'):
            read(values)
        assert read(values, time_format="%y%m%d")[0] == dt.date(2024, 1, 31)
        assert read(values, unit="number")[0] == 240131


def test_years_of_two_digits_turn_as_in_strptime():
    assert [day.year for day in read(["31/12/44", "31/12/69"], day_first=True)] == [2044, 1969]
    assert [day.year for day in read(["31/12/68", "31/12/69"], time_format="%d/%m/%y")] == [2068, 1969]
    with pytest.raises(DataError, match="'31/12/68' in row 0, which would be the year 2068; write 1968 or 2068"):
        read(["31/12/68", "31/12/69"], day_first=True)


def test_a_month_with_two_digits_may_be_a_day_without_a_year():
    months = [f"{name}-{year}" for year in ("05", "06") for name in ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
                                                                    "Aug", "Sep", "Oct", "Nov", "Dec")]  # fmt: skip
    assert read(months)[12] == dt.date(2006, 1, 1)
    with pytest.raises(DataError, match="day or a month"):
        read([f"Jan {day:02}" for day in range(1, 32)])


# ---- numbers -------------------------------------------------------------------------------------


def test_whole_numbers_of_dates_are_dates():
    assert read([20240331, 20240401]).to_list() == [dt.date(2024, 3, 31), dt.date(2024, 4, 1)]
    assert read([202412, 202501]).to_list() == [dt.date(2024, 12, 1), dt.date(2025, 1, 1)]
    assert read([20240331.0, None])[0] == dt.date(2024, 3, 31)


@pytest.mark.parametrize("values", [[1, 2, 3], [0.5, 1.5], [1990, 1991], [20240350, 20240351], [202413, 202414]])
def test_other_numbers_stay_numbers(values):
    assert read(values).to_list() == values


@pytest.mark.parametrize("size", [1, 10**3, 10**6, 10**9])
def test_epochs_of_every_unit_are_times_in_utc(size):
    texts = [str(1_705_309_200 * size), str(1_705_312_800 * size)]
    for values in ([int(text) for text in texts], texts, [float(text) for text in texts]):
        assert read(values)[0] == UTC
    assert read([int(text) for text in texts], unit="number").to_list() == [int(text) for text in texts]


def test_mixed_units_are_refused_with_both_rows():
    with pytest.raises(DataError, match=r"row 0 \(seconds\) beside .* in row 1 \(milliseconds\)"):
        read([1_705_309_200, 1_705_309_200_000])
    with pytest.raises(DataError, match=r"beside 0 in row 20"):
        read([*range(1_705_309_200, 1_705_309_220), 0])


def test_days_of_a_spreadsheet_are_read_with_their_unit():
    assert read([45306, 45307], unit="excel")[0] == DAY
    assert read([45306 + 10 / 24], unit="excel")[0] == TEN
    with pytest.raises(DataError, match="zone='UTC' is given"):
        read([45306], zone="UTC")


# ---- zones ---------------------------------------------------------------------------------------


def test_the_zone_of_a_column_is_kept_and_zone_converts_to_another():
    berlin = pl.Series("t", [TEN]).dt.replace_time_zone("Europe/Berlin")
    assert read_times(berlin)[0].dtype == pl.Datetime("us", "Europe/Berlin")
    assert read_times(berlin, TimeOptions(zone="Asia/Tokyo"))[0].dt.hour().to_list() == [18]
    assert read(["2024-01-15 10:00"], zone="Europe/Berlin")[0] == UTC
    assert read(["2024-01-15", "2024-01-16"], zone="Europe/Berlin").dtype == pl.Date


def test_an_hour_that_the_clocks_repeat_is_read_in_order_and_one_left_out_is_refused():
    hours = ["2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 02:00", "2024-10-27 03:00"]
    assert read(hours, zone="Europe/Berlin").diff().drop_nulls().dt.total_hours().to_list() == [1, 1, 1]
    with pytest.raises(DataError, match="in row 0, which the clocks leave out"):
        read(["2024-03-31 02:30"], zone="Europe/Berlin")


def test_times_with_and_without_a_zone_are_refused_unless_the_zone_is_given():
    texts = ["2024-01-15 10:00:00+01:00", "2024-01-15 11:00:00"]
    with pytest.raises(DataError, match=r"row 1 without one and row 0 with one; .*zone="):
        read(texts)
    assert read(texts, zone="Europe/Berlin").dt.hour().to_list() == [10, 11]


# ---- later values --------------------------------------------------------------------------------


def test_later_values_are_read_by_the_form_that_was_learnt():
    form = learn_form(pl.Series("t", ["13/04/2024", "14/04/2024"]))
    assert form.parse_one("10/04/2024") == dt.date(2024, 4, 10)
    assert form.parse_one("2024-05-01") == dt.date(2024, 5, 1)
    with pytest.raises(DataError, match=r"the day first.*'04/15/2024' in row 0"):
        form.parse_one("04/15/2024")


def test_a_form_survives_json_and_damage_is_refused():
    for values in (["13/04/2024"], [1_705_309_200], [1, 2], ["2024-01-15T10:00:00+01:00"]):
        form = learn_form(pl.Series("t", values))
        assert TimeForm.from_json(form.to_json()) == form
    with pytest.raises(ArtifactError, match="form of times"):
        TimeForm.from_json({"kind": "moon"})


@pytest.mark.parametrize(
    ("learnt", "later", "words"),
    [
        ([1, 2, 3], "2024-01-15", "numbers, as in training"),
        (["2024-01-15"], 7, "dates and times, as in training"),
        (["2024-01-15 10:00"], "2024-01-15 10:00:00+01:00", "without a zone"),
        ([1_705_309_200], 1_705_309_200_000, "seconds since 1970, as in training"),
        (["2024-01-15"], None, "received"),
        (["2024-01-15"], [1], "received"),
    ],
)
def test_later_values_of_another_kind_are_refused(learnt, later, words):
    with pytest.raises(DataError, match=words):
        learn_form(pl.Series("t", learnt)).parse_one(later)


def test_later_times_are_local_times_of_the_learnt_zone():
    form = learn_form(pl.Series("t", [TEN]).dt.replace_time_zone("Europe/Berlin"))
    assert form.parse_one("2024-01-15 10:00") == form.parse_one("2024-01-15T09:00:00Z") == UTC
    assert form.seconds_of_one(TEN) == form.seconds_of_one(int(UTC.timestamp())) == UTC.timestamp()
    assert form.local_second(0.0) == 3600.0


# ---- options of the readers ----------------------------------------------------------------------


def test_every_reader_takes_the_options(tmp_path):
    frame = pl.DataFrame({"day": ["05/04/2024", "06/04/2024"], "y": [1.0, 2.0]})
    frame.write_csv(tmp_path / "a.csv")
    frame.write_csv(tmp_path / "a.tsv", separator="\t")
    frame.write_ndjson(tmp_path / "a.jsonl")
    frame.write_parquet(tmp_path / "a.parquet")
    tables = [ur.read(tmp_path / f"a.{suffix}", time="day", day_first=True) for suffix in
              ("csv", "tsv", "jsonl", "parquet")]  # fmt: skip
    tables.append(ur.as_source(frame, time="day", time_format="%d/%m/%Y"))
    tables.append(ur.read_csv(tmp_path / "a.csv", time="day", time_form=tables[0].time_form))
    for table in tables:
        assert table.frame["day"].to_list() == [dt.date(2024, 4, 5), dt.date(2024, 4, 6)]
    assert ur.as_source(ur.as_source(frame, day_first=True), time="day").frame["day"][0] == dt.date(2024, 4, 5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"zone": "Mars/Crater"}, "zone: expected the name of a zone"),
        ({"unit": "fortnights"}, "unit"),
        ({"time_format": "dd.mm.yyyy"}, "time_format: expected a format of strptime"),
        ({"day_first": 1}, "day_first"),
        ({"dayfirst": True}, "day_first"),
        ({"time_form": "x"}, "time_form"),
        ({"time_form": TimeForm("date"), "zone": "UTC"}, "beside it"),
    ],
)
def test_options_that_cannot_be_are_refused(options, words):
    with pytest.raises(OptionError, match=words):
        ur.as_source({"t": ["2024-01-15"], "y": [1.0]}, time="t", **options)


@pytest.mark.parametrize(
    ("text", "form", "want"),
    [
        ("15_01_24", "%d_%m_%y", DAY),
        ("Jan/24", "%b/%y", dt.date(2024, 1, 1)),
        ("15.01.2024 10", "%d.%m.%Y %H", TEN),
        ("2024-01-15T10:00:00.000+0100", "%Y-%m-%dT%H:%M:%S.%f%z", UTC),
        (20240115, "%Y%m%d", DAY),
    ],
)
def test_a_format_of_strptime_reads_what_it_says(text, form, want):
    assert read([text], time_format=form)[0] == want
    with pytest.raises(DataError, match="in the format"):
        read(["x"], time_format=form)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+02:00"])
def test_a_long_column_is_read_like_its_rows(form):
    times = pl.Series("t", [TEN + dt.timedelta(hours=hour) for hour in range(2500)]).dt.to_string(form)
    long, learnt = read_times(times)
    short, other = read_times(times[:100])
    assert long[:100].equals(short)
    assert learnt == other


def test_split_at_compares_local_times():
    table = ur.as_source({"t": pl.Series([TEN, dt.datetime(2024, 1, 15, 11)]).dt.replace_time_zone("Europe/Berlin"),
                          "y": [1.0, 2.0]}, time="t")  # fmt: skip
    for edge in ("2024-01-15 11:00", dt.datetime(2024, 1, 15, 11), "2024-01-15T10:00:00Z"):
        past, recent = table.split_at(edge)
        assert (len(past), len(recent)) == (1, 1)


STEPS = {"hours": dt.timedelta(hours=1), "days": dt.timedelta(days=1), "weeks": dt.timedelta(days=7)}
WRITTEN = ("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%y", "%m/%d/%y", "%y-%m-%d", "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p",
           "%d.%m.%y", "%Y%m%d", "%b-%y", "%d %b %Y", "%Y-%j", "%y/%m/%d %H:%M:%S")  # fmt: skip


@pytest.mark.parametrize("form", WRITTEN)
def test_a_column_is_read_as_it_was_written_or_refused_and_never_otherwise(form):
    rng = random.Random(form)
    right = 0
    for _ in range(20):
        start = dt.datetime(rng.randint(1995, 2030), rng.randint(1, 12), rng.randint(1, 28))
        count, kind = rng.choice([1, 3, 8, 20, 60]), rng.choice([*STEPS, "months", "quarters", "events"])
        if kind in STEPS:
            times = [start + step * STEPS[kind] for step in range(count)]
        elif kind == "events":
            times = sorted(start + dt.timedelta(hours=rng.randint(0, 9000)) for _ in range(count))
        else:
            months = [start.month - 1 + step * (1 if kind == "months" else 3) for step in range(count)]
            times = [start.replace(year=start.year + month // 12, month=month % 12 + 1) for month in months]
        texts = [time.strftime(form) for time in times]
        want = [dt.datetime.strptime(text, form) for text in texts]
        try:
            found = read(texts).cast(pl.Datetime("us")).to_list()
        except DataError:
            continue
        right += 1
        assert found == want, texts[:3]
    assert right > 5
