"""Halves of the day, clocks and Roman numbers as other languages write them, turned into the usual writings."""

import polars as pl

_HALVES = (  # before and after noon, of languages whose letters say so themselves
    ("上午", "下午"), ("午前", "午後"), ("오전", "오후"), ("ص", "م"), ("π\\.?μ\\.?", "μ\\.?μ\\.?"),
    ("пр\\.\\s?об\\.", "сл\\.\\s?об\\."), ("öö", "ös"),
)  # fmt: skip
_LATIN = (  # read only behind the clock of every value
    ("vorm\\.?", "nachm\\.?"), ("fm", "em"), ("de\\.?", "du\\.?"), ("dop\\.?", "odp\\.?"), ("sa", "ch"),
)  # fmt: skip
_CLOCK = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?"
_CLOCK_SIGNS = (
    (r"(\d{1,2})\s?[時时點点시]\s?(\d{2})\s?[分분]\s?(\d{2})\s?[秒초]", "${1}:${2}:${3}"),
    (r"(\d{1,2})\s?[時时點点시]\s?(\d{2})\s?[分분]", "${1}:${2}"),
    (r"\b(\d{1,2})\s?[時时點点시]", "${1}:00"),
)
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBER = r"x?i{1,3}|x?i?v|vi{1,3}|i?x"
_QUARTER = (
    r"(?:kw(?:arta[lł])?|qtr|quarter|quartal|q|trim(?:estre|ester|estrul)?|кв(?:артал)?|negyedév|n\.?\s?év|"
    r"čtvrtletí|štvrťrok|kvartal|kwartaal|čtvrt)\.?"
)
_DAY = rf"(?i)^\s*(\d{{1,2}})[-/.\s]+({_NUMBER})[-/.\s]+(\d{{4}})(.*)$"
_FIRST = rf"(?i)^\s*(?<number>{_NUMBER})[-/.\s]*(?<word>{_QUARTER})?[-/.,\s]+(?<year>\d{{4}})\s*$"
_AFTER = rf"[-/.\s]*(?<after>{_QUARTER})?\s*$"
_LAST = rf"(?i)^\s*(?<year>\d{{4}})[-/.,\s]+(?<word>{_QUARTER})?[-/.\s]*(?<number>{_NUMBER}){_AFTER}"
_QUARTERS = 4


def usual_spelling(values: pl.Series, sample: pl.Series, writing: str = "") -> pl.Series:
    """Return texts with AM and PM, colons and Arabic numbers in place of those of other languages.

    Args:
        values: the column.
        sample: different texts of the column.
        writing: the way of writing that was learnt, which tells Roman quarters from Roman months; "" for none.

    Example:
        >>> texts = pl.Series(["2024/1/1 下午1:00", "2024/1/1 下午2:00"])
        >>> usual_spelling(texts, texts)[0]
        '2024/1/1 1:00 PM'
        >>> quarters = pl.Series(["IV kw. 2023", "I kw. 2024"])
        >>> usual_spelling(quarters, quarters).to_list()
        ['Q4 2023', 'Q1 2024']
    """
    for signs, plain in _CLOCK_SIGNS if sample.str.contains("[時时點点시]").any() else ():
        values = values.str.replace(signs, plain)
    for words in _HALVES:
        if sample.str.contains(rf"(?i){words[0]}|{words[1]}").any():
            for word, half in zip(words, ("AM", "PM"), strict=True):
                values = values.str.replace(rf"(?i){word}\s*({_CLOCK})", f"${{1}} {half}")
                values = values.str.replace(rf"(?i)({_CLOCK})\s*{word}", f"${{1}} {half}")
    for words in _LATIN:
        if sample.str.contains(rf"(?i){_CLOCK}\s*(?:{words[0]}|{words[1]})\s*$").all():
            for word, half in zip(words, ("AM", "PM"), strict=True):
                values = values.str.replace(rf"(?i)({_CLOCK})\s*{word}\s*$", f"${{1}} {half}")
    return _without_romans(values, sample, writing)


def _without_romans(values: pl.Series, sample: pl.Series, writing: str) -> pl.Series:
    if not len(sample):
        return values
    if sample.str.contains(_DAY).all():
        parts = values.str.extract_groups(_DAY).struct.unnest()
        day, number, year, rest = parts.columns
        month = pl.col(number).str.to_lowercase().replace_strict(_ROMAN, _MONTHS, default=None)
        found = parts.select(pl.concat_str(day, pl.lit(" "), month, pl.lit(" "), year, rest))
        return found.to_series().alias(values.name)
    for pattern in (_FIRST, _LAST):
        if sample.str.contains(pattern).all():
            parts = values.str.extract_groups(pattern).struct.unnest()
            number = parts["number"].str.to_lowercase().replace_strict(_ROMAN, range(1, 13), default=None)
            words = [parts[name].null_count() < len(parts) for name in ("word", "after") if name in parts.columns]
            kind = _kind(number, any(words), parts["year"].n_unique(), writing)
            plain = number.cast(pl.String)
            texts = {"quarters": pl.concat_str(pl.lit("Q"), plain, pl.lit(" "), "year"),
                     "months": pl.concat_str(plain.str.zfill(2), pl.lit("/"), "year")}  # fmt: skip
            return parts.select(texts[kind]).to_series().alias(values.name) if kind else values
    return values


def _kind(number: pl.Series, worded: bool, years: int, writing: str) -> str:
    """Return whether Roman numbers beside years are quarters or months, "" if they may be either."""
    most = int(number.max() or 0)  # type: ignore[call-overload]
    if most > _QUARTERS:
        return "" if worded else "months"
    if worded or writing == "Q1 2024" or (most == _QUARTERS and years > 1):
        return "quarters"
    return "months" if writing == "01/2024" else ""
