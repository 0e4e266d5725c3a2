"""Finding: what an inspection has to say, in one sentence."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Args:
        check: the function that found it.
        sentence: what happened, where, and what to do; it is what the finding prints as.
        gap: the largest difference between two outputs that should be the same.

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
        """Plain values."""
        return asdict(self)
