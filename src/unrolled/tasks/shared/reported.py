"""Reports of what was read: every `predict` and `evaluate` of a task sets `report_` and warns of what is unknown.

The methods are wrapped where a class is defined, so that a task outside of this package reports as well. Source: the
way in which scikit-learn wraps `transform` for `set_output`, `sklearn.utils._set_output`.
"""

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from unrolled.errors import UnrolledWarning
from unrolled.metrics.scores import Scores
from unrolled.reading_report import Tally, counted, current, is_quiet, uncounted

REPORTED = ("predict", "predict_proba", "n_best", "detect", "backtest", "score_texts", "score_pairs", "evaluate")


class Reported:
    """A task whose answers come with a report of what was read for them.

    Attributes:
        report_: what the last call met, as plain numbers: "tokens", "unknown" and "share unknown" in all columns, the
            same by column under "columns", "empty records", "missing values", "gaps filled", "unseen series",
            "rows left out", "times that did not fit", and "warnings". Where several threads ask one model, take the
            report of `report_of` instead.
    """

    report_: Mapping[str, Any] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in REPORTED:
            method = vars(cls).get(name)
            if method is not None and not getattr(method, "__isabstractmethod__", False):
                setattr(cls, name, _reporting(method))


def tally_for(task: Any) -> Tally:
    """Return an empty tally of what a fitted task reads."""
    return Tally(task, [*task._input_codecs(), *task._answer_codecs()])


def report_of(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, dict[str, Any]]:
    """Call a method of a fitted task; return its answer and the report of this call alone.

    Nothing is warned of, and `report_` is unchanged, so that threads may ask one model at the same time.

    Args:
        function: a method of a fitted task, such as `model.predict`.
        arguments: for the method.
        options: for the method.

    Example:
        >>> import unrolled as ur
        >>> model = ur.Classifier(hidden_size=2).fit(["ab", "ba"] * 8, ["x", "y"] * 8, epochs=1)
        >>> answer, report = report_of(model.predict, ["a?"])
        >>> report["unknown"], report["columns"]["x"]["examples"]
        (1, ['?'])
    """
    task: Any = getattr(function, "__self__")  # noqa: B009 - a bound method's task; Callable does not declare it
    task._fitted()
    with counted(tally_for(task)) as tally:
        answer = function(*arguments, **options)
    return answer, tally.report()


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
        self._fitted()
        with counted(tally_for(self)) as tally:
            answer = method(self, *arguments, **options)
        self.report_ = tally.report()
        if not is_quiet():
            for alarm in tally.alarms():
                warnings.warn(alarm, UnrolledWarning, stacklevel=2)
        return replace(answer, report=self.report_) if isinstance(answer, Scores) else answer

    return reporting
