"""What sessions count."""

from dataclasses import dataclass

from unrolled.errors import RepeatedEvent


@dataclass
class Counts:
    """What happened so far; how many events each."""

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
        """One more event that came again: it was answered as before, or refused."""
        self.repeated += not isinstance(answer, RepeatedEvent)
        self.too_late += isinstance(answer, RepeatedEvent)

    def batch(self, size: int) -> None:
        """One more batch, of so many events."""
        self.batches += 1
        self.largest_batch = max(self.largest_batch, size)
