"""Reports of what was read: every method of a task that reads data sets `report_` and warns of what is unknown.

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
from unrolled.reading_report import Tally, UnrolledWarning, counted, current, each_once, is_quiet, uncounted

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
    "inspect",
    "step",
    "partial_fit",
    "add_items",
    "paths",
)
TAUGHT = ("partial_fit", "add_items")  # what is new is learnt there: it is counted and not warned of


class Reported:
    """A task whose answers come with a report of what was read for them.

    Attributes:
        report_: what the last call met, as plain numbers: "tokens", "unknown" and "share unknown" in all columns, the
            same by column under "columns", "empty records", the counts of `unrolled.reading_report.COUNTED` with their
            "shares", and "warnings"; after `fit` that of the scores on held-out data. Where several threads ask one
            model, use `reading` instead.
    """

    report_: Mapping[str, Any] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in REPORTED:
            owner = next((one for one in cls.__mro__ if name in vars(one)), cls)
            if name in vars(owner) and (owner is cls or not issubclass(owner, Reported)):  # its own, or of a part of it
                setattr(cls, name, _reporting(vars(owner)[name]))
        if "fit" in vars(cls):
            cls.fit = _fitting(vars(cls)["fit"])


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


def _reporting(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method of a task."""

    @functools.wraps(method)
    def reporting(self: Any, *arguments: Any, **options: Any) -> Any:
        outer = current()
        if outer is None and method.__name__ == "partial_fit" and not self._is_fitted:  # its first call is a `fit`
            return method(self, *arguments, **options)
        if outer is not None and outer.owner is self:  # part of a call that counts already
            answer = method(self, *arguments, **options)
            return replace(answer, report=outer.report()) if isinstance(answer, Scores) else answer
        if outer is not None:  # a rival that is asked for comparison
            with uncounted():
                return method(self, *arguments, **options)
        with reading(self) as tally:
            answer = method(self, *arguments, **options)
        self.report_ = tally.report()
        if not is_quiet() and method.__name__ not in TAUGHT:
            for alarm in tally.alarms():
                warnings.warn(alarm, UnrolledWarning, stacklevel=3)
        return replace(answer, report=self.report_) if isinstance(answer, Scores) else answer

    return reporting


def _fitting(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `fit`: the report of an earlier call ends there, and that of the scores on held-out data is next."""

    @functools.wraps(method)
    def fitting(self: Any, *arguments: Any, **options: Any) -> Any:
        self.report_ = Tally(self).report()
        with each_once():
            return method(self, *arguments, **options)

    return fitting
