"""Detector: finds anomalies in series of numbers or in sequences of events, step by step."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from torch import Tensor, nn

from unrolled.arrangements.many_to_many import NextStep
from unrolled.baselines.base import Baseline
from unrolled.baselines.registry import anomaly_baselines
from unrolled.batch import Batch
from unrolled.data.batching import BatchSource, Buckets
from unrolled.data.source import Source, Table
from unrolled.errors import OptionError, UnsupportedError, message, whole_number
from unrolled.inspection.record import Inspection
from unrolled.metrics.scores import Scores
from unrolled.nn.inputs import InputLayer
from unrolled.reading_report import uncounted
from unrolled.tasks.base import Task
from unrolled.tasks.detection.alarms import threshold_for
from unrolled.tasks.detection.bookkeeping import Keeping
from unrolled.tasks.detection.detection_stream import DetectorSteps, judged
from unrolled.tasks.detection.detections import read_examples
from unrolled.tasks.detection.evaluation import detection_scores, truth_of
from unrolled.tasks.detection.likelihood import QUIET, WARM_UP
from unrolled.tasks.detection.number_series import SeriesPlan
from unrolled.tasks.detection.series_state import DetectorState
from unrolled.tasks.detection.tables import Rows, Target, WatchedColumns, parts_of, series_of, watch
from unrolled.tasks.kinds import ReadsWatched
from unrolled.tasks.series.long_table import STEP, long_table, recent_part
from unrolled.tasks.shared.online_learning import Memory
from unrolled.tasks.shared.option_checks import MOST_STEPS
from unrolled.tasks.shared.random_stretches import ROWS, Stretches
from unrolled.training.options import TrainingOptions
from unrolled.training.weights import under

LEAST_HELD_OUT = 200  # steps
COMPONENTS = 3  # of a mixture by default
UPDATES = 6  # weight updates per part of new data
RIVAL = "causal convolution net of the same size"


class Detector(ReadsWatched, Task):
    """An anomaly detector: predicts the next step, scores how unusual the real one is, and names the variable.

    A recurrent network gives a density of the next values of all variables, or probabilities of the next event. The
    score compares how surprising a step is with the usual surprise of this series (see
    `unrolled.tasks.detection.likelihood`); the threshold for an alarm is set so that ordinary data give `alarm_rate`
    alarms per step. The network reads which values are missing. The first `warm_up` steps of a new series get no score.

    Args:
        target: columns to watch: numbers, or one column of categories for events; none = every column of numbers.
        alarm_rate: alarms per step that ordinary data may give.
        warm_up: steps of a new series before its first score.
        quiet: steps after a score in which only a higher one gives an alarm.
        season: season length in steps; 0 finds it, 1 means none; events have none.
        components: Gaussians in the density of the next values; 3 by default.
        memory: steps that `partial_fit` keeps to learn from again; 0 keeps only the new ones.
        label: column of the true labels for `evaluate`; never learnt from.
        cell: a name in `unrolled.cells.registry.CELLS`, or conv for a causal convolutional network.
        hidden_size: hidden units of each layer.
        num_layers: recurrent layers.
        dropout: share of values set to zero in training, on the inputs, between layers and before the answer.
        layers: further options of `unrolled.nn.stack.Stack`: variational, layer_norm, residual, learn_initial_state,
            recurrent_dropout, zoneout.
        training: training options kept with the model; `fit` may override them.

    Example:
        >>> import numpy as np, unrolled as ur
        >>> wave = np.sin(np.arange(400) * 2 * np.pi / 20)
        >>> detector = ur.Detector(hidden_size=8).fit(wave[:300], epochs=10)
        >>> wave[350] = 3.0
        >>> detector.detect(wave[300:]).filter("alarm")["step"].to_list()
        [50]
    """

    training_defaults: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 5e-3,
        "epochs": 40,
        "validation": 0.2,
        "patience": 6,
    }

    def __init__(
        self,
        target: Target = (),
        alarm_rate: float = 0.001,
        warm_up: int = WARM_UP,
        quiet: int = QUIET,
        season: int = 0,
        components: int | None = None,
        memory: int = 20_000,
        label: str = "label",
        cell: str = "gru",
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        layers: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.target = target
        self.alarm_rate = alarm_rate
        self.warm_up = warm_up
        self.quiet = quiet
        self.season = season
        self.components = components
        self.memory = memory
        self.label = label
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.layers = layers
        self.training = training

    # ---- data -------------------------------------------------------------------------------

    def _convert(self, data: Any, y: Any = None) -> Table:
        """Return a long table with a time column; rows without a time are numbered."""
        watched: WatchedColumns | None = getattr(self, "watched_", None)
        if watched is None:
            return long_table(data, self.target if isinstance(self.target, str) else next(iter(self.target), "value"))
        time = None if watched.time == STEP else watched.time
        return long_table(data, watched.columns[0], time, watched.group, form=watched.time_form)

    def _hold_out(self, source: Source, share: float, seed: int) -> tuple[Source, Source | None]:
        """Split off the most recent part of every series; None if it would be too short to be of use."""
        assert isinstance(source, Table)
        if share * max(frame.height for _, frame in source.series()) < LEAST_HELD_OUT:
            return source, None
        return recent_part(source, share, self.warm_up, self.warm_up)

    def _rows(self, source: Source) -> list[Rows]:
        assert isinstance(source, Table)
        return series_of(source, self.watched_)

    def _asked_rows(self, data: Any, further: bool = False) -> list[Rows]:
        """Return the rows of each series; with `further` more rows of the series that were asked about before."""
        self._fitted()
        rows = self._rows(self._source(data))
        if not further:
            self.keeping_.note_unseen(rows)
        return self.plan_.calendars.followed(rows) if isinstance(self.plan_, SeriesPlan) else rows

    # ---- learning ---------------------------------------------------------------------------

    def fit(self, data: Any, y: Any = None, **options: Any) -> Self:
        """Learn what is usual; a few anomalies among the data do no harm.

        Args:
            data: a table in long format, read with `time=` and, for several series, `group=`; or a list of arrays of
                numbers, one per series; or one array.
            y: not used; labels are never learnt from.
            options: `validation_data`, `callbacks`, `baselines`, `rival`, and training options, see
                `unrolled.training.options.TrainingOptions`.

        Returns:
            self.

        Raises:
            DataError: no series longer than the warm-up, or values that are neither numbers nor categories.
            OptionError: an unknown or invalid option.
        """
        self._agreed(options)
        if not options.get("warm_start"):
            for name in [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]:
                delattr(self, name)
        source = self._source(data)
        baselines = options.pop("baselines", True)
        super().fit(source, baselines=False, **options)
        rows = self._rows(source)
        self.keeping_ = self._keeping()
        plain = [self.keeping_.plain(one) for one in rows]
        self.keeping_.read(rows)
        if baselines:
            wanted = anomaly_baselines(self.plan_.seasons, self.watched_.events, self.plan_.output().width)
            self.baselines_ = {key: baseline.fit(plain, plain) for key, baseline in wanted.items()}
        self.baseline_thresholds_ = {
            key: threshold_for(np.concatenate(baseline.predict(plain)), self.alarm_rate)
            for key, baseline in self.baselines_.items()
        }
        return self

    def _keeping(self) -> Keeping:
        rest = (self.alarm_rate, self.warm_up, self.quiet, Memory(self.memory))
        return Keeping(self._fitted(), self.plan_, self.watched_.time, *rest)

    def _learn(self, source: Source) -> None:
        assert isinstance(source, Table)
        self.watched_ = watch(source, self.target, self.label, self.warm_up)
        if self.watched_.events and (self.season or self.components is not None):
            named = "season" if self.season else "components"
            raise OptionError(message(named, expected="the default for events", received=getattr(self, named)))
        plan = self.watched_.plan(COMPONENTS if self.components is None else self.components)
        self.plan_ = plan.fit({one.name: (one.times, one.values) for one in self._rows(source)}, self.season)

    def _encode(self, source: Source, targets: bool = True) -> Batch:
        return read_examples(self.plan_, self._rows(source))

    def _make_network(self) -> nn.Module:
        inputs = InputLayer(self.plan_.specs(), self.dropout)
        layers = self._make_layers(inputs.size)
        return NextStep(inputs, layers, self.plan_.output(), self.dropout)

    def _batches(self, examples: Batch, options: TrainingOptions, shuffle: bool) -> BatchSource:
        size = options.batch_size or ROWS
        return Stretches(examples, size, options.seed) if shuffle else Buckets(examples, size, shuffle=False)

    def _summarise(self, source: Source, examples: Batch) -> dict[str, Any]:
        return {
            "series": examples.batch_size,
            "steps": examples.num_steps,
            "watched": ", ".join(self.plan_.columns),
            "step": self.plan_.step,
            "looks back": ", ".join(map(str, [1, *self.plan_.seasons])) + " steps",
        }

    @property
    def threshold_(self) -> float:
        """Lowest score that may be an alarm."""
        self._fitted()
        return self.keeping_.threshold

    def partial_fit(self, data: Any, y: Any = None, updates: int = UPDATES) -> Self:
        """Continue each series from its current state and train further, half on new rows and half on earlier ones.

        Args:
            data: rows that follow those read so far, or new series; before `fit`, the data to fit on.
            y: not used.
            updates: number of weight updates.

        Raises:
            DataError: rows that do not follow those read so far.
            OptionError: updates < 0.
        """
        if not self._is_fitted:
            return self.fit(data, y)
        updates = whole_number("updates", updates, least=0)
        self.keeping_.read(self._asked_rows(data))
        self.keeping_.learn_on(updates)
        return self

    # ---- answers ----------------------------------------------------------------------------

    def detect(self, data: Any) -> pl.DataFrame:
        """Score each row: return a table with one row per row of the data.

        Of several series, one at another step than in training is left out, with a warning that names it.

        Rows that follow those read so far of their series continue it; others start a new series, with a warm-up.

        Args:
            data: what `fit` takes.

        Returns:
            Time and group; `score`, minus the decimal logarithm of how rare the step is, null in the warm-up and where
            no value is known; `alarm`; `warm_up`; the `variable` that is blamed, its value `seen` and the `expected`
            one: for numbers the median with a 90 % interval from `low` to `high`, for events the most probable one,
            next to the `probability` of the event seen.
        """
        return self.keeping_.detected(self._asked_rows(data))

    def predict(self, data: Any) -> pl.DataFrame:
        """Score each row, as `detect` does."""
        return self.detect(data)

    def follow(self, data: Any, every: int = 100, updates: int = UPDATES) -> pl.DataFrame:
        """Answer and then train further, part by part: each row is answered before it is learnt from.

        Args:
            data: rows that follow those read so far, or new series.
            every: number of rows of each series that are answered before they are learnt from.
            updates: weight updates after each part.

        Returns:
            What `detect` gives.
        """
        self._fitted()
        updates, every = whole_number("updates", updates, least=0), whole_number("every", every, 1, MOST_STEPS)
        tables = []
        for part in parts_of(self._source(data), every):
            tables.append(self.keeping_.detected(self._asked_rows(part, further=bool(tables))))
            with uncounted():  # the same rows again
                self.partial_fit(part, updates=updates)
        keys = [name for name in (self.watched_.group, self.watched_.time) if name is not None]
        return pl.concat(tables).sort(keys, maintain_order=True)

    # ---- step by step -------------------------------------------------------------------------

    def first_state(self) -> DetectorState:
        """Return the state of a series before its first step."""
        self._fitted()
        return self.keeping_.first_state()

    def state_of(self, name: Any = "") -> DetectorState:
        """Return the state of a series after all rows read so far; the first state for an unknown series.

        Args:
            name: value of the group column; "" where there is none.
        """
        self._fitted()
        return self.keeping_.states.get(str(name)) or self.first_state()

    def step(self, record: Mapping[str, Any], state: DetectorState) -> tuple[dict[str, Any], DetectorState]:
        """Score one step of one series; the numbers equal those of `detect`.

        Args:
            record: one value per column that was learnt from; None is missing.
            state: the state of the series; it is not changed.

        Returns:
            The row that `detect` would give, as a dictionary, and the state after it.

        Raises:
            DataError: a column that is missing, or a time that does not come after the one before.
        """
        self._fitted()
        return judged(self.keeping_, self.watched_, record, state)

    def _stepping(self) -> DetectorSteps:
        return DetectorSteps(self.keeping_, self.watched_)

    # ---- scores -------------------------------------------------------------------------------

    def evaluate(self, data: Any, y: Any = None) -> Scores:
        """Return how well scores and alarms find the labelled rows, next to the baselines.

        Args:
            data: what `fit` takes.
            y: None takes the label column; or one mark per row; or windows, pairs of first and last times (by name
                of the series where there are several), which also give the score of the Numenta benchmark.

        Returns:
            `vus_pr` and `vus_roc`, volumes under the curves; `precision`, the share of alarms that are right, and
            `recall`, the share of labelled ranges with an alarm, both at the threshold; `alarm_rate`, alarms per step
            outside the labels; with windows `nab`.

        Raises:
            DataError: no labelled row, or no unlabelled row.
        """
        self._fitted()
        source = self._source(data)
        rows = self._rows(source)
        self.keeping_.note_unseen(rows)
        truth, windows = truth_of(source, rows, y, self.label)
        answers, thresholds = {"": self.keeping_.scores(rows)}, {"": self.threshold_}
        plain = [self.keeping_.plain(one) for one in rows]
        for key, baseline in self.baselines_.items():
            said = baseline.predict(plain)
            answers[baseline.name] = [scores[-len(one.times) :] for scores, one in zip(said, rows, strict=True)]
            thresholds[baseline.name] = self.baseline_thresholds_[key]
        if self.rival_ is not None:
            rival: Any = self.rival_
            answers[RIVAL], thresholds[RIVAL] = rival.keeping_.scores(rows), rival.threshold_
        return detection_scores(truth, answers, thresholds, self.quiet, windows)

    def inspect(self, data: Any, y: Any = None, row: int = 0) -> Inspection:
        """Refuse: the report follows one answer of a sequence, and a detector scores every row.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError("inspect: a Detector scores every row by itself; detect(data) explains each alarm")

    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        return {}  # `fit` fits them, because they read the kept states

    # ---- saving -----------------------------------------------------------------------------

    def _learnt_to_json(self) -> dict[str, Any]:
        return {
            "plan": self.plan_.to_json(),
            "watched": self.watched_.to_json(),
            "keeping": self.keeping_.to_json(),
            "baseline thresholds": self.baseline_thresholds_,
        }

    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        self.watched_ = WatchedColumns.from_json(data["watched"])
        self.plan_ = self.watched_.plan_from_json(data["plan"])
        self.baseline_thresholds_ = data["baseline thresholds"]

    def _to_record(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        record, tensors = super()._to_record()
        return record, tensors | {f"keeping.{name}": value for name, value in self.keeping_.to_tensors().items()}

    @classmethod
    def _from_record(cls, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        task = super()._from_record(record, tensors)
        task.keeping_ = task._keeping().restored(
            record["learnt"]["keeping"], under("keeping.", tensors), task.watched_.dated
        )
        return task
