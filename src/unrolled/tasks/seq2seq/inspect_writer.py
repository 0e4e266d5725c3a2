"""Inspection of a fitted writer: a report of what happens inside the network, for one record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from unrolled.arrangements.encoder_decoder import TARGET, EncoderDecoder
from unrolled.arrangements.encoders import RecurrentEncoder
from unrolled.batch import Batch
from unrolled.codecs.text.pieces import Copies
from unrolled.errors import whole_number
from unrolled.inspection.alignment import Working
from unrolled.inspection.features import text_features
from unrolled.inspection.gradient_flow import gradient_flow
from unrolled.inspection.graph import DECODER, ENCODER
from unrolled.inspection.pairs import Texts, unfold_pair
from unrolled.inspection.record import Inspection, Mistake
from unrolled.inspection.states import States, states
from unrolled.inspection.tracking import Tracked, tracking_units
from unrolled.metrics.scores import Scores
from unrolled.nn.heads import IGNORED
from unrolled.ragged import Ragged
from unrolled.tasks.seq2seq.target_text import TargetText
from unrolled.tasks.shared.inspect_task import FLOWING, LONGEST, LONGEST_FLOW, TRACKED
from unrolled.tasks.shared.mistakes import LOOKED_AT, MOST, cut

SHOWN = 12  # records shown with their answers and alignments
ENDS = 2, 2  # steps and places of the unfolding; more on both sides would be too wide for a page
START, END = "<start>", "<end>"


@dataclass(frozen=True)
class Spelling:
    """Names of the steps of the encoder and of the decoder.

    Args:
        target: the text that is written.
        read: the pieces of each source; empty for a picture.
        copies: what can be copied.
    """

    target: TargetText
    read: Sequence[Sequence[str]]
    copies: Copies | None

    def before(self, examples: Batch, row: int) -> list[str]:
        """Return what each step of the decoder reads."""
        tokens = examples.inputs[TARGET]
        assert isinstance(tokens, Ragged), "one token for each step"
        return [
            START if token == self.target.boundary else self.target.entries[token] for token in tokens[row].tolist()
        ]

    def wanted(self, examples: Batch, row: int) -> list[str]:
        """Return what each step of the decoder should write; nothing for a piece that it cannot."""
        assert isinstance(examples.targets, Ragged), "one token for each step"
        return [self._named(token, row) for token in examples.targets[row].tolist()]

    def _named(self, token: int, row: int) -> str:
        if token == IGNORED:
            return ""
        return END if token == self.target.boundary else self.target.pieces([token], row, self.copies)[0]

    def said(self, logs: torch.Tensor, row: int) -> list[str]:
        """Return the most probable piece of each step, by its log-probabilities (T, V)."""
        return [self._named(token, row) for token in logs.argmax(1).tolist()]


def check_row(examples: Batch, row: int) -> int:
    """Return the number of a record; OptionError for one that does not exist."""
    return whole_number("row", row, 0, examples.batch_size - 1)


def some_rows(row: int, count: int) -> list[int]:
    """Return a record and others drawn at random, always the same ones."""
    drawn = np.random.default_rng(0).permutation(count).tolist()
    return [row, *(other for other in drawn if other != row)][:SHOWN]


def text_mistakes(
    score: Callable[[Batch], np.ndarray],
    examples: Batch,
    read: Sequence[str],
    true: Sequence[str],
    answers: Sequence[str],
) -> list[Mistake]:
    """Return the records with a wrong answer whose true text has the largest loss, in nats per piece, worst first.

    Args:
        score: log-probability of each record's true text.
        examples: the records, encoded.
        read: what is read, as a text; empty if it is no text.
        true: the true texts.
        answers: the texts written.
    """
    pairs = zip(true, answers, strict=True)
    wrong = [row for row, (right, answer) in enumerate(pairs) if right != answer][:LOOKED_AT]
    if not wrong:
        return []
    some = examples.select(torch.tensor(wrong))
    costs = -score(some) / some.lengths.numpy()
    order: list[int] = np.argsort(-costs, kind="stable")[:MOST].tolist()
    return [
        Mistake(row, float(costs[place]), cut(read[row]), cut(true[row]), cut(answers[row]))
        for place, row in ((place, wrong[place]) for place in order)
    ]


def look_inside_writer(
    network: EncoderDecoder,
    examples: Batch,
    scores: Scores,
    spelling: Spelling,
    mistakes: Sequence[Mistake],
    workings: Sequence[Working],
) -> Inspection:
    """Unfold an encoder-decoder over one record, and report its states and its attention.

    Args:
        network: the arrangement.
        examples: the encoded data.
        scores: scores on the whole data.
        spelling: names of the steps.
        mistakes: the most costly errors.
        workings: records with their answers, the inspected one first.
    """
    row = workings[0].row
    one = _shortened(examples.select(torch.tensor([row])), LONGEST)
    read, before = spelling.read[row][:LONGEST], spelling.before(examples, row)[:LONGEST]
    with torch.no_grad():
        logs = network.eval()(one)[0].values
    named = read if isinstance(network.encoder, RecurrentEncoder) else []
    texts = Texts(named, before, spelling.wanted(examples, row)[:LONGEST], spelling.said(logs, row))
    return Inspection(
        scores,
        tuple(read),
        unfold_pair(network, one, texts=texts, ends=ENDS, values=True),
        states(network, one),
        None,
        gradient_flow(network, _few(examples), bptt_steps=0),
        tuple(mistakes),
        _tracked(network, examples, spelling),
        before=tuple(before),
        workings=tuple(workings),
    )


def _shortened(batch: Batch, longest: int) -> Batch:
    """Return the first steps of sources and targets."""
    sources = {name: value.slice(0, longest) for name, value in batch.sources.items()}
    return replace(batch.slice_time(0, longest), sources=sources)


def _few(batch: Batch) -> Batch:
    """Return a few pairs, cut if they are long: enough for a meaningful loss."""
    return _shortened(batch.select(torch.arange(min(FLOWING, batch.batch_size))), LONGEST_FLOW)


def _tracked(network: EncoderDecoder, examples: Batch, spelling: Spelling) -> tuple[Tracked, ...]:
    """Return units of the encoder that follow a feature of its input, and of the decoder, of its output."""
    within = int((examples.sizes.cumsum(0) <= TRACKED).sum())
    some = _shortened(examples.select(torch.arange(max(1, within))), TRACKED)
    seen = states(network, some)
    rows = range(some.batch_size)
    found = list(_units_of(seen.of_stack(DECODER), [spelling.before(some, row) for row in rows]))
    if isinstance(network.encoder, RecurrentEncoder):
        found += _units_of(seen.of_stack(ENCODER), [spelling.read[row][:TRACKED] for row in rows])
    return tuple(sorted(found, key=lambda unit: -abs(unit.correlation)))


def _units_of(seen: States, steps: Sequence[Sequence[str]]) -> tuple[Tracked, ...]:
    texts = [text_features(["" if piece == START else piece for piece in pieces]) for pieces in steps if pieces]
    if not texts or not seen.layers:
        return ()
    return tracking_units(seen, {name: np.concatenate([text[name] for text in texts]) for name in texts[0]})
