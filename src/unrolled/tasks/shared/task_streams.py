"""What every task offers event by event: a stream, and the proof that it says what whole sequences say."""

from typing import Any

from unrolled.errors import UnsupportedError
from unrolled.streaming.fingerprint import fingerprint
from unrolled.streaming.stream import Stepping, Stream, refuse_others
from unrolled.tasks.shared.laws_check import Check, check_task

# what gives a stream's state its meaning, beside what was learnt
SHAPING = ("cell", "layers", "pooling", "horizon", "quantiles", "strategy", "output", "warm_up", "quiet")


class Streamed:
    """A task that can be asked event by event, if its network reads forwards only."""

    def stream(self: Any, **options: Any) -> Stream:
        """Ask event by event: raw events in, answers out, and what is remembered is a value that you keep.

        Args:
            options: the task's own, such as `top` of a language model or `k` of a recommender.

        Raises:
            UnsupportedError: a model that reads whole sequences before its first answer.
            OptionError: an option that the task does not have.
        """
        network = self._fitted()
        refuse_others(options, self._stepping)
        steps = self._stepping(**options)
        given = {name: value for name, value in self.get_params(deep=False).items() if name in SHAPING}
        plain = [type(self).__name__, given, self._learnt_to_json(), options]
        return Stream(steps, fingerprint(plain, network.state_dict()))

    def check(self: Any, data: Any, y: Any = None, seed: int = 0) -> Check:
        """Prove the laws on this model: whole sequences, chunks, single steps, many streams, outputs and gradients.

        Args:
            data: what `evaluate` takes; a few sequences are tried.
            y: targets, when `data` is a list of sequences.
            seed: of the places where sequences are cut.

        Returns:
            A report that prints; its `holds` says whether every law does.
        """
        return check_task(self, data, y, seed)

    def _stepping(self, *args: Any, **options: Any) -> Stepping:
        """The task's part of a stream."""
        raise UnsupportedError(
            f"a {type(self).__name__} reads the whole source before its first answer, so there is nothing to stream; "
            "use predict(data)"
        )
