"""Saving of the tasks that predict the item of a user's next event."""

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor

from unrolled.codecs.record import Record
from unrolled.codecs.tables.catalogue import Catalogue
from unrolled.codecs.tables.event_time import EventTimes
from unrolled.errors import ArtifactError, message
from unrolled.tasks.items.known_users import KnownUsers
from unrolled.tasks.shared.replay import Replay
from unrolled.tasks.shared.saving import Saved
from unrolled.training.weights import under


class SavedEvents(Saved):
    """A task that keeps a catalogue, the codecs of its events, the users it saw, and events to replay."""

    def _to_record(self: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
        record, tensors = super()._to_record()
        parts = {"replay": self.replay_.tensors(), "users": self.users_.to_tensors()}
        return record, tensors | {f"{part}.{name}": one for part, found in parts.items() for name, one in found.items()}

    @classmethod
    def _from_record(cls, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Self:
        task: Any = super()._from_record(record, tensors)
        task.replay_ = Replay.from_tensors(under("replay.", tensors))
        task.users_ = KnownUsers.from_tensors(under("users.", tensors))
        return task

    def _learnt_to_json(self: Any) -> dict[str, Any]:
        return {
            "catalogue": self.catalogue_.to_json(),
            "times": None if self.times_ is None else self.times_.to_json(),
            "features": None if self.features_ is None else self.features_.to_json(),
            "item_features": None if self.item_features_ is None else self.item_features_.to_json(),
        }

    def _learnt_from_json(self: Any, data: Mapping[str, Any]) -> None:
        self.catalogue_ = Catalogue.from_json(data["catalogue"])
        self.times_ = None if data["times"] is None else EventTimes.from_json(data["times"])
        if self.times_ is not None and self.time is None:
            raise ArtifactError(message("time", expected="a column, because times were learnt", received="none"))
        self.features_ = None if data["features"] is None else Record.from_json(data["features"])
        self.item_features_ = None if data["item_features"] is None else Record.from_json(data["item_features"])
        self._described = None  # stored among the network's own tensors
