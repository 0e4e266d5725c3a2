"""A run of training that ends at a chosen update."""

from unrolled.training.callbacks import Callback


class StopAt(Callback):
    """Stops after an update, or raises an error there if `how` is "break"."""

    def __init__(self, update, how):
        self.update, self.how = update, how

    def on_update(self, trainer):
        if trainer.at.update == self.update:
            if self.how == "break":
                raise RuntimeError("power cut")
            trainer.stop()
