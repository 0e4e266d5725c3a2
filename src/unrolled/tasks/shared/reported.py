"""Reports of what was read: every `predict` and `evaluate` of a task sets `report_` and warns of what is unknown.

The methods are wrapped where a class is defined, so that a task outside of this package reports as well. Source: the
way in which scikit-learn wraps `transform` for `set_output`, `sklearn.utils._set_output`.
"""

import functools
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from unrolled.metrics.scores import Scores
from unrolled.reading_report import Tally, UnrolledWarning, counted, current, is_quiet, uncounted

REPORTED = (
    "predict",
    "predict_proba",
    "n_best",
    "generate",
    "draw",
    "detect",
    "follow",
    "backtest",
    "score_texts",
    "score_pairs",
    "confusion",
    "align",
    "workings",
    "evaluate",
)


class Reported:
    """A task whose answers come with a report of what was read for them.

    Attributes:
        report_: what the last call met, as plain numbers: "tokens", "unknown" and "share unknown" in all columns, the
            same by column under "columns", "empty records", "missing values", "gaps filled", "unseen series",
            "rows left out", "times that did not fit", and "warnings". Where several threads ask one model, use
            `reading` instead.
    """

    report_: Mapping[str, Any] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in REPORTED:
            method = vars(cls).get(name)
            if method is not None:
                setattr(cls, name, _reporting(method))


@contextmanager
def reading(task: Any) -> Generator[Tally]:
    """Count what a fitted task reads while the block runs, for this thread alone.

    Nothing is warned of, and `report_` is unchanged: so threads may ask one model at the same time.

    Args:
        task: the fitted task.

    Example:
        >>> import unrolled as ur
        >>> model = ur.Classifier(hidden_size=2).fit(["ab", "ba"] * 8, ["x", "y"] * 8, epochs=1)
        >>> with reading(model) as tally:
        ...     answer = model.predict(["a?"])
        >>> tally.report()["unknown"], tally.report()["columns"]["x"]["examples"]
        (1, ['?'])
    """
    task._fitted()
    with counted(Tally(task, [*task._input_codecs(), *task._answer_codecs()])) as tally:
        yield tally


@contextmanager
def reported(task: Any) -> Generator[Tally]:
    """Count what a fitted task reads while the block runs, then set its report and warn, as its methods do.

    Args:
        task: the fitted task.
    """
    with reading(task) as tally:
        yield tally
    _say(task, tally)


def _reporting(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method of a task."""

    @functools.wraps(method)
    def reporting(self: Any, *arguments: Any, **options: Any) -> Any:
        outer = current()
        if outer is not None and outer.owner is self:  # part of a call that counts already
            answer = method(self, *arguments, **options)
            return replace(answer, report=outer.report()) if isinstance(answer, Scores) else answer
        if outer is not None:  # a rival that is asked for comparison
            with uncounted():
                return method(self, *arguments, **options)
        with reading(self) as tally:
            answer = method(self, *arguments, **options)
        _say(self, tally)
        return replace(answer, report=self.report_) if isinstance(answer, Scores) else answer

    return reporting


def _say(task: Any, tally: Tally) -> None:
    """Set the report of a task, and warn of what is unknown."""
    task.report_ = tally.report()
    if not is_quiet():
        for alarm in tally.alarms():
            warnings.warn(alarm, UnrolledWarning, stacklevel=4)
