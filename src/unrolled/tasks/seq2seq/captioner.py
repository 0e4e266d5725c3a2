"""Captioner: reads a picture and writes a sentence about it."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar

import numpy as np

from unrolled.arrangements.encoders import Encoder, FeatureEncoder, PictureEncoder
from unrolled.baselines.base import Baseline
from unrolled.baselines.registry import caption_baselines
from unrolled.batch import Batch
from unrolled.codecs.base import Codec
from unrolled.codecs.media.picture import Pictures, as_pixels
from unrolled.codecs.media.video import Video
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.numeric import Numbers
from unrolled.data.source import Source
from unrolled.errors import OptionError, message
from unrolled.metrics.scores import Scores
from unrolled.metrics.texts.libraries import needed
from unrolled.metrics.texts.text_scores import caption_scores
from unrolled.nn.vision import LEAST, ConvNet
from unrolled.ragged import Ragged
from unrolled.tasks.seq2seq.writer import READ, Writer
from unrolled.tasks.shared.column_codecs import resolve_inputs
from unrolled.tasks.shared.given_examples import name_of

_LOOKED_AT = 100  # pictures
_WHITE = 255


def _are_grey(source: Source, column: str) -> bool:
    """Return whether lists of lists are pictures in grey: whole numbers of 0 to 255, which no vectors of a network are.

    Args:
        source: the pictures.
        column: their column.
    """
    largest = 0.0
    for record in islice(source, _LOOKED_AT):
        rows = record[column]
        if not rows or not all(isinstance(row, list) for row in rows):  # missing, or one vector
            return False
        if len(set(map(len, rows))) > 1 or None in rows[0]:
            return False
        pixels = np.asarray(rows, dtype=np.float64)  # (H, W)
        if not pixels.size or pixels.min() < 0 or pixels.max() > _WHITE or (pixels % 1).any():
            return False
        largest = max(largest, float(pixels.max()))
    return largest > 1  # zeros and ones may be categories


class Captioner(Writer):
    """A writer of captions; its attention weighs the places of the picture for each word.

    A small residual convolutional network is trained together with the decoder, unless the column holds vectors or
    maps of vectors that another network computed from the pictures.

    Args:
        picture: the column of pictures (files, images, arrays) or of vectors, or a codec: `Pictures`, `Frames` for a
            list of vectors, one per place, `Frames(column, single=True)` for one vector per picture.
        target: the column of captions, or a codec.
        unit: words, characters, subwords or auto, for captions given by the column's name.
        cell: a name in `unrolled.cells.registry.CELLS`.
        hidden_size: hidden units of each layer, and width of the vector of a word and of a place.
        num_layers: layers of the decoder above the layer with attention.
        dropout: share of values set to zero in training.
        attention: multiplicative, additive or none.
        decoder: input_feeding, coverage, tied, label_smoothing, teacher_forcing; see `Translator`.
        layers: further options of `unrolled.nn.stack.Stack`.
        training: training options kept with the model; `fit` may override them.

    Source: K. Xu et al., "Show, Attend and Tell", ICML 2015, section 3; A. Karpathy and L. Fei-Fei, "Deep
    Visual-Semantic Alignments for Generating Image Descriptions", CVPR 2015, section 3.2.

    Example:
        >>> import numpy as np, unrolled as ur
        >>> shades = [{"picture": np.full((8, 8), 255 * (row % 2), dtype=np.uint8),
        ...            "caption": ["a dark square", "a bright square"][row % 2]} for row in range(32)]
        >>> model = ur.Captioner(ur.Pictures("picture", size=8, channels=1), hidden_size=16, dropout=0.0)
        >>> model.fit(shades, epochs=8, learning_rate=0.01, baselines=False).predict(shades[:2])
        ['a dark square', 'a bright square']
    """

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-3}

    def __init__(
        self,
        picture: str | Codec = "picture",
        target: str | Codec = "caption",
        unit: str = "words",
        cell: str = "lstm",
        hidden_size: int = 256,
        num_layers: int = 1,
        dropout: float = 0.2,
        attention: str = "multiplicative",
        decoder: Mapping[str, Any] | None = None,
        layers: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.picture = picture
        self.target = target
        self.unit = unit
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.attention = attention
        self.decoder = decoder
        self.layers = layers
        self.training = training

    # ---- looking ------------------------------------------------------------------------------

    def _options(self) -> dict[str, Any]:
        options = super()._options()
        if "positions" in (self.decoder or {}):
            raise OptionError(
                message("positions", expected="no such option: places of a picture follow no order", received="one")
            )
        if options["copy"] is True:
            raise OptionError(message("copy", expected="False: a picture has no words to copy", received=True))
        return options

    def _columns_of_lists(self) -> tuple[str | None, str | None]:
        return name_of(self.picture), name_of(self.target)

    def _learn_to_read(self, source: Source) -> Codec:
        (codec,) = resolve_inputs(self.picture, source, sequence=False)
        if isinstance(self.picture, str) and isinstance(codec, Numbers):
            codec = Frames(self.picture, single=True)  # a list of numbers is one vector here, not a series
        if isinstance(self.picture, str) and isinstance(codec, Video):
            codec = Pictures(self.picture)  # an array of three axes, which may be one film in grey elsewhere
        if isinstance(self.picture, str) and isinstance(codec, Frames) and _are_grey(source, self.picture):
            codec = Pictures(self.picture, channels=1)
        codec.fit(source)
        kind = codec.spec.kind
        if kind not in ("picture", "vector") or (kind == "picture" and codec.spec.per_step):
            raise OptionError(message("picture", expected="Pictures or Frames", received=repr(codec)))
        return codec

    def _make_encoder(self) -> Encoder:
        spec = self.reader_.spec
        if spec.kind != "picture":
            return FeatureEncoder(READ, spec.size, self.hidden_size, self.dropout)
        return PictureEncoder(READ, ConvNet(spec.shape, max(LEAST, self.hidden_size), spec.scaling), self.dropout)

    def _places(self, records: Sequence[Mapping[str, Any]]) -> tuple[list[list[str]], tuple[int, int]]:
        encoder = self._fitted().encoder
        if isinstance(encoder, PictureEncoder):
            return [[] for _ in records], encoder.grid
        per_place = self.reader_.spec.per_step
        lengths = self.reader_.encode(records).lengths.tolist() if per_place else [1] * len(records)
        return [[f"place {place + 1}" for place in range(count)] for count in lengths], (0, 0)

    def _pictures(self, examples: Batch) -> list[np.ndarray]:
        return list(as_pixels(examples.statics[READ])) if self.reader_.spec.kind == "picture" else []

    # ---- scores -------------------------------------------------------------------------------

    def _ask_for_scores(self) -> None:
        needed("sacrebleu.metrics")

    def _scores(self, truth: list[str], answers: list[str], rivals: Mapping[str, Sequence[str]]) -> Scores:
        return caption_scores(truth, answers, rivals)

    def _shown(self, records: Sequence[Mapping[str, Any]], examples: Batch) -> list[Any]:
        given = examples.sources.get(READ)
        rows = list(given) if isinstance(given, Ragged) else list(examples.statics[READ])
        return [np.asarray(row) for row in rows]

    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        shown, truth = self._shown((), examples), self._truth(list(source))
        return {key: baseline.fit(shown, truth) for key, baseline in caption_baselines().items()}
