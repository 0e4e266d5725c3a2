"""Scores of a detector and its baselines: areas under curves, alarms at the threshold, and the NAB score."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.source import Source, Table
from unrolled.data.time_forms import TimeForm
from unrolled.errors import DataError, listed, message
from unrolled.metrics.anomalies.nab import ScoredFile, nab_score
from unrolled.metrics.anomalies.quiet import loudest
from unrolled.metrics.anomalies.ranges import range_scores, ranges_of
from unrolled.metrics.anomalies.vus import vus
from unrolled.metrics.scores import Metrics, Scores, answered
from unrolled.tasks.detection.tables import Rows, moments

LEAST_BUFFER, MOST_BUFFER = 10, 1000  # limits of the number of rows over which labels fade out


def truth_of(source: Source, rows: Sequence[Rows], y: Any, label: str) -> tuple[list[np.ndarray], bool]:
    """Return whether each row of each series is labelled, and whether the labels were given as windows.

    Args:
        source: the table.
        rows: its series.
        y: None takes the label column; one mark per row in the table's order; or windows, pairs of first and last
            times, for several series by name.
        label: name of the label column.

    Raises:
        DataError: no labels, or labels that do not fit the rows.
    """
    assert isinstance(source, Table)
    ends = np.cumsum([len(one.times) for one in rows])
    if y is None:
        if label not in source.columns:
            raise DataError(
                message(
                    "data",
                    expected=f"a column {label!r} of 0 and 1",
                    received=f"only {listed(source.columns)}",
                    remedy="name it with label=, or give y: marks, or windows as pairs of times",
                )
            )
        y = [mark for _, frame in source.series() for mark in frame[label].to_list()]
    if isinstance(y, Mapping) or _is_windows(y):
        by_name = {str(name): windows for name, windows in y.items()} if isinstance(y, Mapping) else {"": y}
        odd = set(by_name) - {one.name for one in rows}
        if odd:
            raise DataError(message("y", expected=f"names among {[one.name for one in rows]}", received=sorted(odd)))
        return [_inside(one, by_name.get(one.name, ()), source.time_form) for one in rows], True
    marks = _marks(list(y))
    if len(marks) != ends[-1]:
        raise DataError(message("y", expected=f"a mark for each of {ends[-1]} rows", received=len(marks)))
    return np.split(marks, ends[:-1]), False


def detection_scores(
    truth: Sequence[np.ndarray],
    answers: Mapping[str, Sequence[np.ndarray]],
    thresholds: Mapping[str, float],
    quiet: int,
    windows: bool,
) -> Scores:
    """Return areas and volumes under curves, recall and precision of alarms, for the model ("") and its rivals.

    Args:
        truth: whether each row is labelled, (T,) for each series.
        answers: scores by name, (T,) for each series; NaN is no score, as for a row without a known value, and counts
            as the lowest.
        thresholds: by name.
        quiet: steps after a score in which only a higher one is an alarm.
        windows: whether labelled ranges are windows in the sense of NAB.

    Raises:
        DataError: no labelled row, no unlabelled row, or an infinite score.

    Reference programs: `RangeAUC_volume_opt` of TSB-AD 1.5 for VUS, with the usual length of a labelled range (10 to
    1,000 rows) as the widest buffer; its `range_recall_new` with alpha 0 and 1 for precision and recall; the scorer of
    the Numenta benchmark for nab.
    """
    marks = np.concatenate(
        [np.zeros(0, bool), *(np.append(one, False) for one in truth)]
    )  # one row between series, so that ranges end
    if not marks.any() or all(one.all() for one in truth):
        raise DataError(message("label", expected="labelled and other rows", received=f"{int(marks.sum())} labelled"))
    sizes = [last - first + 1 for first, last in ranges_of(marks)]
    longest = int(np.clip(np.median(sizes), LEAST_BUFFER, MOST_BUFFER))
    table: dict[str, Metrics] = {}
    for name, series in answers.items():
        scores = [answered(np.where(np.isnan(one), 0.0, one), name, "scores") for one in series]
        areas = vus(np.concatenate([np.append(one, 0.0) for one in scores]), marks, longest)
        loud = [loudest(one, quiet) for one in scores]
        alarms = np.concatenate([np.append(one >= thresholds[name], False) & (np.append(one, 0) > 0) for one in loud])
        found = range_scores(marks, alarms, existence=1.0)
        table[name] = {
            "vus_pr": areas.pr,
            "vus_roc": areas.roc,
            "precision": found.precision,
            "recall": found.recall,
            "alarm_rate": float(alarms[~marks].mean()),
        }
        if windows:
            files = [ScoredFile(one, ranges_of(true), 0) for one, true in zip(loud, truth, strict=True)]
            table[name]["nab"] = nab_score(files).score
    return Scores(int(sum(map(len, truth))), "steps", table.pop(""), table, "vus_pr", True)


def _marks(values: Sequence[Any]) -> np.ndarray:
    odd = [value for value in values if value not in (0, 1)]
    if odd:
        raise DataError(message("label", expected="0 or 1, or true or false, in every row", received=repr(odd[0])))
    return np.array(values, dtype=bool)


def _is_windows(y: Any) -> bool:
    return isinstance(y, list | tuple) and all(isinstance(one, list | tuple) and len(one) == 2 for one in y)


def _inside(one: Rows, windows: Sequence[tuple[Any, Any]], form: TimeForm | None) -> np.ndarray:
    marks = np.zeros(len(one.times), dtype=bool)
    for window in windows:
        first, last = moments(pl.Series("y", list(window)), one.times.dtype.kind == "M", form)
        marks |= (one.times >= first) & (one.times <= last)
    return marks
