"""Cells of written tables: a text that a spreadsheet would take for a formula is kept a text."""

import polars as pl

STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also of full width
MARK = "'"  # what a spreadsheet takes for "a text follows", and does not show
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"  # a text that is a number is no formula


def escaped(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with an apostrophe before every text, and name of a column, that a spreadsheet would compute.

    Such texts begin with `=`, `+`, `-` or `@`, also of full width, a tab or a carriage return; numbers as texts, such
    as "-1.5", stay as they are. Only texts change, never columns of numbers or times.

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
