"""Streams of a task, event by event, and the check that they give the answers of whole sequences."""

from typing import Any

from unrolled.codecs.holding import value_columns
from unrolled.errors import UnsupportedError
from unrolled.streaming.fingerprint import fingerprint
from unrolled.streaming.stream import Stepping, Stream, refuse_others
from unrolled.tasks.shared.laws_check import Check, check_task
from unrolled.tasks.shared.saving import state_of

# attributes that give a stream's state its meaning, besides what was learnt
SHAPING = ("cell", "layers", "pooling", "horizon", "quantiles", "strategy", "output", "warm_up", "quiet")


class Streamed:
    """A task that can answer event by event, if its network reads forwards only."""

    def stream(self: Any, **options: Any) -> Stream:
        """Return a stream: raw events in, answers out, and a state that is a value which the caller keeps.

        Args:
            options: options of the task, such as `top` of a language model or `k` of a recommender.

        Raises:
            UnsupportedError: a model that reads whole sequences before its first answer.
            OptionError: an option that the task does not have.
        """
        network = self._fitted()
        refuse_others(options, self._stepping)
        steps = self._stepping(**options)
        given = {name: value for name, value in self.get_params(deep=False).items() if name in SHAPING}
        plain = [type(self).__name__, given, self._learnt_to_json(), options]
        weights = dict(network.state_dict())
        if self.blend_ is not None:
            plain.append(self.blend_.to_json())
            for key in (key for key in self.blend_.used if key in self.baselines_):
                said, arrays = state_of(key, self.baselines_[key])
                plain.append(said)
                weights |= arrays
        codecs = [*self._input_codecs(), *self._answer_codecs()]
        growing = {name for codec in self._input_codecs() if codec.spec.per_step for name in value_columns(codec)}
        unnamed = growing.pop() if len(growing) == 1 else ""
        return Stream(steps, fingerprint(plain, weights), self.schema_, codecs, unnamed)

    def check(self: Any, data: Any, y: Any = None, seed: int = 0) -> Check:
        """Check the laws on this model: whole sequences, chunks, single steps, many streams, outputs and gradients.

        Args:
            data: what `evaluate` takes; a few sequences are used.
            y: targets, when `data` is a list of sequences.
            seed: random seed of the places where sequences are cut.

        Returns:
            A report that prints; its `holds` says whether every law holds.
        """
        return check_task(self, data, y, seed)

    def _stepping(self, *args: Any, **options: Any) -> Stepping:
        """Return the task's part of a stream."""
        raise UnsupportedError(
            f"a {type(self).__name__} reads the whole source before its first answer, so there is nothing to stream; "
            "use predict(data)"
        )
