"""Unfolding of an encoder-decoder: the source, the target, and the attention of each step."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unrolled.arrangements.encoder_decoder import TARGET, EncoderDecoder
from unrolled.arrangements.encoders import PictureEncoder, RecurrentEncoder
from unrolled.batch import Batch
from unrolled.errors import ShapeError, UnsupportedError, message
from unrolled.inspection import graph
from unrolled.inspection.graph import Arrow, Node, Unfolding, Window
from unrolled.inspection.nodes import Builder, Letters, SequenceNumbers
from unrolled.inspection.shown_steps import one_sequence, shown_steps
from unrolled.inspection.states import LayerStates, states
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged

READS = Letters(side=graph.ENCODER)
WRITES = Letters("w", "d", "Uᵈ", "Wᵈ", graph.DECODER)
FED = "dashed arrows: in training a step reads the true piece before it; in writing, its own"
READOUT = "V reads the state and the context"
INPUT_FEEDING = "input feeding: a step also reads V of the step before"
COVERAGE = "coverage: attention depends on the attention so far"
COPYING = "copying: y can also copy pieces by their attention"


class Texts(NamedTuple):
    """Texts of the nodes; empty where there are none.

    Args:
        read: source piece of each place, (S,).
        before: input piece of each step of the decoder, (T,).
        wanted: true piece of each step, (T,).
        said: predicted piece of each step, (T,).
    """

    read: Sequence[str] = ()
    before: Sequence[str] = ()
    wanted: Sequence[str] = ()
    said: Sequence[str] = ()


NO_TEXTS = Texts()


class _Seen(NamedTuple):
    """The numbers that the model computes for one record."""

    layers: tuple[LayerStates, ...]
    raw: Tensor  # (T, V)
    losses: Tensor | None  # (T,)

    def of(self, stack: str) -> SequenceNumbers:
        return SequenceNumbers([layer for layer in self.layers if layer.stack == stack], self.raw, self.losses)


def unfold_pair(
    model: EncoderDecoder,
    batch: Batch,
    row: int = 0,
    texts: Texts = NO_TEXTS,
    ends: tuple[int, int] = (3, 2),
    values: bool = False,
) -> Unfolding:
    """Unfold an encoder-decoder over one record.

    `x_i` is the encoder's input, `s_i` its states; attention sees both directions concatenated, or the output of a
    convolution net at a place. `w_t` is the piece before step t, `d_t` are the decoder's states, `c_t` is the context
    of step t, and the arrows into it hold the attention weights. The read-out V also reads the context next to the
    last state; this short cut has no arrow.

    Args:
        model: an `EncoderDecoder`, such as a translator's `network_`.
        batch: encoded records; with targets there are losses.
        row: index of the record.
        texts: of the nodes.
        ends: number of steps and places to show at the start and at the end.
        values: run the model, and put its numbers into the nodes.

    Raises:
        ShapeError: no such record, or not one text per step or place.
        UnsupportedError: an encoder or decoder without recurrent layers.
    """
    one = one_sequence(batch, row)
    shown = shown_steps(one.num_steps, ends)
    seen, attention = _run(model, one, values)
    places = attention.shape[1] if model.decoder.attention is not None else _count_places(model, one)
    for name, given, count in zip(Texts._fields, texts, (places, *[one.num_steps] * 3), strict=True):
        if given and len(given) != count:
            raise ShapeError(message(name, expected=f"one for each of {count}", received=len(given)))
    shown_places = _shown_places(model, places, attention[[step - 1 for step in shown]], ends)
    source = _Source(model, one, shown_places, places, texts.read, seen)
    target = _Target(model, one, shown, texts, seen)
    target.contexts(source, attention)
    target.answers(texts)
    return Unfolding(
        type(model).__name__,
        next(node.label for node in target.builder.nodes if node.kind == graph.CELL),
        one.num_steps,
        tuple(shown),
        (*source.nodes, *target.between, *target.builder.nodes),
        (*source.arrows, *target.builder.arrows),
        (Window(1, one.num_steps),),
        source.weights | target.builder.weights,
        places=places,
        shown_places=tuple(shown_places),
        notes=_notes(model),
    )


def _run(model: EncoderDecoder, one: Batch, values: bool) -> tuple[_Seen | None, Tensor]:
    """Return the model's numbers, if wanted, and the attention of every step, (T, S)."""
    layers = states(model, one).layers if values else ()
    was_training = model.training
    with torch.no_grad():
        raw = model.eval()(one)[0].values
        written, _ = model.decoder(_tokens(one), model.share(one).source)
        model.train(was_training)
        targets = one.targets
        losses = model.output.loss(raw, targets.values) if isinstance(targets, Ragged) else None
    attention = torch.zeros(one.num_steps, 0) if written.weights is None else written.weights
    return _Seen(layers, raw, losses) if values else None, attention


def _shown_places(model: EncoderDecoder, places: int, attention: Tensor, ends: tuple[int, int]) -> list[int]:
    """Choose the first and last places of a sequence; in a picture, those that the shown steps attend to most."""
    if not places:
        return []
    if not isinstance(model.encoder, PictureEncoder) or not attention.shape[1]:
        return shown_steps(places, ends)
    return sorted((attention.sum(0).argsort(descending=True)[: sum(ends)] + 1).tolist())


def _tokens(one: Batch) -> Ragged:
    tokens = one.inputs[TARGET]
    assert isinstance(tokens, Ragged), "one token for each step"
    return tokens


def _count_places(model: EncoderDecoder, one: Batch) -> int:
    with torch.no_grad():
        return model.encoder(one)[0].num_steps


def _notes(model: EncoderDecoder) -> tuple[str, ...]:
    decoder = model.decoder
    said = {INPUT_FEEDING: decoder.input_feeding, COVERAGE: decoder.coverage, COPYING: model.copies}
    return READOUT, FED, *(note for note, holds in said.items() if holds)


def _layers(stack: Any) -> list[Any]:
    if not isinstance(stack, Stack):
        raise UnsupportedError(f"only recurrent layers can be unfolded, no {type(stack).__name__}; use cell='lstm'")
    return list(stack.layers)


class _Source:
    """The encoder's side, up to the places for attention and the vector that starts the decoder."""

    def __init__(
        self,
        model: EncoderDecoder,
        one: Batch,
        shown: Sequence[int],
        places: int,
        read: Sequence[str],
        seen: _Seen | None,
    ) -> None:
        self.nodes: list[Node] = []
        self.arrows: list[Arrow] = []
        self.weights: dict[str, tuple[int, ...]] = {}
        self.shown = shown
        encoder = model.encoder
        self.size = encoder.memory_size
        if isinstance(encoder, RecurrentEncoder):
            self.places = self._read(encoder, one, read, seen) if shown else {}
            ends = [self.places[place] for place in dict.fromkeys([*shown[-1:], *shown[:1]])]
        else:
            ends = self._look(encoder, read)
        self.gaps = {} if model.decoder.attention is None else self._gaps(places)
        self.nodes.append(Node("v", graph.VECTOR, "v", shapes={"v": (encoder.summary_size,)}))
        self.arrows += [Arrow(end, "v") for end in ends]

    def _read(self, encoder: RecurrentEncoder, one: Batch, read: Sequence[str], seen: _Seen | None) -> dict[int, str]:
        """Add the encoder's layers over its inputs."""
        layers = _layers(encoder.layers)
        sources = Batch({name: value for name, value in one.sources.items() if name in encoder.inputs.names})
        length = sources.num_steps
        numbers = None if seen is None else seen.of(graph.ENCODER)
        builder = Builder(encoder, sources, self.shown, (Window(1, length),), read, (), numbers, READS)
        tops = builder.inputs(encoder.layers.input_size)  # type: ignore[attr-defined]
        for number, layer in enumerate(layers):
            tops = builder.layer(number, len(layers), layer, tops)
        self.nodes, self.arrows, self.weights = builder.nodes, builder.arrows, builder.weights
        return tops

    def _look(self, encoder: Any, read: Sequence[str]) -> list[str]:
        """Add the places of a picture, or of its feature vectors; return the nodes that the whole vector is made of."""
        self.places = {place: f"p_{place}" for place in self.shown}
        side: dict[str, Any] = {"side": graph.ENCODER}
        places = [
            Node(name, graph.PLACE, name, place, shapes={"p": (self.size,)}, **side)
            for place, name in self.places.items()
        ]
        if isinstance(encoder, PictureEncoder):
            label = f"convolution net, {encoder.grid[0]}×{encoder.grid[1]} places"
            picture = Node("picture", graph.PICTURE, "picture", shapes={"x": encoder.net.shape}, **side)
            self.nodes += [picture, Node("net", graph.NET, label, **side), *places]
            self.arrows += [Arrow("picture", "net"), *(Arrow("net", name) for name in self.places.values())]
            return ["net"]
        shape = tuple(encoder.linear.weight.shape)
        self.weights["U"] = shape
        for place, name in self.places.items():
            text = read[place - 1] if read else ""
            self.nodes.append(
                Node(f"x_{place}", graph.INPUT, f"x_{place}", place, shapes={"x": shape[1:]}, text=text, **side)
            )
            self.arrows.append(Arrow(f"x_{place}", name, "U"))
        self.nodes += places
        return list(self.places.values())

    def _gaps(self, count: int) -> dict[str, range]:
        """Return the gaps between shown places, which need nodes if the layer has no gap there."""
        cells = {node.name for node in self.nodes if node.kind == graph.CELL}
        found = {}
        for before, after in pairwise([0, *self.shown, count + 1]):
            if after > before + 1 and self.shown:
                name = f"places gap_{before}_{after}"
                top = self.places[self.shown[0]]
                if top in cells:  # a single direction
                    name = top.replace(f"cell_{self.shown[0]}", f"gap_{before}_{after}", 1)
                else:
                    self.nodes.append(Node(name, graph.GAP, "..."))
                found[name] = range(before + 1, after)
        return found


class _Target:
    """The decoder's side."""

    def __init__(
        self, model: EncoderDecoder, one: Batch, shown: Sequence[int], texts: Texts, seen: _Seen | None
    ) -> None:
        decoder = model.decoder
        self.model, self.shown, self.between = model, shown, list[Node]()
        numbers = None if seen is None else seen.of(graph.DECODER)
        window = (Window(1, one.num_steps),)
        builder = Builder(model, one, shown, window, texts.before, texts.wanted, numbers, WRITES)
        builder.start = "v"
        below, above = _layers(decoder.bottom), _layers(decoder.top)
        count = len(below) + len(above)
        tops = builder.inputs(below[0].cell.weight_shapes["weight_ih"][1])
        for number, layer in enumerate(below):
            tops = builder.layer(number, count, layer, tops)
        self.asking = tops
        for number, layer in enumerate(above, len(below)):
            tops = builder.layer(number, count, layer, tops)
        self.tops, self.builder = tops, builder
        self.reader = len(below)  # the layer that reads the contexts
        builder.weights["start"] = tuple(decoder.start.weight.shape)
        builder.weights["V"] = tuple(decoder.to_readout.weight.shape)

    def contexts(self, source: _Source, attention: Tensor) -> None:
        """Add the context of each step; without attention it is the vector of the whole source."""
        attends = self.model.decoder.attention is not None
        cells = {n.step: n.name for n in self.builder.nodes if n.kind == graph.CELL and n.layer == self.reader}
        for step in self.shown:
            name = f"c_{step}"
            weights = attention[step - 1].tolist() if attends else []
            label, shape = (name, source.size) if attends else ("v", self.model.encoder.summary_size)
            values = {"attention": tuple(weights)} if weights else {}
            self.between.append(Node(name, graph.CONTEXT, label, step, shapes={"c": (shape,)}, values=values))
            self.builder.arrows.append(Arrow(name, cells[step]))
            if not attends:
                continue
            self.builder.arrows.append(Arrow(self.asking[step], name))
            for place, node in source.places.items():
                self.builder.arrows.append(Arrow(node, name, share=weights[place - 1]))
            for gap, hidden in source.gaps.items():
                share = sum(weights[place - 1] for place in hidden)
                self.builder.arrows.append(Arrow(gap, name, share=share))

    def answers(self, texts: Texts) -> None:
        """Add the outputs, their losses, and the arrows that feed them back."""
        builder = self.builder
        said = [texts.said[step - 1] if texts.said else "" for step in self.shown]
        builder.sum_of(
            [
                builder.answer(step, f"_{step}", {self.tops[step]: "V"}, text)
                for step, text in zip(self.shown, said, strict=True)
            ]
        )
        for step, after in pairwise(self.shown):
            if after == step + 1:
                builder.arrows.append(Arrow(f"y_{step}", f"w_{after}", feeds=True))
