"""SequenceModel: the next vector of a sequence of vectors, such as the next frame of a piano roll."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from unrolled.arrangements.many_to_many import NextStep
from unrolled.baselines.base import Baseline
from unrolled.baselines.registry import frame_baselines
from unrolled.batch import Batch
from unrolled.codecs.frames import Frames
from unrolled.data.batching import BatchSource, Buckets, Lanes
from unrolled.data.source import Source
from unrolled.errors import DataError, OptionError, message
from unrolled.metrics import Scores, frame_scores
from unrolled.nn.heads import BinaryVectorOutput, NumberOutput, Output
from unrolled.nn.inputs import InputLayer
from unrolled.nn.layers import make_layers
from unrolled.ragged import Ragged
from unrolled.tasks.base import Task, batch_size_for
from unrolled.tasks.columns import require
from unrolled.training.options import TrainingOptions


class SequenceModel(Task):
    """Predicts the next vector from all vectors before it; binary vectors by probability, others by value.

    Args:
        frames: the column that holds a list of equally long vectors, or `Frames("roll")`.
        cell: a name in `unrolled.cells.registry.CELLS`, or conv for the convolution rival.
        hidden_size: hidden units of each layer.
        num_layers: recurrent layers.
        dropout: share of values zeroed in training, on the inputs, between layers and before the answer.
        layers: further options of `unrolled.nn.stack.Stack`: variational, layer_norm, residual, learn_initial_state,
            recurrent_dropout, zoneout.
        training: training options kept with the model; `fit` may override them.

    Example:
        >>> import numpy as np, unrolled as ur
        >>> blink = [{"frames": [[t % 2, 1 - t % 2] for t in range(10)]} for _ in range(20)]
        >>> model = ur.SequenceModel(hidden_size=8, dropout=0.0).fit(blink, epochs=40, learning_rate=0.02)
        >>> model.generate([[0, 1]], length=3).tolist()
        [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """

    training_defaults: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 5e-3,
        "epochs": 150,
        "patience": 30,
    }

    def __init__(
        self,
        frames: str | Frames = "frames",
        cell: str = "lstm",
        hidden_size: int = 200,
        num_layers: int = 1,
        dropout: float = 0.2,
        layers: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.frames = frames
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.layers = layers
        self.training = training

    # ---- learning ---------------------------------------------------------------------------

    def _learn(self, source: Source) -> None:
        codec = Frames(self.frames) if isinstance(self.frames, str) else copy.deepcopy(self.frames)
        if not isinstance(codec, Frames):
            raise OptionError(message("frames", expected="a column or Frames", received=repr(codec)))
        require(source, codec.columns)
        self.codec_ = codec.fit(source)

    def _encode(self, source: Source, targets: bool = True) -> Batch:
        require(source, self.codec_.columns)
        frames = self.codec_.encode(list(source))
        if not targets:
            return Batch({"frames": frames})
        before = frames.slice(0, (frames.lengths - 1).clamp(min=0))
        after = frames.slice(1, frames.lengths.clamp(min=1))
        if not after.num_steps:
            raise DataError(message("data", expected="a sequence of at least 2 frames", received="only shorter ones"))
        return Batch({"frames": before}, targets=after)

    @property
    def _binary(self) -> bool:
        return self.codec_.binary_ and self.codec_.scaling == "none"

    def _output(self) -> Output:
        width = self.codec_.spec.size
        return BinaryVectorOutput(width) if self._binary else NumberOutput(width)

    def _make_network(self) -> nn.Module:
        inputs = InputLayer({"frames": self.codec_.spec}, self.dropout)
        layers = make_layers(
            self.cell,
            inputs.size,
            self.hidden_size,
            num_layers=self.num_layers,
            dropout=self.dropout,
            **(self.layers or {}),
        )
        return NextStep(inputs, layers, self._output(), self.dropout)

    def _batches(self, examples: Batch, options: TrainingOptions, shuffle: bool) -> BatchSource:
        rows = options.batch_size or batch_size_for(examples.batch_size)
        if options.bptt_steps:
            return Lanes(examples, rows, options.bptt_steps, seed=options.seed, shuffle=shuffle)
        return Buckets(examples, rows, seed=options.seed, shuffle=shuffle)

    # ---- answers ----------------------------------------------------------------------------

    def predict(self, data: Any) -> list[np.ndarray]:
        """For each sequence and step what comes next, (T, V): probabilities of binary keys, or values."""
        return self._own_units(self._next(self._asked(data)))

    def _own_units(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Frames of numbers in the form the column has; probabilities stay."""
        if self._binary:
            return list(sequences)
        return [
            np.asarray(self.codec_.decode(Ragged(torch.from_numpy(frames), torch.tensor([len(frames)])))[0])
            if len(frames)
            else frames
            for frames in sequences
        ]

    def _next(self, examples: Batch) -> list[np.ndarray]:
        answers: list[np.ndarray] = [np.empty(0)] * examples.batch_size
        for rows, raw in self._answers(examples):
            for row, sequence in zip(rows.tolist(), raw, strict=True):
                answers[row] = self.network_.output.describe(sequence).numpy()
        return answers

    def generate(self, prompt: Any, length: int, temperature: float = 0.0, seed: int | None = None) -> np.ndarray:
        """Go on after a prompt.

        Args:
            prompt: frames to start from, (T, V), in the form the column has.
            length: frames to add.
            temperature: for binary frames, 0 takes the likeliest of each key, 1 draws; above 1 wilder.
            seed: for repeatable draws.

        Returns:
            The frames added, (length, V), in the form the column has.

        Raises:
            OptionError: a temperature for frames of numbers, which are not drawn, or one below 0.
        """
        network = self._fitted()
        if temperature < 0 or (temperature and not self._binary):
            raise OptionError(message("temperature", expected="0, or above 0 for binary frames", received=temperature))
        if length < 0:
            raise OptionError(message("length", expected="an integer >= 0", received=length))
        generator = torch.Generator().manual_seed(torch.seed() if seed is None else seed)
        if not len(prompt):
            raise DataError(message("prompt", expected="at least one frame", received="none"))
        start = self.codec_.encode([{self.codec_.columns[0]: [list(frame) for frame in prompt]}])
        state = network.initial_state(1)
        drawn = []
        with torch.no_grad():
            raw = torch.empty(0)
            for frame in start.values:
                raw, state = self._step(frame, state)
            for _ in range(length):
                frame = self._draw(raw, temperature, generator)
                drawn.append(frame)
                raw, state = self._step(frame, state)
        if not drawn:
            return np.empty((0, self.codec_.spec.size))
        answer = Ragged(torch.stack(drawn), torch.tensor([length]))
        return np.asarray(self.codec_.decode(answer)[0])

    def _step(self, frame: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        return self.network_.step(Batch({"frames": Ragged(frame[None], torch.ones(1, dtype=torch.int64))}), state)

    def _draw(self, raw: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
        if not self._binary:
            return raw[0]
        if not temperature:
            return (raw[0] > 0).float()
        return torch.bernoulli((raw[0] / temperature).sigmoid(), generator=generator)

    def evaluate(self, data: Any, y: Any = None) -> Scores:
        """Nats a frame for binary frames, squared error for numbers, beside the baselines'.

        Args:
            data: what `fit` takes.
            y: not used; the next frame is the target.
        """
        self._fitted()
        examples = self._encode(self._source(data))
        assert isinstance(examples.targets, Ragged)
        truth = self._own_units([frames.numpy() for frames in examples.targets])
        before = self._plain(examples)
        rivals = {baseline.name: self._own_units(baseline.predict(before)) for baseline in self.baselines_.values()}
        if self.rival_ is not None:
            rivals["causal convolution net of the same size"] = self._own_units(self.rival_._next(examples))
        return frame_scores(truth, self._own_units(self._next(examples)), rivals, binary=self._binary)

    # ---- baselines --------------------------------------------------------------------------

    def _plain(self, examples: Batch) -> list[np.ndarray]:
        frames = examples.inputs["frames"]
        assert isinstance(frames, Ragged)
        return [sequence.numpy() for sequence in frames]

    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        examples = self._encode(source)
        assert isinstance(examples.targets, Ragged)
        targets = [frames.numpy() for frames in examples.targets]
        return {
            key: baseline.fit(self._plain(examples), targets) for key, baseline in frame_baselines(self._binary).items()
        }

    # ---- saving -----------------------------------------------------------------------------

    def _learnt_to_json(self) -> dict[str, Any]:
        return {"frames": self.codec_.to_json()}

    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        self.codec_ = Frames.from_json(data["frames"])
