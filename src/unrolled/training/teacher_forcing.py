"""TeacherForcing: lowers the share of true tokens that a decoder reads during training."""

from unrolled.batch import Batch
from unrolled.training.callbacks import Callback
from unrolled.training.run_state import RunState


class TeacherForcing(Callback):
    """A callback that lowers a model's `teacher_forcing` linearly from 1 (all tokens true) to `last` at the end.

    Args:
        last: share of true tokens at the end.

    Source: S. Bengio et al., "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks", NeurIPS
    2015, section 2.4, linear decay.
    """

    def __init__(self, last: float) -> None:
        self.last = last

    def on_batch_start(self, trainer: RunState, batch: Batch) -> None:
        """Set the share for this batch."""
        trainer.model.teacher_forcing = 1 - (1 - self.last) * trainer.progress  # type: ignore[assignment]
