"""The UCR/aeon `.ts` format: one series per line, channels between colons, the label last."""

from pathlib import Path

import polars as pl

from unrolled.errors import DataError, message


def parse_ts(text: str, path: Path) -> pl.DataFrame:
    """Read columns dim_0, dim_1, ... of lists of numbers, and `label`; `?` and `NaN` are missing values.

    Raises:
        DataError: a file without @data, a bad number, or lines with different numbers of channels.

    Source: https://www.aeon-toolkit.org, "Data formats"; both class and target labels are read.
    """
    head, found, body = text.partition("@data")
    if not found:
        head, found, body = text.partition("@DATA")
    if not found:
        raise DataError(message(str(path), expected="a .ts file with a line @data", received="none"))
    tags = {
        words[0].lower(): words[1:] for line in head.splitlines() if line.startswith("@") and (words := line.split())
    }
    if tags.get("@timestamps", ["false"])[0].lower() == "true":
        raise DataError(message(str(path), expected="@timeStamps false", received="true"))
    kind = next(
        (name for name in ("@classlabel", "@targetlabel") if tags.get(name, ["false"])[0].lower() == "true"), ""
    )
    first = head.count("\n") + 1
    channels: list[list[list[float | None]]] = []
    labels: list[str] = []
    targets: list[float | None] = []
    for number, line in enumerate(body.splitlines(), first):
        if not line.strip() or line.startswith(("#", "%")):
            continue
        parts = line.strip().split(":")
        if kind:
            labels.append(parts.pop().strip())
        if kind == "@targetlabel":
            targets.append(_number(labels[-1], path, number))
        if channels and len(parts) != len(channels):
            raise DataError(
                message(f"{path}, line {number}", expected=f"{len(channels)} channels", received=f"{len(parts)}")
            )
        channels = channels or [[] for _ in parts]
        for channel, values in zip(channels, parts, strict=True):
            channel.append(_numbers(values, path, number))
    if not channels:
        raise DataError(message(str(path), expected="at least one series after @data", received="none"))
    columns = {f"dim_{place}": pl.Series(values, dtype=pl.List(pl.Float64)) for place, values in enumerate(channels)}
    if kind == "@classlabel":
        columns["label"] = pl.Series(labels, dtype=pl.String)
    elif kind:
        columns["label"] = pl.Series(targets, dtype=pl.Float64)
    return pl.DataFrame(columns)


def _numbers(values: str, path: Path, number: int) -> list[float | None]:
    return [_number(word.strip(), path, number) for word in values.split(",") if word.strip()]


def _number(word: str, path: Path, number: int) -> float | None:
    if word in ("?", "NaN", "nan"):
        return None
    try:
        return float(word)
    except ValueError:
        raise DataError(message(f"{path}, line {number}", expected="a number", received=repr(word))) from None
