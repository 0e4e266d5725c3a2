"""Counters of a Sessions object."""

from dataclasses import dataclass

from unrolled.errors import RepeatedEvent


@dataclass
class Counts:
    """Numbers of events, batches and sessions since the start."""

    events: int = 0
    batches: int = 0
    largest_batch: int = 0
    conflicts: int = 0
    retries: int = 0
    repeated: int = 0
    too_late: int = 0
    refused: int = 0
    unavailable: int = 0
    restarted: int = 0
    expired: int = 0
    evicted: int = 0

    def count_repeat(self, answer: object) -> None:
        """Count a repeated event: it got its earlier answer again, or was refused."""
        self.repeated += not isinstance(answer, RepeatedEvent)
        self.too_late += isinstance(answer, RepeatedEvent)

    def batch(self, size: int) -> None:
        """Count a batch of `size` events."""
        self.batches += 1
        self.largest_batch = max(self.largest_batch, size)
