"""Signs around and within written times that say nothing: marks of direction, quotes, and the end of a span."""

import polars as pl

_ODD = r"[^\x00-\x7F]|^\s*[\[\"']"
_NOTHING = ("\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\ufeff", "\u202a", "\u202c")  # Windows copies these
_DASHES = ("\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212")
_ZEROS = (0xFF10, 0x0660, 0x06F0, 0x0966, 0x09E6, 0x0E50)  # of East Asia, Arabic, Persian, Hindi, Bengali, Thai
_OTHER_DIGITS = tuple(chr(zero + digit) for zero in _ZEROS for digit in range(10))
_AROUND = r"^\s*(?:\[(.*)\]|\"(.*)\"|'(.*)')\s*$"
_CLOCK = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:\s*[AaPp][Mm])?"
_TO = r"(?:-|to|bis|until)"
# a whole time twice, or a time of day twice; a zone may stand after the second one
_SPANS = (
    rf"^\s*(?<start>.*?\d.*?)\s*(?:\s{_TO}\s|\.\.\.?)\s*\d{{1,4}}[-/.]\d{{1,2}}[-/.].*?(?<zone>\s*\([^()]*\))?\s*$",
    r"^\s*(?<start>.*?\d.*?)\s*/\s*(?:P(?:T?\d\w*)+|\d{4}-\d\d.*?)(?<zone>\s*\([^()]*\))?\s*$",
    rf"^\s*(?<start>.*\d\D+{_CLOCK})\s*{_TO}\s*{_CLOCK}(?<zone>\s*(?:\([^()]*\)|[A-Z]{{2,5}}))?(?:\s*[Uu]hr)?\s*$",
)
_LIKE_OFFSET = r"(?<h>\d{1,2}):(?<m>\d{2})(?::\d{2}(?:\.\d+)?)?-(?<hh>\d{2}):(?<mm>\d{2})$"  # 05:00-06:00, or a zone
_DAY = 24 * 60  # minutes


def plain_signs(values: pl.Series, sample: pl.Series) -> pl.Series:
    r"""Return texts without invisible signs and quotes, with plain dashes and digits.

    Example:
        >>> plain_signs(pl.Series(["\u200e1.2.2024", "[1–2–2024]"]), pl.Series(["\u200e1.2.2024"])).to_list()
        ['1.2.2024', '1-2-2024']
    """
    if not sample.str.contains(_ODD).any():
        return values
    signs = [*_NOTHING, *_DASHES, *_OTHER_DIGITS]
    plain = [*[""] * len(_NOTHING), *["-"] * len(_DASHES), *(str(digit) for _ in _ZEROS for digit in range(10))]
    values = values.str.replace_many(signs, plain)
    inside = values.str.extract_groups(_AROUND).struct.unnest()
    return inside.select(pl.coalesce(*inside.columns, pl.lit(values))).to_series().alias(values.name)


def starts_of_spans(values: pl.Series, sample: pl.Series, known: bool = False) -> pl.Series:
    """Return the first time of texts that are all spans, such as 1.2.2024 05:00 - 06:00; other texts as they are.

    Args:
        values: the column.
        sample: different texts of the column.
        known: whether training had spans; else a single 05:00-06:00 is a time six hours west of Greenwich.

    Example:
        >>> spans = pl.Series(["1.2.2024 05:00 - 06:00", "1.2.2024 06:00 - 07:00"])
        >>> starts_of_spans(spans, spans)[0]
        '1.2.2024 05:00'
    """
    for pattern in _SPANS:
        if sample.str.contains(pattern).all() and (known or not _zones(sample)):
            found = values.str.extract_groups(pattern).struct.unnest()
            return found.select(pl.concat_str("start", pl.col("zone").fill_null(""))).to_series().alias(values.name)
    return values


def _zones(sample: pl.Series) -> bool:
    """Return whether what follows a time of day directly is a zone, as in 05:00-03:00, and no end of a span."""
    found = sample.str.extract_groups(_LIKE_OFFSET).struct.unnest().cast(pl.Int32)
    if found["h"].null_count():
        return False
    lasts = (found["hh"] * 60 + found["mm"] - found["h"] * 60 - found["m"]) % _DAY
    return found.select("hh", "mm").n_unique() == 1 or lasts.n_unique() > 1
