"""Whole numbers and decimals whose digits are dates: 20240131, 202401, 31012024, 202405 of weeks, 2024.01."""

import polars as pl

_MOST = 0.9  # share of numbers that must be dates
_YEARS = (1900, 2100)
_MONTHS, _WEEKS, _DAYS_OF_YEAR = 12, 53, 366
_NO_DATES = (0, 99_991_231)  # 00000000 and 99991231 are days that are unknown or open
_QUARTERS = 6  # periods of a year that one digit may count
_FEW = 6  # numbers; fewer have the digits of months by chance
_OTHER_YEARS = (  # the years of 1900 to 2100 in other calendars
    (2443, 2643, "the Buddhist calendar, in which 2567 is 2024"),
    (1279, 1530, "the Persian or the Islamic calendar"),
    (90, 140, "the Republic of China, in which 113 is 2024"),
)
_DAY_LENGTHS = {8: 1, 10: 10**2, 12: 10**4, 14: 10**6, 17: 10**9}  # digits, and the size of those after the day


def digits_writing(numbers: pl.Series) -> str:
    """Return the name of the writing of whole numbers whose digits are dates of 1900 to 2100, "" for others.

    A few wrong ones among dates are refused where they are read.

    Example:
        >>> digits_writing(pl.Series([20240131, 20240201])), digits_writing(pl.Series([20240199]))
        ('20240131', '')
    """
    known = numbers.drop_nulls()
    known = known.filter(~known.is_in(_NO_DATES))  # refused where dates are read
    if not len(known) or int(known.min()) < 0 or int(known.max()) >= 10**14 * _YEARS[1]:  # type: ignore[arg-type]
        return ""
    low, high = int(known.min()), int(known.max())  # type: ignore[arg-type]
    for length, after in _DAY_LENGTHS.items():
        if _YEARS[0] * 10 ** (length - 4) < low and high < (_YEARS[1] + 1) * 10 ** (length - 4):
            day = known // after
            real = (day // 100 % 100).is_between(1, _MONTHS) & (day % 100).is_between(1, 31)
            return "20240131" if _mostly(real & _clock(known % after, after)) else ""
    if _YEARS[0] * 100 < low and high < (_YEARS[1] + 1) * 100:
        return _months_or_weeks(known)
    return _year_last(known)


def padded(numbers: pl.Series, writing: str) -> pl.Series:
    """Return whole numbers as texts in a writing, with the zeros in front that a number loses.

    Example:
        >>> padded(pl.Series([1022024]), "31012024").to_list()
        ['01022024']
    """
    return numbers.cast(pl.String).str.zfill(len(writing)) if writing in ("31012024", "012024") else numbers.cast(
        pl.String
    )  # fmt: skip


def decimal_months(numbers: pl.Series, learnt: bool = False) -> pl.Series | None:
    """Return decimals such as 2024.01 or 1.2024, whose digits are a year and a month, as texts; None for others.

    Args:
        numbers: the column.
        learnt: whether training had such decimals, so that a single one is known.

    Example:
        >>> decimal_months(pl.Series([2023.09, 2023.1, 2023.11, 2023.12, 2024.01, 2024.02])).to_list()[:2]
        ['2023.09', '2023.10']
    """
    known = numbers.drop_nulls()
    if (not learnt and known.n_unique() < _FEW) or float(known.min()) < 1 or float(known.max()) > _YEARS[1] + 1:  # type: ignore[arg-type]
        return None
    whole = known.floor()
    for places, month, year in ((2, (known - whole) * 100, whole), (4, whole, (known - whole) * 10_000)):
        near = month.round().is_between(1, _MONTHS) & year.round().is_between(*_YEARS)
        exact = ((month - month.round()).abs() < 1e-6) & ((year - year.round()).abs() < 1e-6)
        if (near & exact).all() and (learnt or month.round().n_unique() > 1):
            return pl.Series(numbers.name, [None if one is None else f"{one:.{places}f}" for one in numbers.to_list()])
    return None


def lost_zeros(numbers: pl.Series) -> bool:
    """Return whether decimals may be months or quarters written 2024.1 to 2024.12, of which 2024.10 has become 2024.1.

    Example:
        >>> lost_zeros(pl.Series([2023.1, 2023.2, 2023.3, 2023.4, 2024.1, 2024.2]))
        True
    """
    known = numbers.drop_nulls()
    if known.n_unique() < _FEW or float(known.min()) < _YEARS[0] or float(known.max()) > _YEARS[1]:  # type: ignore[arg-type]
        return False
    month = (known - known.floor()) * 100
    listed = [10, 11, 12, 20, 30, 40, 50, 60, 70, 80, 90]
    exact = (month - month.round()).abs() < 1e-6
    return bool((exact & month.round().cast(pl.Int64).is_in(listed)).all()) and known.floor().n_unique() > 1


def short_dates(numbers: pl.Series) -> str:
    """Return the format of whole numbers that may all be days of a year of two digits, such as 240131; "" for others.

    Example:
        >>> short_dates(pl.Series([240131, 240201])), short_dates(pl.Series([310124, 10224, 20224]))
        ('%y%m%d', '%d%m%y')
    """
    known = numbers.drop_nulls().unique()
    if len(known) < 2 or int(known.min()) < 10_100 or int(known.max()) > 991_231:  # type: ignore[arg-type]
        return ""
    first, middle, last = known // 10_000, known // 100 % 100, known % 100
    if int(known.min()) > 100_000 and (middle.is_between(1, _MONTHS) & last.is_between(1, 31)).all():  # type: ignore[arg-type]
        return "%y%m%d"
    turning = max(2, last.n_unique()) <= (known // 100).n_unique()  # a counter has many last digits
    for day, month, form in ((first, middle, "%d%m%y"), (middle, first, "%m%d%y")):
        if turning and (day.is_between(1, 31) & month.is_between(1, _MONTHS)).all():
            return form
    return ""


def other_years(numbers: pl.Series) -> str:
    """Return the calendar of whole numbers that may all be days or months of another calendar; "" for others.

    Example:
        >>> other_years(pl.Series([25670130, 25670131, 25670201])), other_years(pl.Series([25670199]))
        ('the Buddhist calendar, in which 2567 is 2024', '')
    """
    known = numbers.drop_nulls().unique()
    if len(known) < 2 or not known.is_between(0, 99_999_999).all():  # at most eight digits
        return ""
    known = known.cast(pl.Int64)
    for first, last, name in _OTHER_YEARS:
        for size in (10_000, 100):
            year, rest = known // size, known % size
            month, day = (rest // 100, rest % 100) if size > 100 else (rest, rest * 0 + 1)
            real = month.is_between(1, _MONTHS) & day.is_between(1, 32) & year.is_between(first, last)
            # a counter that passes a month has other digits as well; a single one has them by chance
            enough = (size > 100 and month.n_unique() > 1) or (first > 1000 and year.n_unique() > 1)
            if enough and real.all():
                return name
    return ""


def periods_of_years(numbers: pl.Series) -> tuple[int, int] | None:
    """Return two neighbours at a turn of the year, if numbers may count months, weeks, days or quarters of years.

    Such are 2312 and 2401, 20234 and 20241, 2023365 and 2024001: at every new year the count starts again.

    Example:
        >>> periods_of_years(pl.Series([20233, 20234, 20241, 20242])), periods_of_years(pl.Series([2399, 2400, 2401]))
        ((20234, 20241), None)
        >>> periods_of_years(pl.Series([2023300, 2023301, 2023302, 2023303]))
        (2023303, 2024001)
    """
    known = numbers.drop_nulls().unique().sort()
    if len(known) < 4 or int(known[0]) < 101:
        return None
    for base, most, lowest, highest in (
        (10, _QUARTERS, *_YEARS), (100, _WEEKS, 1, 99), (100, _WEEKS, *_YEARS), (1000, _DAYS_OF_YEAR, *_YEARS),
        (1000, _DAYS_OF_YEAR, 1, 99),
    ):  # fmt: skip
        year, count = known // base, known % base
        if not (year.is_between(lowest, highest).all() and count.is_between(1, most).all()):
            continue
        one_year = base > 10 and lowest == _YEARS[0] and year.n_unique() == 1
        if one_year and (base == 1000 or int(count.min()) == 1):  # type: ignore[arg-type]
            return int(known[-1]), (int(year[0]) + 1) * base + 1  # days of one year, or periods from its start
        turns = (year.diff() == 1).fill_null(False)
        inside = (year.diff() == 0).fill_null(False)
        starts, gaps = count.filter(turns), known.diff().filter(inside)
        usual = int(gaps.median() or 1) if len(gaps) else 1  # type: ignore[arg-type]
        if turns.any() and (starts <= 2 * usual).all() and int(gaps.max() or 1) < base - most:  # type: ignore[call-overload]
            place = int(turns.arg_max() or 0)
            return int(known[place - 1]), int(known[place])
    return None


def _clock(clock: pl.Series, size: int) -> pl.Series:
    """Return which of the digits after the day are an hour, with its minute and second, (N,)."""
    if size == _DAY_LENGTHS[17]:  # milliseconds at the end
        clock, size = clock // 1000, _DAY_LENGTHS[14]
    hour, rest = clock // max(1, size // 100), clock % max(1, size // 100)
    minute, second = (rest // 100, rest % 100) if size == _DAY_LENGTHS[14] else (rest, rest * 0)
    return (hour <= 24) & (minute < 60) & (second < 60) if size > 1 else hour >= 0


def _months_or_weeks(known: pl.Series) -> str:
    last, years = known % 100, (known // 100).n_unique()
    if _mostly(last.is_between(1, _MONTHS)):
        return "202401"
    # a counter that passes two years has other digits as well
    return "202453" if years > 1 and last.is_between(1, _WEEKS).all() else ""


def _year_last(known: pl.Series) -> str:
    """Return the writing of 31012024 or 012024, which a number gives without a zero in front."""
    year, before = known % 10_000, known // 10_000
    if not year.is_between(*_YEARS).all() or before.n_unique() < 2:
        return ""  # a counter has one number before many years
    if before.is_between(1, _MONTHS).all():
        return "012024"
    for day, month in ((before // 100, before % 100), (before % 100, before // 100)):
        if _mostly(day.is_between(1, 31) & month.is_between(1, _MONTHS)):
            return "31012024"
    return ""


def _mostly(fits: pl.Series) -> bool:
    return float(fits.mean() or 0) >= _MOST  # type: ignore[arg-type]
