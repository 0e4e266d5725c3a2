"""Series that cannot be read or answered: others are answered all the same, and these are named."""

from collections.abc import Sequence

from unrolled.data.calendars.faults import refuse_all, warn_of_faults
from unrolled.tasks.series.series import Series


def left_out(series: Sequence[Series]) -> None:
    """Warn of the series that could not be read.

    Raises:
        DataError: no series could be read.
    """
    faults = [one.fault for one in series if one.fault is not None]
    refuse_all(faults, len(series))
    warn_of_faults(f"{len(faults)} of {len(series)} series left out", faults)
