"""Calendars of trade and science: each is learnt from its times alone, named, kept in JSON and continued exactly."""

import datetime as dt
from calendar import monthrange

import numpy as np
import pytest

from unrolled.data.calendars.calendar import Calendar
from unrolled.data.calendars.calendar_search import infer_calendar
from unrolled.data.calendars.calendars import refuse_far
from unrolled.errors import DataError

MONTHS = [(2019 + count // 12, count % 12 + 1) for count in range(60)]
WEEK = dt.timedelta(weeks=1)


def days(count: int, start: dt.date = dt.date(2024, 1, 1)) -> list[dt.date]:
    return [start + dt.timedelta(days=day) for day in range(count)]


def weekday_of_month(year: int, month: int, weekday: int, place: int) -> dt.date:
    return [dt.date(year, month, day) for day in range(1, 29) if dt.date(year, month, day).weekday() == weekday][
        place - 1
    ]


def last_day(year: int, month: int) -> dt.date:
    return dt.date(year, month, monthrange(year, month)[1])


def working_day_before(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=max(0, day.weekday() - 4))


def fiscal(years: int, long_year: int | None = None) -> list[dt.date]:
    weeks = [count for year in range(years) for count in (4, 4, 5) * 3 + (4, 4, 6 if year == long_year else 5)]
    return [dt.date(2019, 12, 28) + WEEK * int(total) for total in np.cumsum(weeks)]


def market(first: int, count: int, minutes: range) -> list[dt.datetime]:
    open_days = [day for day in days(count, dt.date(2024, 1, first)) if day.weekday() < 5]
    return [dt.datetime(day.year, day.month, day.day) + dt.timedelta(minutes=at) for day in open_days for at in minutes]


KINDS = {  # times with more than enough at the end to compare, and words of the description
    "two weeks of working days": ([day for day in days(24) if day.weekday() < 5], "daily, Monday to Friday"),
    "three weeks without Sundays": ([day for day in days(30) if day.weekday() < 6], "daily, Monday to Saturday"),
    "two weeks of a market": (market(1, 18, range(570, 960)), "every minute, 9:30 to 15:59, Monday to Friday"),
    "4-4-5": (fiscal(6), "every 4, 4 and 5 weeks in turn"),
    "4-4-5 with a year of 53 weeks": (fiscal(6, long_year=2), "every 4, 4 and 5 weeks in turn"),
    "days of a satellite": ([dt.date(year, 1, 1) + dt.timedelta(days=day) for year in range(2019, 2024)
                             for day in range(0, 365, 16)], "every 16 days, from each January 1"),
    "weeks of a year": ([dt.date(year, 1, 1) + WEEK * week for year in range(2019, 2024) for week in range(52)],
                        "weekly, from each January 1"),
    "pentads": ([dt.date(*month, day) for month in MONTHS for day in (1, 6, 11, 16, 21, 26)], "6 times every month"),
    "pay days": ([working_day_before(day) for month in MONTHS for day in (dt.date(*month, 15), last_day(*month))],
                 "or the previous working day"),
    "second and fourth Tuesday": ([weekday_of_month(*month, 1, place) for month in MONTHS for place in (2, 4)],
                                  "on the second Tuesday and the fourth Tuesday"),
    "third Wednesday of quarters": ([weekday_of_month(*month, 2, 3) for month in MONTHS if month[1] % 3 == 0],
                                    "quarterly, on the third Wednesday"),
    "summers": ([dt.date(year, month, 1) for year in range(2010, 2024) for month in (6, 7, 8)], "June to August"),
    "growing seasons": ([day for day in days(2100, dt.date(2018, 1, 1)) if 4 <= day.month <= 9],
                        "daily, April to September"),
    "school days": ([day for day in days(1033, dt.date(2021, 9, 1)) if day.weekday() < 5 and day.month not in (7, 8)],
                    "daily, Monday to Friday, September to June"),
    "school years": ([last_day(*month) for month in MONTHS if month[1] not in (7, 8)], "September to June"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_an_uneven_calendar_is_named_and_continued(kind):
    times, words = KINDS[kind]
    moments = np.array(times, "M8[us]")
    ahead = min(12, len(moments) // 4)
    calendar = infer_calendar(moments[:-ahead])
    assert words in str(calendar)
    again = Calendar.from_json(calendar.to_json())
    assert again == calendar
    assert (again.after(moments[-ahead - 1], np.arange(1, ahead + 1)) == moments[-ahead:]).all()
    assert (again.gaps(moments[:-ahead]) == 1).all()


def test_a_month_that_is_missing_once_is_a_gap():
    missing = [day for day in days(800) if (day.year, day.month) != (2025, 3)]
    assert str(infer_calendar(np.array(missing, "M8[us]"))) == "daily, 31 of 800 days missing"


def test_few_rows_and_chance_close_no_day():
    rng = np.random.default_rng(0)
    closed = 0
    for _ in range(200):
        every = days(20)
        kept = [every[0], *(day for day in every[1:-1] if rng.random() > 0.1), every[-1]]
        closed += "Monday" in str(infer_calendar(np.array(kept, "M8[us]")))
    assert closed <= 6  # of 200


@pytest.mark.parametrize("far", [dt.date(9999, 12, 31), dt.date(1900, 1, 1), dt.date(1, 1, 1)])
def test_a_time_far_from_all_others_is_refused_with_its_date(far):
    with pytest.raises(DataError, match=rf"series 'a': .*{far.isoformat()}"):
        refuse_far("a", np.unique(np.array([*days(60), far], "M8[us]")))


def test_a_gap_of_years_is_none_of_them():
    refuse_far(None, np.array([*days(40), *days(40, dt.date(2025, 1, 1))], "M8[us]"))
