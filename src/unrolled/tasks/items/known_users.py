"""The users that a model was trained on, to count those that it never saw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from unrolled.data.event_log import EventLog
from unrolled.errors import ArtifactError, message
from unrolled.reading_report import LOOKED_AT, note

DIGEST = 8  # bytes kept of each user: no name is stored, and a million users take 8 MB


@dataclass(frozen=True, eq=False)
class KnownUsers:
    """The users of the training data, as sorted digests.

    Args:
        digests: one for each user, (U,); empty where the users have no names, such as those of a list of sessions.

    Example:
        >>> users = KnownUsers().joined(pl.Series(["ada", "bob"]))
        >>> users.unseen(pl.Series(["bob", "eve"])).to_list()
        ['eve']
    """

    digests: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def joined(self, users: pl.Series) -> Self:
        """Return these users and further ones."""
        return type(self)(np.union1d(self.digests, _digests(users)))

    def unseen(self, users: pl.Series) -> pl.Series:
        """Return those of some users that are not among these."""
        return users.filter(pl.Series(~np.isin(_digests(users), self.digests), dtype=pl.Boolean))

    def note(self, log: EventLog) -> None:
        """Count the users of a log that training never saw, for the report of the current call."""
        if len(self.digests):
            unseen = self.unseen(log.users)
            note("unseen users", len(unseen), len(log.users), unseen.head(LOOKED_AT).to_list())

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the digests by name."""
        return {"digests": torch.from_numpy(self.digests)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """Restore what `to_tensors` returned; a model of an earlier version knows no users."""
        if not tensors:
            return cls()
        digests = tensors["digests"]
        if digests.dtype != torch.int64 or digests.dim() != 1:
            raise ArtifactError(message("users", expected="one whole number each", received=str(digests.dtype)))
        return cls(digests.numpy())


def _digests(users: pl.Series) -> np.ndarray:
    return np.array([_digest(user) for user in users.to_list()], dtype=np.int64)


def _digest(user: Any) -> int:
    return int.from_bytes(blake2b(str(user).encode(), digest_size=DIGEST).digest(), "little", signed=True)
