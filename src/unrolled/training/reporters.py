"""The callbacks that show or write how a run goes, as its options say."""

from unrolled.training.callbacks import Callback
from unrolled.training.options import TrainingOptions

PATIENCE = 5.0  # seconds of training before a progress line appears that was not asked for


def reporters(options: TrainingOptions) -> list[Callback]:
    """Return the callbacks that the options ask for.

    Args:
        options: `tensorboard` and `progress` are read.

    Raises:
        OptionError: the tensorboard package is not installed.

    Example:
        >>> [type(one).__name__ for one in reporters(TrainingOptions(progress=True))]
        ['ProgressLine']
    """
    found: list[Callback] = []
    if options.tensorboard:
        from unrolled.training.tensorboard import TensorBoard

        found.append(TensorBoard(options.tensorboard))
    if options.progress is not False:
        from unrolled.training.progress import ProgressLine, is_watched

        if options.progress or is_watched():
            found.append(ProgressLine(after=0.0 if options.progress else PATIENCE))
    return found
