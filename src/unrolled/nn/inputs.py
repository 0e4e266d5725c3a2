"""The input layer: encoded columns to one vector per step, and one vector per sequence."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from unrolled.batch import Batch, Nested
from unrolled.codecs.base import Spec
from unrolled.errors import ShapeError, message
from unrolled.nn.augment import Masking
from unrolled.nn.stack import Stack
from unrolled.nn.vision import ConvNet
from unrolled.ragged import Ragged

# share of known values replaced by the unknown one in training, so that the unknown's vector is learnt
UNKNOWN_RATE = 0.02
# the vectors of a small alphabet are seen often and may start with unit variance, which a wide layer uses at once;
# a rare word keeps much of its first vector, so that it must start small
SMALL_ALPHABET = 512
PICTURES = 512  # pictures per pass without gradients, so that a long film needs little memory


class InputLayer(nn.Module):
    """Embeds, one-hot encodes or passes on every column, and concatenates the columns.

    Args:
        specs: of the columns, by input name; per-step and per-sequence columns may be mixed.
        dropout: share of the features zeroed while training.
        spared: kinds of columns of which none are zeroed: a lone number says what no other feature repeats.

    Attributes:
        size: width of the per-step vector, F.
        static_size: width of the per-sequence vector; 0 when every column is per step.
    """

    def __init__(self, specs: Mapping[str, Spec], dropout: float = 0.0, spared: Collection[str] = ()) -> None:
        super().__init__()
        self.columns = nn.ModuleDict({_key(name): _Column(spec) for name, spec in specs.items()})
        self.dropout = dropout
        self.spared = spared
        self.names = [name for name, spec in specs.items() if spec.per_step]
        self.static_names = [name for name, spec in specs.items() if not spec.per_step]
        self.size = sum(self._column(name).size for name in self.names)
        self.static_size = sum(self._column(name).size for name in self.static_names)

    def _column(self, name: str) -> "_Column":
        return self.columns[_key(name)]  # type: ignore[return-value]

    def forward(self, batch: Batch) -> Ragged:
        """Compute the per-step vectors: a Ragged (N, size)."""
        missing = [name for name in self.names if name not in batch.inputs]
        if missing:
            raise ShapeError(message("inputs", expected=f"an input named {missing[0]!r}", received=list(batch.inputs)))
        parts = [self._dropped(name, self._read(name, batch.inputs[name])) for name in self.names]
        values = parts[0] if len(parts) == 1 else torch.cat(parts, 1)  # (N, F)
        return Ragged(values, batch.lengths)

    def _dropped(self, name: str, values: Tensor) -> Tensor:
        if self._column(name).spec.kind in self.spared:
            return values
        return nn.functional.dropout(values, self.dropout, self.training)

    def _read(self, name: str, value: Ragged | Nested) -> Tensor:
        column = self._column(name)
        if column.masking is not None and isinstance(value, Ragged):
            value = column.masking(value)
        if column.vision is not None and isinstance(value, Ragged):
            return column(value.values, value.sequence_ids)
        return column(_values(value))

    @property
    def reads_words(self) -> bool:
        """Whether a column of steps has a large vocabulary, or words made of letters."""
        specs = [self._column(name).spec for name in self.names]
        return any(spec.kind == "nested" or (spec.kind == "index" and spec.size > SMALL_ALPHABET) for spec in specs)

    def vectors(self, name: str) -> Tensor:
        """Return the vector of each index of a column, (V, F).

        Raises:
            ShapeError: a column without indices.
        """
        column = self._column(name)
        if column.spec.kind != "index":
            raise ShapeError(
                message("name", expected="a column of indices", received=f"{name!r} of {column.spec.kind}")
            )
        return column(torch.arange(column.spec.size))

    def kept(self, rows: int, steps: int) -> int:
        """Estimate how many numbers the picture nets keep for the backward pass.

        Args:
            rows: number of sequences of a batch, B.
            steps: total number of steps, N.
        """
        columns = [self._column(name) for name in (*self.names, *self.static_names)]
        seen = [(column.vision, steps if column.spec.per_step else rows) for column in columns]
        return sum(vision.kept() * count for vision, count in seen if vision is not None)

    def static(self, batch: Batch) -> Tensor:
        """Compute the per-sequence vectors: (B, static_size)."""
        parts = [self._column(name)(batch.statics[name]) for name in self.static_names]
        return torch.cat(parts, 1) if parts else self._nothing(batch.batch_size)

    def _nothing(self, rows: int) -> Tensor:
        device = next((p.device for p in self.parameters()), torch.device("cpu"))
        return torch.zeros(rows, 0, device=device)


class _Column(nn.Module):
    """The map from one column's values to features."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.pieces: _Pieces | None = None
        self.embedding: nn.Embedding | None = None
        self.vision: ConvNet | None = None
        self.masking = Masking(spec.shape[0], spec.shape[1], spec.augment) if spec.kind == "spectrum" else None
        if spec.kind == "nested":
            self.pieces = _Pieces(spec)
            self.size = self.pieces.size
        elif spec.kind == "picture":
            self.vision = ConvNet(spec.shape, spec.embedding_size, spec.scaling)
            self.size = spec.embedding_size
        elif spec.kind == "index" and spec.embedding_size:
            self.embedding = nn.Embedding(spec.size, spec.embedding_size)
            if spec.size > SMALL_ALPHABET:
                nn.init.normal_(self.embedding.weight, std=spec.embedding_size**-0.5)
            self.size = spec.embedding_size
        else:
            self.size = spec.size

    def forward(self, values: Tensor | Nested, groups: Tensor | None = None) -> Tensor:
        if isinstance(values, Nested):
            if self.pieces is None:
                raise ShapeError(message("inputs", expected=f"values of kind {self.spec.kind}", received="nested"))
            return self.pieces(values)
        if self.pieces is not None:
            raise ShapeError(message("inputs", expected="nested values", received=f"a tensor {tuple(values.shape)}"))
        if self.vision is not None:
            return _seen(self.vision, values, groups)
        if self.spec.kind in ("vector", "spectrum"):
            return values.to(torch.get_default_dtype()) if not values.is_floating_point() else values
        if self.training and self.spec.unknown_index is not None and self.embedding is not None:
            hidden = torch.rand(values.shape, device=values.device) < UNKNOWN_RATE
            values = values.masked_fill(hidden, self.spec.unknown_index)
        if self.embedding is not None:
            return self.embedding(values)
        # unit mean square, as Glorot's weights expect: unscaled, a wide layer needs hundreds of updates to use it
        return one_hot(values, self.spec.size).to(torch.get_default_dtype()) * self.spec.size**0.5


def _seen(vision: ConvNet, pictures: Tensor, groups: Tensor | None) -> Tensor:
    """Compute the vector of each picture, (M, D); a few at a time without gradients."""
    if torch.is_grad_enabled() or vision.training or not len(pictures):
        return vision(pictures, groups).pooled
    return torch.cat([vision(some).pooled for some in pictures.split(PICTURES)])


class _Pieces(nn.Module):
    """A bidirectional LSTM over the distinct inner sequences of a batch."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        width = spec.embedding_size or 32
        self.embedding = nn.Embedding(spec.size, width)
        self.stack = Stack(width, width, cell="lstm", bidirectional=True)
        self.size = 2 * width

    def forward(self, values: Nested) -> Tensor:
        distinct, where = torch.unique(values.index.values, return_inverse=True)  # (D,), (N,)
        pieces = values.pieces.select(distinct.cpu())
        _, (state,) = self.stack(pieces.with_values(self.embedding(pieces.values)))
        ends = torch.cat([state[0].hidden, state[1].hidden], 1)  # (D, 2 * width)
        return ends[where]


def _values(value: Ragged | Nested) -> Tensor | Nested:
    return value if isinstance(value, Nested) else value.values


def _key(name: str) -> str:
    # a module's name may hold no dot, and none of torch's own ("type", "keys"): quoted and bracketed, none can clash
    return f"[{name.replace('%', '%25').replace('.', '%2E')}]"
