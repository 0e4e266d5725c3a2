"""Trainer: the loop. `run`, `_run_epoch`, `_backward` and `_update` are all of training; the rest is bookkeeping."""

import math
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.batch import Batch, LossSum
from unrolled.errors import ArtifactError, DataError, NonFiniteLossError, message
from unrolled.kernels.host import fast_bfloat16
from unrolled.training.bptt import detach
from unrolled.training.callbacks import Callback
from unrolled.training.checkpoints import write_checkpoint
from unrolled.training.clipping import clip_gradients, scale
from unrolled.training.course import Course, Limited
from unrolled.training.distributed import Processes, choose_device
from unrolled.training.early_stopping import EarlyStopping
from unrolled.training.history import History, Row
from unrolled.training.interrupts import catching_interrupts
from unrolled.training.isolation import Apart
from unrolled.training.optimizers import make_optimizer
from unrolled.training.options import TrainingOptions
from unrolled.training.position import LossSums, Position
from unrolled.training.reporters import reporters
from unrolled.training.resume import capture, take_up
from unrolled.training.sparse import gradient_values, sparse_parameters
from unrolled.training.until_done import UntilDone
from unrolled.training.validation import Batches, Validate, Validation
from unrolled.training.weights import Average, all_finite, copy_weights, live_weights, swapped_in, write_weights


class Trainer:
    """A training run; at its end the model holds the best weights found.

    Args:
        model: has `loss(batch, state) -> LossSum`; it is moved to the device, and ends in evaluation mode.
        batches: `epoch(index, start=0)` gives the same batches for the same index; `len` is their number.
        options: how to train.
        validate: batches for validation, a function that returns a loss, or None for the training loss.
        callbacks: hooks, called in this order.
        course: plan of the run; by default what the options say.
        threads: number of threads of torch; 0 = the number that torch has. During each update the run has exclusive use
            of the process's random numbers and settings, see `apart`.

    Raises:
        OptionError: an unknown optimiser or device, or an option that the optimiser does not have.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        options: TrainingOptions,
        *,
        validate: Validate = None,
        callbacks: Sequence[Callback] = (),
        course: Course | None = None,
        threads: int = 0,
    ) -> None:
        self.model, self.batches, self.options = model, batches, options
        self.device = choose_device(options.device)
        self.processes = Processes(self.device)
        self.apart = Apart(options.seed + self.processes.rank, self.device, threads)
        model.to(self.device)
        self.optimizer = make_optimizer(model, options)
        self.top_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.course = course or (UntilDone(options) if options.until_done else Limited(options))
        self.weights = live_weights(model)
        self.named_parameters = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.average = self._make_average()
        self.validation = Validation(validate, self.processes, self.device, self._autocast)
        self.stopping = EarlyStopping(options.patience)
        self.callbacks = [*callbacks, *(reporters(options) if self.processes.first else [])]
        self.history = History()
        self.at = Position()
        self.tally = LossSums()
        self.state: Any = None  # the final state of the batch before, detached
        self.loss = self.grad_norm = math.nan  # of the last update
        self.checkpoint_file = ""
        self._wants_stop = self._interrupted = False  # requests in this process
        self._interrupts = self._stops = 0.0  # number of processes with such a request, known to all of them
        self._started = time.perf_counter()
        self.pace = self._saved_at = 0.0  # seconds of the last update; seconds at the last checkpoint
        self._clear()

    # ---- the loop -----------------------------------------------------------------------------

    def run(self) -> History:
        """Train until the epochs, the minutes or the patience are over, or until it is stopped.

        Returns:
            The history of the run; also in `history`, and also after an error.

        Raises:
            NonFiniteLossError: NaN or infinity in the loss or the gradient; the model keeps finite weights.
            ArtifactError: a checkpoint that cannot be written, read or continued.
            DataError: batches without any target.
        """
        with catching_interrupts(self._interrupt):
            try:
                with self.apart.turn():
                    self._start()
                while not self._should_stop():
                    self._run_epoch()
                with self.apart.turn():
                    self._wind_up()
                    self.history.recipe = self.course.recipe(self)
            finally:
                with self.apart.turn():
                    self._settle()
                    self._tell("on_train_end")
        return self.history

    def _run_epoch(self) -> None:
        with self.apart.turn():
            self._tell("on_epoch_start")
        resumed, updates_before = self.at.batch > 0, self.at.update
        for batch in self.batches.epoch(self.at.epoch, start=self.at.batch):
            with self.apart.turn():
                self._backward(batch)
                if self.pending == self.options.accumulate:
                    self._update()
                    if self._should_stop():
                        return
        with self.apart.turn():
            self._end_epoch(resumed, updates_before)

    def _end_epoch(self, resumed: bool, updates_before: int) -> None:
        """Finish the last update, then evaluate, add a row to the history and write a checkpoint."""
        if self.pending:
            self._update()
        if self.at.update == updates_before and not resumed:
            raise DataError(message("batches", expected="at least one target in an epoch", received="none"))
        self.at.epoch, self.at.batch = self.at.epoch + 1, 0
        if self.tally.updates and self.course.due_after_epoch(self):
            self._look()
        self._tell("on_epoch_end")
        self._save_when_due()

    def _backward(self, whole: Batch) -> None:
        """Add one batch's gradient: of the summed loss, so that each batch is weighted by its count."""
        self.at.batch += 1
        self.pending += 1
        self.tally.steps += whole.num_steps
        self.at.steps += whole.num_steps
        batch = self.processes.shard(whole)
        if not len(batch):
            return
        if self.device.type != "cpu":
            batch = batch.to(self.device)
        for callback in self.callbacks:
            callback.on_batch_start(self, batch)
        with self._autocast():
            result: LossSum = self.model.loss(batch, self.state if batch.carries else None)  # type: ignore[operator]
        if result.total.requires_grad or result.count:
            result.total.backward()
        self.state = detach(result.state)  # truncated back-propagation: the state is carried on, the gradient is not
        self._loss = self._loss + result.total.detach().double()
        self._count += result.count

    def _update(self) -> None:
        """Make one step of the optimiser with the gradients added so far."""
        loss, count = self._agree()
        if count:
            self.processes.add_gradients([parameter for _, parameter in self.named_parameters])
            scale(self._gradients(), 1.0 / count)
            for callback in self.callbacks:
                callback.on_grad_computed(self, self.named_parameters)
            options = self.options
            norm = clip_gradients(self._gradients(), options.max_grad_norm, options.clip_value, options.clip_band)
            self.loss, self.grad_norm = loss / count, norm
            if not (math.isfinite(self.loss) and math.isfinite(norm)):
                first = self.at.batch - self.pending + 1
                batches = f"batch {first}" if first == self.at.batch else f"batches {first} to {self.at.batch}"
                where = f"at update {self.at.update + 1} (epoch {self.at.epoch + 1}, {batches})"
                raise self._non_finite("loss", f"loss {self.loss} with gradient norm {norm} {where}")
            self._set_learning_rate()
            self.optimizer.step()
            self.at.update += 1
            if self.average is not None:
                self.average.update(self.at.update)
            self.tally.loss, self.tally.count = self.tally.loss + loss, self.tally.count + count
            self.tally.norm, self.tally.updates = self.tally.norm + norm, self.tally.updates + 1
        self._clear()
        if count:
            for callback in self.callbacks:
                callback.on_update(self)
        if self.tally.updates and self.course.due(self):
            self._look()
        self._save_when_due()

    # ---- state of the loop --------------------------------------------------------------------

    def stop(self) -> None:
        """End training after the current update, keeping the best weights."""
        self._wants_stop = True

    @property
    def progress(self) -> float:
        """Share of the run that is over, 0 to 1."""
        return self.course.progress(self)

    @property
    def kept(self) -> dict[str, Tensor]:
        """Weights that are the result of training: their average if one is kept, else the model's own."""
        return self.weights if self.average is None or self.average.candidate else self.average.weights

    @property
    def updates_per_epoch(self) -> int:
        """Number of updates of an epoch; an estimate where `len(batches)` is one."""
        return max(1, math.ceil(len(self.batches) / self.options.accumulate))

    def restart_from_best(self) -> None:
        """Write the best weights so far into the model, and let the average start from them."""
        assert self.stopping.best is not None
        write_weights(self.weights, self.stopping.best)
        if self.average is not None:
            write_weights(self.average.weights, self.stopping.best)

    def _agree(self) -> tuple[float, float]:
        """Return the sum of loss and count over all processes, and synchronise their clock and stop requests."""
        mine = self._clock() if self.processes.first else 0.0
        loss, count, seconds, interrupts, stops = self.processes.sum(
            float(self._loss), self._count, mine, float(self._interrupted), float(self._wants_stop)
        )
        self.pace, self.at.seconds = seconds - self.at.seconds, seconds
        self._interrupts, self._stops = interrupts, stops
        return loss, count

    def _should_stop(self) -> bool:
        """Return whether training is over, and store why."""
        if self.processes.world == 1:
            self._interrupts, self._stops = float(self._interrupted), float(self._wants_stop)
        asked, over = "interrupted" if self._interrupts else "callback" if self._stops else "", self.course.end(self)
        reason = over if over == "epochs" else asked or over
        self.history.stopped, self.history.interrupted = reason, reason == "interrupted"
        return bool(reason)

    def _set_learning_rate(self) -> None:
        factor = self.course.rate(self)
        for group, top in zip(self.optimizer.param_groups, self.top_rates, strict=True):
            group["lr"] = top * factor
        self.at.learning_rate = self.top_rates[0] * factor

    def _look(self) -> None:
        """Evaluate the losses, add a row to the history, and keep the best weights."""
        loss, averaged, weights = self._best_candidate()
        tally, at = self.tally, self.at
        trained = at.seconds - tally.since
        (at.seconds,) = self.processes.sum(self._clock() if self.processes.first else 0.0)
        row = Row(
            epoch=self.epochs_done(),
            update=at.update,
            seconds=at.seconds,
            train_loss=tally.loss / tally.count,
            validation_loss=loss,
            learning_rate=at.learning_rate,
            grad_norm=tally.norm / tally.updates,
            steps_per_second=tally.steps / max(trained, 1e-9),
            averaged=averaged,
        )
        self.history.rows.append(row)
        self.validation.looked_at = at.seconds
        self.stopping.add(row.watched, row.epoch, weights, row.update)
        self.course.evaluated(self)
        self.tally = LossSums(since=at.seconds)
        for callback in self.callbacks:
            callback.on_validation(self, row)

    def _best_candidate(self) -> tuple[float | None, bool, dict[str, Tensor]]:
        """Return the lowest validation loss of the weights that may be kept, whether it is the average's, and them."""
        choices = [self.kept]
        if self.average is not None and self.average.candidate and self.validation.validate is not None:
            choices.append(self.average.weights)
        found: list[tuple[float | None, bool, dict[str, Tensor]]] = []
        for weights in choices:
            with swapped_in(self.weights, weights):
                loss = self.validation.loss(self.model)
            if loss is not None and not math.isfinite(loss):
                where = f"after update {self.at.update} (epoch {self.epochs_done():.4g})"
                raise self._non_finite("validation loss", f"{loss} {where}")
            found.append((loss, weights is not self.weights, weights))
        return min(found, key=lambda one: 0.0 if one[0] is None else one[0])

    # ---- beginning and end --------------------------------------------------------------------

    def _start(self) -> None:
        options = self.options
        if options.checkpoint:
            self.checkpoint_file = take_up(self)
        if not self.stopping.evaluations:
            self.stopping.best = copy_weights(
                self.weights
            )  # until the first evaluation: the weights to restore after NaN
        if options.checkpoint:
            self.processes.barrier()  # no process writes before all have read
            self._save()  # a folder that cannot be written is reported now, not after an hour
        self.processes.share_weights(list(self.weights.values()))
        self.model.train()
        self._started = time.perf_counter() - self.at.seconds
        self._saved_at = self.at.seconds
        self._tell("on_train_start")

    def _wind_up(self) -> None:
        """Make the last evaluation and write the last checkpoint."""
        usual = self.at.batch == 0 and not self.course.by_updates
        if not usual:  # an uninterrupted run would not evaluate here, so the checkpoint is written before
            self._save()
        if self.tally.updates:
            self._look()
        if usual:
            self._save()

    def _settle(self) -> None:
        """Leave the best healthy weights in the model: never NaN, whatever ended training."""
        best = self.stopping.best
        choices = [best] if self.stopping.evaluations and self.course.chooses else [self.kept, best]
        healthy = next((weights for weights in choices if weights is not None and all_finite(weights)), None)
        if healthy is not None:
            write_weights(self.weights, healthy)
        self.optimizer.zero_grad()
        self.model.eval()

    def _save_when_due(self) -> None:
        if self.at.seconds - self._saved_at >= 60.0 * self.options.checkpoint_minutes:
            self._save()

    def _save(self) -> None:
        if not self.options.checkpoint:
            return
        captured, fault = capture(self), None
        try:
            if captured is not None:
                self.checkpoint_file = str(write_checkpoint(self.options.checkpoint, self.at.update, *captured))
        except ArtifactError as caught:
            fault = caught
        # the other processes wait here, so that none reads a file while it is replaced, and all end on a full disk
        if self.processes.any(fault is not None):
            raise fault or ArtifactError("checkpoint: the first process could not write it; see its message")
        self._saved_at = self.at.seconds

    def _non_finite(self, what: str, received: str) -> NonFiniteLossError:
        kept = (
            f"those after epoch {self.stopping.best_epoch:.4g}" if self.stopping.evaluations else "the last finite ones"
        )
        saved = f"; the last healthy checkpoint is {self.checkpoint_file}" if self.checkpoint_file else ""
        return NonFiniteLossError(
            message(
                what,
                expected="finite numbers",
                received=received,
                remedy=f"the model keeps its healthy weights, {kept}{saved}; "
                "look for NaN or huge values in the data, or lower learning_rate or max_grad_norm",
            )
        )

    # ---- small helpers ------------------------------------------------------------------------

    def _make_average(self) -> Average | None:
        """Return the average that is kept, or one that may be kept; tables of sparse gradients are too large for it."""
        wanted, candidate = self.options.average, self.course.averages and not sparse_parameters(self.model)
        return (
            Average(self.weights, wanted or 1.0, candidate=not wanted and self.course.chooses)
            if wanted or candidate
            else None
        )

    def _autocast(self) -> torch.autocast:
        wanted = self.options.precision
        enabled = wanted == "bfloat16" or (wanted == "auto" and self.device.type == "cpu" and fast_bfloat16())
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def _gradients(self) -> list[Tensor]:
        return gradient_values(parameter for _, parameter in self.named_parameters)

    def epochs_done(self, shift: float = 0.0) -> float:
        """Return the epochs so far, with a fraction; `len(batches)` may be an estimate, but no epoch counts twice."""
        return self.at.epoch + min(1.0, (self.at.batch + shift) / max(len(self.batches), 1))

    def _clear(self) -> None:
        self.pending, self._loss, self._count = 0, 0.0, 0.0
        self.optimizer.zero_grad()

    def _clock(self) -> float:
        return time.perf_counter() - self._started

    def _interrupt(self) -> None:
        self._interrupted = True

    def _tell(self, hook: str) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self)
