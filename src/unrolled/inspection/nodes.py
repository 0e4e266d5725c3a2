"""Building an unfolded network from the inputs upwards, one layer and direction after another."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unrolled.arrangements.direct_forecast import DirectForecast
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.batch import Batch
from unrolled.cells.base import Cell
from unrolled.inspection import graph
from unrolled.inspection.graph import Arrow, Node, Window
from unrolled.inspection.names import BACKWARD, FORWARD
from unrolled.inspection.states import LayerStates, states
from unrolled.nn.parallel import Parallel
from unrolled.nn.pooling import Last
from unrolled.nn.stack import Bidirectional
from unrolled.ragged import Ragged


class SequenceNumbers:
    """Actual numbers of one sequence: every layer's states, raw answers and losses."""

    def __init__(self, layers: Sequence[LayerStates], raw: Tensor, losses: Tensor | None) -> None:
        self.layers = {(layer.layer, layer.direction): layer for layer in layers}
        self.raw, self.losses = raw, losses


def numbers_of(model: Any, one: Batch) -> SequenceNumbers:
    """Run a model in evaluation mode over one sequence, and keep its numbers."""
    seen = states(model, one).of_stack()
    was_training = model.training
    with torch.no_grad():
        raw = model.eval()(one)[0]
        model.train(was_training)
        raw = raw.values if isinstance(raw, Ragged) else raw  # (T, width) or (1, width)
        targets = one.targets.values if isinstance(one.targets, Ragged) else one.targets
        return SequenceNumbers(seen.layers, raw, None if targets is None else model.output.loss(raw, targets))


class Letters(NamedTuple):
    """The letters that a builder uses in names."""

    input: str = "x"
    state: str = "s"
    reads: str = "U"
    keeps: str = "W"
    side: str = ""  # "encoder" or "decoder", where there are both


ONE_SIDED = Letters()


class Builder:
    """Collects nodes and arrows from the inputs upwards; `tops` names the next layer's input at each shown step."""

    def __init__(
        self,
        model: Any,
        one: Batch,
        shown: Sequence[int],
        windows: Sequence[Window],
        labels: Sequence[str],
        answers: Sequence[str],
        numbers: SequenceNumbers | None,
        letters: Letters = ONE_SIDED,
    ) -> None:
        self.letters, self.apart = letters, f"{letters.side} " if letters.side == graph.DECODER else ""
        self.model, self.one, self.shown = model, one, shown
        self.cuts = cuts_of(windows)
        self.dark = {step for w in windows if not w.learns for step in range(w.start, w.stop + 1)}  # no gradient
        self.labels, self.answers, self.numbers = labels, answers, numbers
        self.length = one.num_steps
        self.restarts = restarts_of(one)
        self.nodes: list[Node] = []
        self.arrows: list[Arrow] = []
        self.weights: dict[str, tuple[int, ...]] = {}
        self.start = ""  # the node that gives the first states
        self.ends: list[str] = []  # the last cell of each direction, where only the last is read

    def node(self, name: str, kind: str, label: str = "", **more: Any) -> str:
        self.nodes.append(Node(name, kind, label or name, side=self.letters.side, **more))
        return name

    def arrow(self, source: str, target: str, weights: str = "", stops: bool = False, restarts: bool = False) -> None:
        self.arrows.append(Arrow(source, target, weights, stops, restarts))

    # ---- from below: inputs, layers ------------------------------------------------------------

    def inputs(self, width: int) -> dict[int, str]:
        shapes = {"x": (width,)}
        return {
            t: self.node(
                f"{self.letters.input}_{t}",
                graph.INPUT,
                step=t,
                shapes=shapes,
                text=self.labels[t - 1] if self.labels else "",
                values=self._values(0, FORWARD, t, "inputs"),
            )
            for t in self.shown
        }

    def layer(self, number: int, count: int, layer: nn.Module, below: Mapping[int, str]) -> dict[int, str]:
        """Add the cells and states of one layer; return the nodes above it."""
        mark = f"^({number + 1})" if count > 1 else ""
        if not isinstance(layer, Bidirectional):
            return self._direction(number, FORWARD, layer.cell, mark, below)  # type: ignore[arg-type]
        ahead = self._direction(number, FORWARD, layer.forward_cell, mark, below)
        back = self._direction(number, BACKWARD, layer.backward_cell, mark, below)
        if isinstance(getattr(self.model, "pooling", None), Last) and number == count - 1:
            self.ends = [ahead[self.length], back[1]]
            return {}
        tops = {}
        for t in self.shown:
            name = f"[{self.letters.state}_{t}, {self.letters.state}'_{t}]{mark}"
            tops[t] = self.node(name, graph.JOIN, step=t, layer=number, shapes={"joined": (layer.output_size,)})
            self.arrow(ahead[t], name)
            self.arrow(back[t], name)
        return tops

    def _direction(
        self, number: int, direction: str, cell: Cell, mark: str, below: Mapping[int, str]
    ) -> dict[int, str]:
        prime = "'" if direction == BACKWARD else ""
        s, U = self.letters.state, f"{self.letters.reads}{prime}{mark}"
        W = f"{self.letters.keeps}{prime}{mark}" if "weight_hh" in cell.weight_shapes else ""
        self.weights |= {U: cell.weight_shapes["weight_ih"]} | ({W: cell.weight_shapes["weight_hh"]} if W else {})
        place = {"layer": number, "direction": direction}
        shapes = {name: (size,) for name, size in cell.state_sizes.items()}
        start = self.length + 1 if prime else 0
        before = self.node(
            f"{s}{prime}_{start}{mark}",
            graph.STATE,
            step=start,
            shapes=shapes,
            values=self._start(number, direction),
            **place,
        )
        if self.start:
            self.arrow(self.start, before, "start")
        tops = {}
        for past, t in _in_order(self.shown, direction):
            hidden = range(min(past, t), max(past, t)) if past else range(0)  # stops are after these steps
            if past and abs(t - past) > 1:
                gap = self.node(f"{self.apart}gap{prime}_{past}_{t}{mark}", graph.GAP, "...", **place)
                self.arrow(before, gap)
                before = gap
            tops[t] = self.node(
                f"{self.apart}cell{prime}_{t}{mark}",
                graph.CELL,
                cell.short_name,
                step=t,
                shapes={"output": (cell.output_size,)},
                values=self._values(number, direction, t, "outputs"),
                **place,
            )
            restarts = (t + 1 if prime else t) in self.restarts  # backwards, the cut is between the same two steps
            self.arrow(before, tops[t], W, any(step in self.cuts for step in hidden), restarts)
            self.arrow(below[t], tops[t], U)
            before = self.node(
                f"{s}{prime}_{t}{mark}",
                graph.STATE,
                step=t,
                shapes=shapes,
                values=self._values(number, direction, t, "fields"),
                **place,
            )
            self.arrow(tops[t], before)
        return tops

    def vector(self) -> str:
        """Add the node of the per-sequence columns."""
        with torch.no_grad():
            values = {"v": _floats(self.model.inputs.static(self.one)[0])} if self.numbers else {}
        return self.node("v", graph.VECTOR, shapes={"v": (self.model.inputs.static_size,)}, values=values)

    def start_from_vector(self) -> None:
        """Let the first states come from the per-sequence columns."""
        self.start = self.vector()
        self.weights["start"] = tuple(self.model.start.weight.shape)

    # ---- above the layers: outputs, losses ------------------------------------------------------

    def answers_of(self, tops: Mapping[int, str]) -> None:
        """Add the outputs and their losses."""
        if hasattr(self.model, "head"):
            self.weights["V"] = tuple(self.model.head.linear.weight.shape)
        if isinstance(self.model, ManyToOne):
            self._one_answer(tops)
            return
        self.sum_of([self.answer(t, f"_{t}", {tops[t]: "V"}) for t in self.shown])

    def sum_of(self, losses: Sequence[str]) -> None:
        """Add the loss of the whole sequence, if there is one."""
        if self.one.targets is None:
            return
        series = " + ".join([f"J_{t}" for t in (1, 2) if t < self.length] + ["..."] * (self.length > 3))
        label = f"J = {series} + J_{self.length}" if series else f"J = J_{self.length}"
        total = () if self.numbers is None else (float(self.numbers.losses.sum()),)  # type: ignore[union-attr]
        self.node("J", graph.TOTAL, label, shapes={"J": ()}, values={"J": total} if total else {})
        for loss in losses:
            self.arrow(loss, "J")

    def _one_answer(self, tops: Mapping[int, str]) -> None:
        sources: dict[str, str] = {}
        if isinstance(self.model.pooling, Last):
            sources = dict.fromkeys([tops[self.length]] if tops else self.ends, "V")
        else:
            name = type(self.model.pooling).__name__.lower()
            said = f"{self.model.pooling.title} over time"
            if isinstance(self.model.layers, Parallel):
                said += ", also of convolutions"
            pool = self.node(name, graph.POOLING, said, shapes={"pooled": (self.model.pooling.output_size,)})
            for t, top in tops.items():
                self.arrow(top, pool, stops=t in self.dark)
            sources[pool] = "V"
        if self.model.inputs.static_size:
            self.vector()
            sources["v"] = "V"
        self.answer(None, "", sources)

    def answer(self, t: int | None, index: str, sources: Mapping[str, str], said: str = "") -> str:
        """Add an output with its text and its loss; return the name of the loss."""
        place = 0 if t is None else t - 1
        raw = {} if self.numbers is None else {"y": _floats(self.numbers.raw[place])}
        output = self.node(
            f"y{index}", graph.OUTPUT, step=t, shapes={"y": (self.model.output.width,)}, text=said, values=raw
        )
        for source, weights in sources.items():
            self.arrow(source, output, weights)
        if isinstance(self.model, DirectForecast):
            ahead = self.one.inputs["ahead"]
            assert isinstance(ahead, Ragged)
            known = self.node(f"a{index}", graph.VECTOR, step=t, shapes={"ahead": ahead.feature_shape})
            self.arrow(known, output)
            self.arrow(f"x{index}", output)
        if self.one.targets is None:
            return ""
        cost = {} if self.numbers is None else {"J": (float(self.numbers.losses[place]),)}  # type: ignore[index]
        text = self.answers[place] if self.answers else ""
        loss = self.node(f"J{index}", graph.LOSS, step=t, shapes={"J": ()}, text=text, values=cost)
        self.arrow(output, loss)
        return loss

    # ---- real numbers ------------------------------------------------------------------------------

    def _values(self, number: int, direction: str, t: int, what: str) -> dict[str, tuple[float, ...]]:
        if self.numbers is None:
            return {}
        found = getattr(self.numbers.layers[number, direction], what)
        found = {{"inputs": "x", "outputs": "output"}[what]: found} if isinstance(found, Ragged) else found
        return {name: _floats(values.values[t - 1]) for name, values in found.items()}

    def _start(self, number: int, direction: str) -> dict[str, tuple[float, ...]]:
        if self.numbers is None:
            return {}
        return {name: _floats(field[0]) for name, field in self.numbers.layers[number, direction].initial.items()}


def cuts_of(windows: Sequence[Window]) -> set[int]:
    """Return the steps after which a window ends: the gradient stops between them and the next ones."""
    return {window.stop for window in windows[:-1]}


def restarts_of(one: Batch) -> tuple[int, ...]:
    """Return the steps of a sequence, from 1, before which its state restarts; the first step is left out."""
    return () if one.reset is None else tuple(t + 1 for t in one.reset.nonzero().flatten().tolist() if t)


def _in_order(shown: Sequence[int], direction: str) -> Iterator[tuple[int, int]]:
    """Yield pairs of the previous shown step in a direction (0 for none) and each shown step."""
    steps = shown if direction == FORWARD else shown[::-1]
    return pairwise([0, *steps])


def _floats(values: Tensor) -> tuple[float, ...]:
    return tuple(float(value) for value in values.flatten())
