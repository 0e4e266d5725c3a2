"""SequenceModel: predicts the next vector of a sequence, such as a frame of a piano roll or a point of a stroke."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from unrolled.arrangements.many_to_many import NextStep
from unrolled.baselines.base import Baseline
from unrolled.baselines.densities import GaussianFrames
from unrolled.baselines.registry import density_baselines, frame_baselines
from unrolled.batch import Batch
from unrolled.codecs.tables.frames import AUTO, Frames
from unrolled.data.batching import BatchSource, Buckets, Lanes
from unrolled.data.source import Source
from unrolled.decoding.sampling import generator_of
from unrolled.errors import DataError, OptionError, finite_number, message, unknown, whole_number
from unrolled.metrics.number_scores import frame_scores
from unrolled.metrics.scores import Scores
from unrolled.nn.heads import BinaryVectorOutput, NumberOutput, Output
from unrolled.nn.inputs import InputLayer
from unrolled.nn.mixture import MixtureOutput
from unrolled.nn.output import COLDEST
from unrolled.ragged import Ragged
from unrolled.streaming.network_steps import NetworkSteps
from unrolled.tasks.base import Task
from unrolled.tasks.kinds import ReadsFrames
from unrolled.tasks.shared.batch_sizes import batch_size_for
from unrolled.tasks.shared.column_codecs import require
from unrolled.tasks.shared.given_examples import frames_of, name_of
from unrolled.tasks.vectors.densities import density_answers, in_own_units, scores_in_own_units
from unrolled.tasks.vectors.frame_stream import FrameReader
from unrolled.tasks.vectors.sequence_sampling import draw, ended, started, step
from unrolled.training.options import TrainingOptions

OUTPUTS = ("auto", "mixture")
COMPONENTS = 10  # of a mixture by default


class SequenceModel(ReadsFrames, Task):
    """A model of sequences of vectors; it predicts probabilities of binary vectors, and values or a density of others.

    With `output="mixture"` it learns a density of whole sequences, from the first vector to the end, and draws new
    ones. Columns in which every number is 0 or 1, such as a lifted pen, are then switches with a probability.

    Args:
        frames: the column that holds a list of equally long vectors, or `Frames("roll")`. Numbers other than 0 and 1
            are standardised, see `Frames`; predictions are in their own units.
        cell: a name in `unrolled.cells.registry.CELLS`, or conv for a causal convolutional network.
        hidden_size: hidden units of each layer.
        num_layers: recurrent layers.
        dropout: share of values set to zero in training, on the inputs, between layers and before the answer.
        layers: further options of `unrolled.nn.stack.Stack`: variational, layer_norm, residual, learn_initial_state,
            recurrent_dropout, zoneout.
        training: training options kept with the model; `fit` may override them.
        output: auto (probabilities of binary vectors, values of others) or mixture (a density, see `MixtureOutput`).
        components: Gaussians of a mixture; 10 by default.

    Example:
        >>> import numpy as np, unrolled as ur
        >>> blink = [{"frames": [[t % 2, 1 - t % 2] for t in range(10)]} for _ in range(20)]
        >>> model = ur.SequenceModel(hidden_size=8, dropout=0.0).fit(blink, epochs=40, learning_rate=0.02)
        >>> model.generate([[0, 1]], length=3).tolist()
        [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 5e-3}

    def __init__(
        self,
        frames: str | Frames = "frames",
        cell: str = "lstm",
        hidden_size: int = 200,
        num_layers: int = 1,
        dropout: float = 0.2,
        layers: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        output: str = "auto",
        components: int | None = None,
    ) -> None:
        self.frames = frames
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.layers = layers
        self.training = training
        self.output = output
        self.components = components

    # ---- learning ---------------------------------------------------------------------------

    def _convert(self, data: Any, y: Any = None) -> Source:
        if y is not None:
            return super()._convert(data, y)
        return frames_of(data, name_of(self.frames) or "frames")

    def _learn(self, source: Source) -> None:
        if self.output not in OUTPUTS:
            raise unknown("output", str(self.output), OUTPUTS)
        if self.components is not None and not self._mixture:
            raise OptionError(message("components", expected='None without output="mixture"', received=self.components))
        codec = Frames(self.frames) if isinstance(self.frames, str) else copy.deepcopy(self.frames)
        if not isinstance(codec, Frames):
            raise OptionError(message("frames", expected="a column or Frames", received=repr(codec)))
        require(source, codec.columns, "frames")
        self.codec_ = codec.fit(source)
        if self._mixture:
            self._need_numbers()
            self.codec_.leave(self.codec_.switches_)

    def _need_numbers(self) -> None:
        if len(self.codec_.switches_) == self.codec_.spec.size:
            raise DataError(
                message(
                    self.codec_.columns[0],
                    expected="a column with other numbers than 0 and 1, for a mixture",
                    received="only 0 and 1",
                    remedy='output="auto" gives a probability for each',
                )
            )

    def _encode(self, source: Source, targets: bool = True) -> Batch:
        require(source, self.codec_.columns)
        if self._mixture:
            observed = self.codec_.observe(list(source))  # missing values add no loss to a mixture
            read = started(observed.map(lambda frames: frames.nan_to_num(nan=0.0)))
            return Batch({"frames": read}, targets=ended(observed) if targets else None)
        frames = self.codec_.encode(list(source))
        if self._binary:
            _need_zeros_and_ones(self.codec_, frames)
        if not targets:
            return Batch({"frames": frames})
        before = frames.slice(0, (frames.lengths - 1).clamp(min=0))
        after = frames.slice(1, frames.lengths.clamp(min=1))
        if not after.num_steps:
            raise DataError(message("data", expected="a sequence of at least 2 frames", received="only shorter ones"))
        return Batch({"frames": before}, targets=after)

    @property
    def _mixture(self) -> bool:
        return self.output == "mixture"

    @property
    def _binary(self) -> bool:
        return self.codec_.binary_ and self.codec_.scaling in ("none", AUTO) and not self._mixture

    def _output(self) -> Output:
        width = self.codec_.spec.size
        if self._mixture:
            components = COMPONENTS if self.components is None else self.components
            return MixtureOutput(width, components, self.codec_.switches_, ends=True)
        return BinaryVectorOutput(width) if self._binary else NumberOutput(width)

    def _make_network(self) -> nn.Module:
        spec = self.codec_.spec
        spec = replace(spec, size=spec.size + 1) if self._mixture else spec  # plus the start flag
        inputs = InputLayer({"frames": spec}, self.dropout)
        layers = self._make_layers(inputs.size)
        return NextStep(inputs, layers, self._output(), self.dropout)

    def _batches(self, examples: Batch, options: TrainingOptions, shuffle: bool) -> BatchSource:
        rows = options.batch_size or batch_size_for(examples.batch_size)
        if options.bptt_steps:
            return Lanes(examples, rows, options.bptt_steps, seed=options.seed, shuffle=shuffle)
        return Buckets(examples, rows, seed=options.seed, shuffle=shuffle)

    # ---- answers ----------------------------------------------------------------------------

    def predict(self, data: Any) -> list[np.ndarray]:
        """Return the prediction at each step, (T, V) per sequence: probabilities, values, or the mean of a mixture."""
        said = [frames.astype(np.float32) for frames in self._next(self._asked(data))]
        return self._own_units([rows[1:, :-1] for rows in said] if self._mixture else said)

    def _own_units(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Convert frames of numbers to the units and form of the column; probabilities are unchanged."""
        return list(sequences) if self._binary else in_own_units(self.codec_, sequences)

    def _next(self, examples: Batch) -> list[np.ndarray]:
        answers: list[np.ndarray] = [np.empty(0)] * examples.batch_size
        for rows, raw in self._answers(examples):
            for row, sequence in zip(rows.tolist(), raw, strict=True):
                answers[row] = self.network_.output.describe(sequence.double()).numpy()
        return answers

    def generate(
        self, prompt: Any = (), length: int = 100, temperature: float | None = None, seed: int | None = None
    ) -> np.ndarray:
        """Continue a prompt.

        Args:
            prompt: frames to start from, (T, V), in the form of the column; a mixture needs none.
            length: number of frames to add; a maximum for a mixture, whose sequences end by themselves.
            temperature: 0 takes the most probable, 1 draws, above 1 more random; None is 1 for a mixture, and 0 for
                binary frames. Frames of numbers are not drawn.
            seed: for reproducible draws.

        Returns:
            The frames added, (length, V), in the form of the column.

        Raises:
            OptionError: a temperature for frames of numbers, which are not drawn, or one below 0.
            DataError: no prompt, for a model that is no mixture.
        """
        network = self._fitted().eval()
        if self._mixture:
            return self.draw(1, length, temperature, seed, prompt)[0]
        temperature = finite_number("temperature", temperature or 0.0, least=0)
        if temperature and not self._binary:
            raise OptionError(message("temperature", expected="0, or above 0 for binary frames", received=temperature))
        length = whole_number("length", length, least=0)
        generator = generator_of(seed)
        if not len(prompt):
            raise DataError(message("prompt", expected="at least one frame", received="none"))
        state = network.initial_state(1)
        drawn = []
        with torch.no_grad():
            raw = torch.empty(0)
            for frame in self._prompt(prompt):
                raw, state = step(network, frame[None], state)
            for _ in range(length):
                frame = self._choose(raw, temperature, generator)
                drawn.append(frame)
                raw, state = step(network, frame[None], state)
        frames = torch.stack(drawn) if drawn else torch.empty(0, self.codec_.spec.size)
        return in_own_units(self.codec_, [frames.numpy()])[0]

    def draw(
        self,
        count: int,
        length: int = 1000,
        temperature: float | None = None,
        seed: int | None = None,
        prompt: Any = (),
    ) -> list[np.ndarray]:
        """Draw many sequences in parallel from a mixture; they end by themselves.

        Args:
            count: number of sequences to draw.
            length: maximum number of frames to draw.
            temperature: 0 takes the most probable, 1 (also None) draws from the model, above 1 is more random.
            seed: for reproducible draws.
            prompt: frames that all sequences start from, (T, V); they are not returned.

        Returns:
            The frames of each sequence, (T, V), in the form of the column.

        Raises:
            OptionError: a model that is no mixture, or a number out of its range.
        """
        network = self._fitted().eval()
        if not self._mixture:
            raise OptionError(
                message("output", expected='"mixture", which can be drawn from', received=repr(self.output))
            )
        count, length = whole_number("count", count, least=0), whole_number("length", length, least=0)
        generator = generator_of(seed)
        warmth = 1.0 if temperature is None else finite_number("temperature", temperature, least=0)
        drawn = draw(network, self._prompt(prompt), count, length, warmth, generator)
        return in_own_units(self.codec_, [frames.numpy() for frames in drawn])

    def _prompt(self, prompt: Any) -> torch.Tensor:
        """Return frames as the network reads them, (T, V)."""
        if not len(prompt):
            return torch.empty(0, self.codec_.spec.size)
        return self.codec_.encode([{self.codec_.columns[0]: [list(frame) for frame in prompt]}]).values

    def _choose(self, raw: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
        if not self._binary:
            return raw[0]
        if temperature < COLDEST:
            return (raw[0] > 0).float()
        return torch.bernoulli((raw[0] / temperature).sigmoid(), generator=generator)

    def _stepping(self) -> NetworkSteps:
        reader = FrameReader(self.codec_, self.network_.output, self._own_units, self._mixture)
        return NetworkSteps(self.network_, reader)

    def evaluate(self, data: Any, y: Any = None) -> Scores:
        """Return nats per frame for binary frames and mixtures, squared errors for numbers, next to the baselines'.

        A mixture's nats are those of a density in the column's own unit, and may be negative.

        Args:
            data: what `fit` takes.
            y: not used; the next frame is the target.
        """
        self._fitted()
        examples = self._encode(self._source(data))
        if self._mixture:
            return self._density_scores(examples)
        assert isinstance(examples.targets, Ragged)
        truth = self._own_units([frames.numpy() for frames in examples.targets])
        before = self._plain(examples)
        rivals = {baseline.name: self._own_units(baseline.predict(before)) for baseline in self.baselines_.values()}
        if self.rival_ is not None:
            rivals["causal convolution net of the same size"] = self._own_units(self.rival_._next(examples))
        return frame_scores(truth, self._own_units(self._next(examples)), rivals, binary=self._binary)

    def _density_scores(self, examples: Batch) -> Scores:
        """Return the nats of whole sequences, next to those of the baselines."""
        answers = {"": density_answers(self._answers(examples), self.network_.output, examples)}
        for baseline in self.baselines_.values():
            assert isinstance(baseline, GaussianFrames)
            plain = self._plain(examples)
            answers[baseline.name] = (baseline.nats(plain), baseline.means(plain))
        if self.rival_ is not None:
            rival = self.rival_
            answers["causal convolution net of the same size"] = density_answers(
                rival._answers(examples), rival.network_.output, examples
            )
        return scores_in_own_units(self.codec_, self._plain(examples), answers)

    # ---- baselines --------------------------------------------------------------------------

    def _plain(self, examples: Batch) -> list[np.ndarray]:
        """Return the baselines' inputs: the frames before the predicted one, or all for densities; NaN is missing."""
        if self._mixture:
            assert isinstance(examples.targets, Ragged)
            return [sequence[:-1, :-1].numpy() for sequence in examples.targets]
        frames = examples.inputs["frames"]
        assert isinstance(frames, Ragged)
        return [sequence.numpy() for sequence in frames]

    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        examples = self._encode(source)
        assert isinstance(examples.targets, Ragged)
        targets = [frames.numpy() for frames in examples.targets]
        if self._mixture:
            plain = self._plain(examples)
            return {
                key: baseline.fit(plain, plain) for key, baseline in density_baselines(self.codec_.switches_).items()
            }
        return {
            key: baseline.fit(self._plain(examples), targets) for key, baseline in frame_baselines(self._binary).items()
        }

    # ---- saving -----------------------------------------------------------------------------

    def _learnt_to_json(self) -> dict[str, Any]:
        return {"frames": self.codec_.to_json()}

    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        self.codec_ = Frames.from_json(data["frames"])


def _need_zeros_and_ones(codec: Frames, frames: Ragged) -> None:
    """Refuse frames with other numbers than those of training, where these were 0 and 1."""
    odd = ((frames.values != 0) & (frames.values != 1)).nonzero()
    if len(odd):
        step, feature = odd[0].tolist()
        record = int(frames.sequence_ids[step])
        where = f"column {codec.columns[0]!r}, record {record}"
        raise DataError(
            message(where, expected="0 and 1, as in training", received=float(frames.values[step, feature]))
        )
