"""Steps: what a baseline for whole sequences keeps of a record that grows event by event, and reads of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unrolled.baselines.base import Baseline
from unrolled.baselines.values import Example
from unrolled.state_forms import Exactly, FixedParts, Form


@dataclass(frozen=True)
class Columns:
    """The columns of a record that grows.

    Args:
        names: all columns, in the order of the records that the baselines learnt from.
        texts: those whose text grows.
        lists: those whose list of steps grows. All others have one value for the whole sequence.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    def single(self, piece: Example) -> dict[str, Any]:
        """Return the values of a piece that belong to the whole sequence."""
        return {name: piece[name] for name in self.names if name not in self.texts and name not in self.lists}


class Steps(ABC):
    """The state of one sequence, as a value of bounded size; a step returns a new one and never changes it.

    After any number of pieces, `read` returns the features of the record that the pieces make up.

    Attributes:
        initial: state before the first piece.
        form: of a state.
    """

    initial: Any
    form: Form

    @abstractmethod
    def step(self, piece: Example, state: Any) -> Any:
        """Return the state after a piece: what is added to growing columns, and the values of the others."""

    @abstractmethod
    def read(self, piece: Example, state: Any) -> Any:
        """Return the features of all pieces so far; `piece` is the last one."""


class ClassBaseline(Baseline):
    """A baseline for the class of a whole sequence that can also follow a sequence step by step."""

    @abstractmethod
    def steps(self, columns: Columns) -> Steps:
        """Return the steps of this fitted baseline for records with these columns."""

    @abstractmethod
    def shares(self, features: Any) -> Any:
        """Return the probabilities of the classes, (K,), from features that `steps` read."""


class NoSteps(Steps):
    """Nothing is kept, and nothing is read."""

    initial: Any = ()
    form: Form = Exactly(())

    def step(self, piece: Example, state: Any) -> Any:
        return state

    def read(self, piece: Example, state: Any) -> None:
        return None


class BothSteps(Steps):
    """Two kinds of steps at once; `read` returns a pair.

    Args:
        one: the first.
        other: the second.
    """

    def __init__(self, one: Steps, other: Steps) -> None:
        self.one, self.other = one, other
        self.initial = (one.initial, other.initial)
        self.form = FixedParts(one.form, other.form)

    def step(self, piece: Mapping[str, Any], state: Any) -> tuple[Any, Any]:
        return self.one.step(piece, state[0]), self.other.step(piece, state[1])

    def read(self, piece: Mapping[str, Any], state: Any) -> tuple[Any, Any]:
        return self.one.read(piece, state[0]), self.other.read(piece, state[1])
