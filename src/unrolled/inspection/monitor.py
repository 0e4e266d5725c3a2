"""GradientFlowMonitor: gradient flow at chosen updates of a training run, with alarms."""

import warnings
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.errors import OptionError, message
from unrolled.inspection.gradient_flow import gradient_flow
from unrolled.inspection.records import GradientFlow, LayerFlow
from unrolled.inspection.updates import ratio
from unrolled.training.callbacks import Callback
from unrolled.training.run_state import RunState
from unrolled.training.tensorboard import TensorBoard


class GradientFlowWarning(UserWarning):
    """A problem with gradient flow; the message says why and what to do."""


class GradientFlowMonitor(Callback):
    """Measures gradient flow every few updates, warns once per cause, and writes to TensorBoard if that is on.

    Training is bit for bit the same as without it: a measurement draws no random numbers and changes no weights.

    Args:
        every: updates between two measurements; the first is at the first update.
        detail: as in `gradient_flow`; without it a measurement costs a few training steps.
        alarm: warn of new findings with a `GradientFlowWarning`.

    Attributes:
        flows: the update and the record of every measurement.

    Raises:
        OptionError: `every` below 1.

    Example:
        >>> monitor = GradientFlowMonitor(every=100)
        >>> monitor.flows  # after a run with callbacks=[monitor]: one for each look
        []
    """

    def __init__(self, every: int = 100, detail: bool = False, alarm: bool = True) -> None:
        if every < 1:
            raise OptionError(message("every", expected="an integer >= 1", received=every))
        self.every, self.detail, self.alarm = every, detail, alarm
        self.flows: list[tuple[int, GradientFlow]] = []
        self.batch: Batch | None = None
        self.state: Any = None  # the state that the batch continues from
        self.before: dict[str, Tensor] = {}
        self.warned: set[tuple[str, str]] = set()

    def on_batch_start(self, trainer: RunState, batch: Batch) -> None:
        self.batch, self.state = batch, trainer.state if batch.carries else None

    def on_grad_computed(self, trainer: RunState, named_parameters: Sequence[tuple[str, nn.Parameter]]) -> None:
        self.before = {}
        if trainer.at.update % self.every == 0 and trainer.processes.first:
            self.before = {name: weight.detach().clone() for name, weight in named_parameters}

    def on_update(self, trainer: RunState) -> None:
        if not self.before or self.batch is None:
            return
        flow = gradient_flow(
            trainer.model,
            self.batch,
            loss=lambda model, batch: model.loss(batch, self.state),  # type: ignore[operator]
            detail=self.detail,
            updates=self._updates(trainer.named_parameters),
        )
        self.before = {}
        self.flows.append((trainer.at.update, flow))
        self._write(trainer, flow)
        if self.alarm:
            self._warn(flow, trainer.at.update)

    def _updates(self, named_parameters: Sequence[tuple[str, nn.Parameter]]) -> dict[str, float]:
        """Return the update ratios of the last optimiser step."""
        matrices = [(name, weight.detach()) for name, weight in named_parameters if weight.ndim > 1]
        return {
            name: ratio(weight - self.before[name], self.before[name])
            for name, weight in matrices
            if bool(self.before[name].any())
        }

    def _write(self, trainer: RunState, flow: GradientFlow) -> None:
        boards = [callback for callback in trainer.callbacks if isinstance(callback, TensorBoard)]
        for board in boards:
            for layer in flow.layers:
                for name, value in _scalars(layer).items():
                    board.writer.add_scalar(f"gradient_flow/{layer.name}/{name}", value, trainer.at.update)

    def _warn(self, flow: GradientFlow, update: int) -> None:
        for finding in flow.findings:
            if (finding.cause, finding.layer) not in self.warned:
                self.warned.add((finding.cause, finding.layer))
                warnings.warn(f"update {update}: {finding.sentence}", GradientFlowWarning, stacklevel=2)


def _scalars(layer: LayerFlow) -> dict[str, float]:
    """Return the values of a layer for TensorBoard."""
    scalars = {f"flat/{gate.name}": gate.flat for gate in layer.gates}
    scalars |= {f"update/{name}": size for name, size in layer.updates.items()}
    scalars["dead_units"] = layer.units.dead
    if layer.decay is not None:
        scalars["rate"] = layer.decay.rate
    if layer.factors is not None:
        scalars["c"] = layer.factors.mean
    return scalars
