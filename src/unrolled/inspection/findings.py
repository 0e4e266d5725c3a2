"""Finding: the result of a check that failed, in one sentence."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """The problem that a check found.

    Args:
        check: name of the check.
        sentence: what happened, where, and what to do; printing the finding shows it.
        gap: the largest difference between two outputs that should be equal.

    Example:
        >>> print(Finding("looks_into_the_future", "The output at step 0 reads step 1.", 0.5))
        The output at step 0 reads step 1.
    """

    check: str
    sentence: str
    gap: float

    def __str__(self) -> str:
        return self.sentence

    def to_json(self) -> dict[str, Any]:
        """Convert the finding to plain values."""
        return asdict(self)
