"""Public holidays: of a country, from the optional package `holidays`, or given as dates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np

from unrolled.errors import ArtifactError, OptionError, UnsupportedError, message

_MOST_MONTHS = 11  # of a year, without steps
_LONGEST = 300  # years; the rules of no country reach further


@dataclass(frozen=True)
class Holidays:
    """Dates on which a series has no steps.

    Args:
        country: a code such as DE, or DE-BY for a part of the country; empty where the dates are given.
        days: ISO dates.
        months: months of the year without steps, 0 for January.
    """

    country: str = ""
    days: tuple[str, ...] = ()
    months: tuple[int, ...] = ()

    def dates(self, first: int, last: int) -> np.ndarray:
        """Return the dates from the first to the last year, sorted, datetime64[D]."""
        if self.country:
            found = _of_country(self.country.upper(), first, min(last, first + _LONGEST))
        else:
            found = np.unique(np.array(self.days, dtype="M8[D]"))
        return np.union1d(found, _of_months(self.months, first, last)) if self.months else found

    @property
    def open_share(self) -> float:
        """Share of the months that have steps."""
        return 1 - len(self.months) / 12

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"country": self.country, "days": list(self.days), "months": list(self.months)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned."""
        found = cls(str(data["country"]), tuple(map(str, data["days"])), tuple(map(int, data.get("months", ()))))
        if len(found.months) > _MOST_MONTHS or not set(found.months) <= set(range(12)):
            raise ArtifactError(
                message("holidays", expected="some months of the year", received=str(found.months)[:80])
            )
        np.array(found.days, dtype="M8[D]")  # refuses what is no date
        return found


def read_holidays(given: str | Sequence[str] | None) -> Holidays | None:
    """Return the holidays of an option: a country, or ISO dates, also in one text with commas; None without any.

    Raises:
        OptionError: an unknown country, or a date that cannot be read.
        UnsupportedError: a country, if the package `holidays` is not installed.

    Example:
        >>> read_holidays(["2024-12-25", "2024-12-26"]).dates(2024, 2024)
        array(['2024-12-25', '2024-12-26'], dtype='datetime64[D]')
    """
    if given is None:
        return None
    if isinstance(given, str) and not given[:1].isdigit():
        found = Holidays(given)
        found.dates(2000, 2000)
        return found
    days = tuple(str(day).strip() for day in (given.split(",") if isinstance(given, str) else given))
    for day in days:
        try:
            np.array(day, dtype="M8[D]")
        except ValueError as fault:
            expected = "a country such as 'DE', or dates such as '2024-12-25'"
            raise OptionError(message("holidays", expected=expected, received=repr(day))) from fault
    return Holidays("", days)


def _of_months(months: Sequence[int], first: int, last: int) -> np.ndarray:
    """Return every date of some months of the year, 0 for January, from the first to the last year."""
    dates = np.arange(f"{first:04}-01-01", f"{last + 1:04}-01-01", dtype="M8[D]")
    return dates[np.isin(dates.astype("M8[M]").astype(np.int64) % 12, months)]


@lru_cache(maxsize=64)
def _of_country(country: str, first: int, last: int) -> np.ndarray:
    try:
        import holidays  # pyright: ignore[reportMissingImports]
    except ImportError as fault:
        raise UnsupportedError(
            message(
                "holidays",
                expected="the package holidays, for the holidays of a country",
                received="not installed",
                remedy="pip install 'unrolled[holidays]', or give the dates themselves",
            )
        ) from fault
    name, _, part = country.partition("-")
    try:
        found = holidays.country_holidays(name, subdiv=part or None, years=range(first, last + 1))
    except NotImplementedError as fault:
        raise OptionError(
            message("holidays", expected="the code of a country, such as DE or DE-BY", received=repr(country))
        ) from fault
    return np.unique(np.array(list(found), dtype="M8[D]"))
