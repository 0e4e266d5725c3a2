"""What sessions count."""

from dataclasses import dataclass


@dataclass
class Counts:
    """What happened so far; how many events each."""

    events: int = 0
    batches: int = 0
    largest_batch: int = 0
    conflicts: int = 0
    retries: int = 0
    repeated: int = 0
    refused: int = 0
    unavailable: int = 0
    restarted: int = 0
    expired: int = 0
    evicted: int = 0

    def batch(self, size: int) -> None:
        """One more batch, of so many events."""
        self.batches += 1
        self.largest_batch = max(self.largest_batch, size)
