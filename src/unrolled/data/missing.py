"""Marks of missing values in tables: texts such as NA that stand where a number is not known."""

MARKS = (
    "",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "<NA>",
    "NaN",
    "nan",
    "NaT",
    "NULL",
    "null",
    "None",
    "none",
    "-",
    "--",
    "?",
    ".",
)
