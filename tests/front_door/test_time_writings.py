"""Everyday writings of times beside the usual ones: each is read right, or refused with the option that settles it."""

import datetime as dt

import polars as pl
import pytest

from unrolled.data.time_forms import TimeForm, read_times
from unrolled.data.time_options import TimeOptions
from unrolled.errors import DataError

DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=count) for count in range(60)]
HOURS = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=count) for count in range(72)]
MONTHS = [dt.date(2021 + count // 12, count % 12 + 1, 1) for count in range(36)]
QUARTERS = MONTHS[::3]
HALVES = MONTHS[::6]
WEEKS = [dt.date(2023, 1, 2) + dt.timedelta(weeks=count) for count in range(110)]
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
ITALIAN = ("lun", "mar", "mer", "gio", "ven", "sab", "dom")
WEEKDAYS = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")
NAMES = {
    "German": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "French": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "Spanish": "ene feb mar abr may jun jul ago sep oct nov dic",
    "Italian": "gen feb mar apr mag giu lug ago set ott nov dic",
    "Dutch": "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "Portuguese": "jan fev mar abr mai jun jul ago set out nov dez",
    "Swedish": "januari februari mars april maj juni juli augusti september oktober november december",
    "Finnish": "tammikuu helmikuu maaliskuu huhtikuu toukokuu kesäkuu heinäkuu elokuu syyskuu lokakuu "
    "marraskuu joulukuu",
    "Polish": "sty lut mar kwi maj cze lip sie wrz paź lis gru",
    "Czech": "leden únor březen duben květen červen červenec srpen září říjen listopad prosinec",
    "Croatian": "sij velj ožu tra svi lip srp kol ruj lis stu pro",
    "Romanian": "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "Greek": "Ιαν Φεβ Μαρ Απρ Μαΐ Ιουν Ιουλ Αυγ Σεπ Οκτ Νοε Δεκ",
    "Ukrainian": "січень лютий березень квітень травень червень липень серпень вересень жовтень листопад грудень",
    "Russian": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}


def read(values, **options) -> list:
    return read_times(pl.Series("t", values), TimeOptions(**options))[0].to_list()


def week(day: dt.date) -> tuple[int, int]:
    return day.isocalendar()[:2]


WRITTEN = {
    "first half": (HALVES, lambda day: f"{day.year}-H{1 + day.month // 7}"),
    "semester": (HALVES, lambda day: f"S{1 + day.month // 7} {day.year}"),
    "Halbjahr": (HALVES, lambda day: f"{1 + day.month // 7}. Halbjahr {day.year}"),
    "1Q of two digits": (QUARTERS, lambda day: f"Q{1 + day.month // 3}/{day:%y}"),
    "trimestre": (QUARTERS, lambda day: f"{day.year}-T{1 + day.month // 3}"),
    "Quartal": (QUARTERS, lambda day: f"{1 + day.month // 3}. Quartal {day.year}"),
    "Quarter": (QUARTERS, lambda day: f"Quarter {1 + day.month // 3} {day.year}"),
    "week without zero": (WEEKS, lambda day: "{}-W{}".format(*week(day))),
    "Kalenderwoche": (WEEKS, lambda day: "KW {1}/{0}".format(*week(day))),
    "week, year": (WEEKS, lambda day: "Week {1}, {0}".format(*week(day))),
    "week numbers": (WEEKS, lambda day: week(day)[0] * 100 + week(day)[1]),
    "span of days": (WEEKS, lambda day: f"{day} - {day + dt.timedelta(days=6)}"),
    "Roman quarters": (QUARTERS, lambda day: f"{ROMAN[day.month // 3]}/{day.year}"),
    "Polish quarters": (QUARTERS, lambda day: f"{ROMAN[day.month // 3]} kw. {day.year}"),
    "years and Roman quarters": (QUARTERS, lambda day: f"{day.year}-{ROMAN[day.month // 3]}"),
    "Roman months": (MONTHS, lambda day: f"{ROMAN[day.month - 1]}.{day.year}"),
    "days and Roman months": (DAYS, lambda day: f"{day.day}.{ROMAN[day.month - 1]}.{day.year}"),
    "quarters of short years": (QUARTERS, lambda day: f"{day:%y}Q{1 + day.month // 3}"),
    "halves of short years": (HALVES, lambda day: f"{day:%y}H{1 + day.month // 7}"),
    "months of the BLS": (MONTHS, lambda day: f"{day.year} M{day.month:02}"),
    "quarters of the BLS": (QUARTERS, lambda day: f"{day.year} Q0{1 + day.month // 3}"),
    "months of CBS": (MONTHS, lambda day: f"{day.year}MM{day.month:02}"),
    "quarters of CBS": (QUARTERS, lambda day: f"{day.year} {1 + day.month // 3}e kwartaal"),
    "years of SDMX": ([day for day in MONTHS if day.month == 1], lambda day: f"{day.year}-A1"),
    "months after colons": (MONTHS, lambda day: f"{day.year}:{day.month:02}"),
    "days of years in SDMX": (DAYS, lambda day: f"{day:%Y-D%j}"),
    "months as decimals": (MONTHS, lambda day: float(f"{day.year}.{day.month:02}")),
    "months as turned decimals": (MONTHS, lambda day: float(f"{day.month}.{day.year}")),
    "months as text of decimals": (MONTHS, lambda day: f"{day.month:02}.{day.year}"),
    "months without zero": (MONTHS, lambda day: f"{day.year}.{day.month}"),
    "months in digits": (MONTHS, lambda day: day.month * 10_000 + day.year),
    "days in digits": (DAYS, lambda day: int(f"{day:%d%m%Y}")),
    "American days in digits": (DAYS, lambda day: f"{day:%m%d%Y}"),
    "hours in digits": (HOURS, lambda time: int(f"{time:%Y%m%d%H}")),
    "milliseconds in digits": (HOURS, lambda time: int(f"{time:%Y%m%d%H%M%S}250") - 250),
    "milliseconds in digits of text": (HOURS, lambda time: f"{time:%Y%m%d%H%M%S}000"),
    "blanks after points": (DAYS, lambda day: f"{day.day}. {day.month}. {day.year}"),
    "Japanese clock": (HOURS, lambda time: f"{time.year}年{time.month}月{time.day}日 {time.hour}時00分"),
    "Chinese halves of the day": (HOURS, lambda time: f"{time:%Y/%m/%d} {'上下'[time.hour > 11]}午{time:%I:%M:%S}"),
    "Korean halves of the day": (HOURS, lambda time: f"{time:%Y. %m. %d.} 오{'전후'[time.hour > 11]} {time:%I:%M:%S}"),
    "German halves of the day": (HOURS, lambda time: f"{time:%d.%m.%Y %I:%M} "
                                                     f"{('vorm.', 'nachm.')[time.hour > 11]}"),
    "Greek halves of the day": (HOURS, lambda time: f"{time:%d/%m/%Y %I:%M} {'πμ'[time.hour > 11]}.μ."),
    "Arabic digits": (DAYS, lambda day: f"{day}".translate({48 + n: 0x0660 + n for n in range(10)})),
    "Spanish halves of the day": (HOURS, lambda time: f"{time:%d/%m/%Y %I:%M} {'ap'[time.hour > 11]}. m."),
    "French hours": (HOURS, lambda time: f"{time:%d/%m/%Y %Hh%M}"),
    "German hours": (HOURS, lambda time: f"{WEEKDAYS[time.weekday()]}. {time:%d.%m.%Y %H:%M} Uhr"),
    "span of hours": (HOURS, lambda time: f"{time:%d.%m.%Y %H:%M}-{time + dt.timedelta(hours=1):%H:%M}"),
    "ISO interval": (HOURS, lambda time: f"{time.isoformat()}/{(time + dt.timedelta(hours=1)).isoformat()}"),
    "end of a day": (HOURS, lambda time: f"{time - dt.timedelta(hours=1):%Y-%m-%d} {(time.hour - 1) % 24 + 1:02}:00"),
    "SAS": (HOURS, lambda time: f"{time:%d%b%Y:%H:%M:%S}".upper()),
    "Italian weekdays": (DAYS, lambda day: f"{ITALIAN[day.weekday()]} {day.day} "
                                           f"{('gen', 'feb')[day.month - 1]} {day.year}"),
    "French first day": (DAYS, lambda day: f"{day.day}{'er' * (day.day == 1)} "
                                           f"{('janvier', 'février')[day.month - 1]} {day.year}"),
    "Hungarian": (DAYS, lambda day: f"{day.year}. {('január', 'február')[day.month - 1]} {day.day}."),
    "Korean": (DAYS, lambda day: f"{day.year}년 {day.month}월 {day.day}일"),
    "log file": (HOURS, lambda time: f"[{time:%Y-%m-%d %H:%M:%S,%f}]"),
    "camera": (HOURS, lambda time: f"{time:%Y:%m:%d %H:%M:%S}"),
    "DB2": (HOURS, lambda time: f"{time:%Y-%m-%d-%H.%M.%S.%f}"),
    "file name": (HOURS, lambda time: f"{time:%Y%m%d_%H%M%S}"),
    "copied from Windows": (DAYS, lambda day: f"\u200e{day:%d.%m.%Y}"),
    "full-width digits": (DAYS, lambda day: f"{day}".translate({48 + n: 0xFF10 + n for n in range(10)})),
    "Japanese months": (MONTHS, lambda day: f"{day.year}年{day.month}月"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRITTEN)
def test_an_everyday_writing_is_read_and_its_form_reads_one_later_value(kind):
    times, write = WRITTEN[kind]
    found, form = read_times(pl.Series("t", [write(time) for time in times]))
    assert found.to_list() == times
    again = TimeForm.from_json(form.to_json())
    later = [write(times[place]) for place in (1, 2)]
    assert again.parse(pl.Series("t", later)).to_list() == times[1:3]
    assert again.parse_one(later[1]) == times[2]


@pytest.mark.parametrize("language", NAMES)
@pytest.mark.parametrize("form", ["{1} {0.year}", "{0.day}. {1} {0.year}", "{0.year} {1}"])
def test_months_of_european_languages_are_read(language, form):
    names = NAMES[language].split()
    texts = [form.format(day, names[day.month - 1]) for day in MONTHS]
    assert read(texts) == MONTHS


def test_a_name_of_two_months_is_refused_unless_the_column_shows_its_language():
    with pytest.raises(DataError, match=r"'1 lis 2024' in row 0, which is nov in Polish and oct in Croatian"):
        read(["1 lis 2024"])
    names = NAMES["Croatian"].split()
    form = read_times(pl.Series("t", [f"{names[day.month - 1]} {day.year}" for day in MONTHS]))[1]
    assert form.parse_one("lis 2024") == dt.date(2024, 10, 1)


REFUSED = {
    "syslog": ([f"{time:%b %d %H:%M:%S}" for time in HOURS], "received 'Jan 01 00:00:00' in row 0"),
    "total": ([*(f"{day:%d.%m.%Y}" for day in DAYS), "Total"], "'Total' in row 60; leave out rows that are no times"),
    "objects of times of day": ([dt.time(10), dt.time(11)], "give the date as well"),
    "time of day": (["10:00", "11:00"], "give the date as well"),
    "durations": (["0 days 10:00:00", "1 days 10:00:00"], "give the date as well"),
    "years and months of two digits": ([int(f"{day:%y%m}") for day in MONTHS], "after 2112 comes 2201"),
    "days of years": ([int(f"{day:%Y%j}") for day in DAYS], 'give unit="number"'),
    "quarters in one digit": ([day.year * 10 + 1 + day.month // 3 for day in QUARTERS], "after 20214 comes 20221"),
    "weeks of one year": ([202301 + count for count in range(40)], 'give unit="number"'),
    "short days": ([int(f"{day:%d%m%y}") for day in DAYS], 'give time_format="%d%m%y"'),
    "quarters as decimals": ([day.year + (1 + day.month // 3) / 10 for day in QUARTERS], 'give unit="number"'),
    "thirds of a year": ([f"{2021 + count // 3}T{count % 3 + 1}" for count in range(9)], "none is a fourth"),
    "ticks": ([638_396_640_000_000_000 + 36_000_000_000 * count for count in range(9)], "ticks of .NET"),
    "spreadsheet mixed the order": ([f"{day:%d/%m/%Y}" if day.day < 13 else f"{day:%m/%d/%Y}" for day in DAYS],
                                    "days and months in one order"),
    "SAP without a date": (["20240101", "20240102", "00000000", "20240104"], "'0' in row 2"),
    "no date in digits": ([20_240_101, 20_240_102, 0], "'0' in row 2"),
    "fiscal quarters": ([f"FY{day.year}-Q{1 + day.month // 3}" for day in QUARTERS], "the first day of each quarter"),
    "quarters of fiscal years": ([f"Q{1 + day.month // 3}FY{day:%y}" for day in QUARTERS], "the first day of each"),
    "Roman quarters or months": (["I/2024", "II/2024", "III/2024"], "write quarters as 2024-Q1, or months as 2024-01"),
    "weeks like months": ([f"2024-{week:02}" for week in range(1, 53)], 'write weeks as 2024-W05'),
    "periods of a ledger": ([f"{day.month:03}.{day.year}" for day in MONTHS], "name the format with time_format="),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_may_mean_something_else_is_refused_with_a_remedy(kind):
    values, said = REFUSED[kind]
    with pytest.raises(DataError) as fault:
        read(values)
    assert said in str(fault.value)


def test_numbers_that_count_are_no_dates():
    for values in (range(12_021, 12_400), range(1_012_000, 1_012_300), range(10_101, 10_400), range(45_292, 45_500),
                   range(1_950, 2_030), range(100, 700), [1990.5 + count / 4 for count in range(40)]):  # fmt: skip
        assert read(list(values)) == list(values)


def test_weeks_are_read_by_a_format_without_a_weekday():
    assert read(["2024-05", "2024-06"], time_format="%G-%V") == [dt.date(2024, 1, 29), dt.date(2024, 2, 5)]


def test_marks_of_missing_times_are_missing():
    assert read(["2024-01-01", "NaT", "n/a", "-", "2024-01-05"])[1:4] == [None] * 3
