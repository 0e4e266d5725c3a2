"""Cells of written tables: protection of texts that a spreadsheet would take for formulas."""

import polars as pl

STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also full-width
MARK = "'"  # means "a text follows" in a spreadsheet, and is not shown
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"  # a text that is a number is no formula


def escaped(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the table with an apostrophe before every text and column name that a spreadsheet would compute.

    Such texts begin with `=`, `+`, `-` or `@`, also full-width, a tab or a carriage return; numbers as texts, such
    as "-1.5", stay unchanged. Only texts change, never columns of numbers or times.

    Source: OWASP, "CSV Injection".

    Example:
        >>> table = pl.DataFrame({"word": ["=1+2", "-1.5", "to be"], "=x": [-1, 2, 3]})
        >>> escaped(table).rows(named=True)[0], escaped(table)["word"][1]
        ({'word': "'=1+2", "'=x": -1}, '-1.5')
    """
    texts = [name for name, kind in frame.schema.items() if kind in (pl.String, pl.Categorical, pl.Enum)]
    frame = frame.with_columns(_escaped(pl.col(name).cast(pl.String)) for name in texts)
    taken, names = set(frame.columns), {}
    for name in (name for name in frame.columns if name.startswith(STARTS)):
        names[name] = MARK + name
        while names[name] in taken:
            names[name] = MARK + names[name]
        taken.add(names[name])
    return frame.rename(names)


def _escaped(text: pl.Expr) -> pl.Expr:
    formula = pl.any_horizontal(*(text.str.starts_with(start) for start in STARTS)) & ~text.str.contains(NUMBER)
    return pl.when(formula).then(pl.lit(MARK) + text).otherwise(text).name.keep()
