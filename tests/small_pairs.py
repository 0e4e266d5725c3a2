"""One small encoder-decoder of every kind, and a record for each: what the tests of inspection and plots look at."""

from typing import Any

import torch

from random_sequences import shake
from unrolled.arrangements.encoder_decoder import EncoderDecoder
from unrolled.arrangements.encoders import FeatureEncoder, PictureEncoder, RecurrentEncoder
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.decoder import AttendingDecoder
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.nn.vision import ConvNet
from unrolled.ragged import Ragged

V, READS, D, H, E, SIDE = 7, 9, 6, 8, 5, 16
OPTIONS: dict[str, dict[str, Any]] = {
    "text": {},
    "text, two layers": {"layers": 2, "num_layers": 2, "cell": "gru"},
    "text, one direction": {"bidirectional": False},
    "text, input feeding": {"input_feeding": True},
    "text, coverage and copies": {"coverage": True, "copy": True},
    "text, no attention": {"attention": "none", "cell": "elman"},
    "picture": {"encoder": "picture"},
    "vectors": {"encoder": "vectors"},
}
TEXTS = [name for name in OPTIONS if name.startswith("text")]


def a_pair_model(name: str, seed: int = 0) -> EncoderDecoder:
    torch.manual_seed(seed)
    options = dict(OPTIONS[name])
    kind, copy = options.pop("encoder", "text"), options.pop("copy", False)
    layers, both = options.pop("layers", 1), options.pop("bidirectional", True)
    cell = options.pop("cell", "lstm")
    encoder: Any
    if kind == "picture":
        encoder = PictureEncoder("source", ConvNet((3, SIDE, SIDE), size=16, augment=0.0))
    elif kind == "vectors":
        encoder = FeatureEncoder("source", 3, E)
    else:
        stack = Stack(4, E, cell, layers, bidirectional=both)
        encoder = RecurrentEncoder(InputLayer({"source": Spec("index", READS, 4)}), stack)
    decoder = AttendingDecoder(V, encoder.memory_size, encoder.summary_size, D, H, cell, **options)
    return shake(EncoderDecoder(encoder, decoder, copy=copy), seed).eval()


def a_pair(name: str, reads: int = 12, writes: int = 12, seed: int = 1) -> Batch:
    torch.manual_seed(seed)
    targets = Ragged(torch.randint(V, (writes,)), [writes])
    before = Ragged(torch.randint(V, (writes,)), [writes])
    if name == "picture":
        pictures = torch.randint(256, (1, 3, SIDE, SIDE), dtype=torch.uint8)
        return Batch({"target": before}, {"source": pictures}, targets)
    if name == "vectors":
        return Batch({"target": before}, {}, targets, sources={"source": Ragged(torch.randn(reads, 3), [reads])})
    source = Ragged(torch.randint(READS, (reads,)), [reads])
    copies = source.with_values(torch.randint(V + 2, (reads,)))
    return Batch({"target": before}, {}, targets, sources={"source": source, "copy": copies})
