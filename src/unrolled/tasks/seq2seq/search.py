"""Answers: the beam search for the best texts that a network could write, with their scores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.arrangements.encoder_decoder import EncoderDecoder, Shared
from unrolled.batch import Batch
from unrolled.codecs.text.pieces import Copies
from unrolled.decoding.beam import beam_search
from unrolled.decoding.options import AnswerBounds, SearchOptions
from unrolled.decoding.paths import Hypothesis
from unrolled.errors import DataError, OptionError, finite_number, message, single, whole_number
from unrolled.nn.decoder import DecoderState
from unrolled.pauses import pause
from unrolled.ragged import Ragged
from unrolled.tasks.language.unknown_tokens import UnknownTokens
from unrolled.tasks.seq2seq.target_text import TargetText

BEAM = 4  # hypotheses kept at each step by default
SEARCHED = 64  # records per search
# without a length penalty, a beam prefers short answers that say little where a model is unsure
LENGTH_PENALTY = 1.0
STRONGEST = 10.0  # penalty; a length to a higher power is beyond a float

MOST_PIECES = 1_000_000  # pieces of an answer
WIDEST = 1000  # hypotheses per search: memory and time grow with them


@dataclass(frozen=True)
class Answer:
    """One candidate answer: its text and its scores.

    Args:
        text: the text, or a list of words where the column holds lists.
        score: the number that ranks the answers: their log-probability after penalties.
        log_probability: log-probability of the whole text, its end included, in nats.
        finished: whether it ended by itself, rather than at the maximum length.
    """

    text: Any
    score: float
    log_probability: float
    finished: bool


def search_options(
    count: int = 1,
    beam_size: int = BEAM,
    length_penalty: float = LENGTH_PENALTY,
    coverage_penalty: float = 0.0,
) -> SearchOptions:
    """Return checked options of a search; see `Writer.n_best`.

    Raises:
        OptionError: names the option.
    """
    count = whole_number("count", count, least=1)
    beam_size = whole_number("beam_size", beam_size, 1, WIDEST)
    length_penalty = finite_number("length_penalty", length_penalty, 0, STRONGEST)
    coverage_penalty = finite_number("coverage_penalty", coverage_penalty, 0, STRONGEST)
    return SearchOptions(beam_size, count, length_penalty, coverage_penalty)


def search(
    network: EncoderDecoder,
    target: TargetText,
    examples: Batch,
    options: SearchOptions,
    max_length: int = 0,
    prefixes: Sequence[Sequence[int]] | None = None,
    empty: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """Return the best token sequences of each record.

    Args:
        network: the model, in evaluation mode.
        target: the text that the network writes.
        examples: the encoded records, one row per record.
        options: from `search_options`.
        max_length: maximum number of pieces of an answer; 0 = 1.5 times the longest training text.
        prefixes: for each record, the tokens that its answers begin with.
        empty: rows whose answer is empty, but for its prefix; they are not searched.
    """
    max_length = whole_number("max_length", max_length, 0, MOST_PIECES)
    if options.coverage_penalty and network.decoder.attention is None:
        expected = "0 for a model without attention"
        raise OptionError(message("coverage_penalty", expected=expected, received=options.coverage_penalty))
    limit = max_length or target.longest * 3 // 2 + 1
    _check_room(prefixes or [], limit)
    full = torch.ones(examples.batch_size, dtype=torch.bool)
    full[list(empty)] = False
    found = [[_nothing(prefixes[row] if prefixes else [])] for row in range(examples.batch_size)]
    trace = None if network.decoder.attention is None else lambda state: state.weights
    order = torch.argsort(examples.sizes, stable=True)
    for rows in order[full[order]].split(SEARCHED):
        pause()
        batch = examples.select(rows)
        with torch.no_grad():
            state, shared = network.first_state(batch)
        further = network.further(batch)

        def step(tokens: Tensor, state: Any, shared: Any, further: int = further) -> tuple[Tensor, Any]:
            logs, state = network.advance(tokens, state, shared, further)
            return writable(logs, target), state

        answers = beam_search(
            step,
            state,
            shared,
            AnswerBounds(
                target.boundary,
                target.boundary,
                limit,
                None if prefixes is None else [prefixes[row] for row in rows.tolist()],
            ),
            options,
            _attended if options.coverage_penalty else None,
            trace,
        )
        for row, answer in zip(rows.tolist(), answers, strict=True):
            found[row] = answer
    return found


def empty_rows(examples: Batch) -> list[int]:
    """Return the rows whose source is empty."""
    read = next(iter(examples.sources.values()), None)
    return [] if read is None else (read.lengths == 0).nonzero().squeeze(1).tolist()


def _nothing(prefix: Sequence[int]) -> Hypothesis:
    """Return the answer to an empty source: nothing, or the prefix that every answer begins with."""
    return Hypothesis(list(prefix), 0.0, 0.0, finished=True)


def _attended(state: DecoderState, shared: Shared) -> tuple[Tensor, Tensor]:
    """Return the attention on each place so far, (R, S), and which places are real, (B, S)."""
    memory = shared.source.memory
    assert state.coverage is not None, "only called for models with attention"
    assert memory is not None
    return state.coverage, memory.mask


def writable(logs: Tensor, target: TargetText) -> Tensor:
    """Return log-probabilities in which pieces that must not be written, such as the unknown piece, are -inf.

    If the vocabulary has no unknown piece, words of the source are spelt in known pieces, and nothing else is copied.
    """
    if target.unknown is None:
        return logs[:, : target.size]
    return logs.index_fill(1, torch.tensor([target.unknown], device=logs.device), -torch.inf)


def score_targets(network: EncoderDecoder, target: TargetText, examples: Batch) -> np.ndarray:
    """Return the log-probability of each record's target in nats, (B,); an unknown piece has that of its class.

    Args:
        network: in evaluation mode.
        target: what it writes.
        examples: what it reads, with targets.
    """
    totals = np.zeros(examples.batch_size)
    for rows in torch.argsort(examples.sizes, stable=True).split(SEARCHED):
        batch = examples.select(rows)
        assert isinstance(batch.targets, Ragged)
        with torch.no_grad():
            raw, _ = network(batch)
        logs = writable(raw.values, target).log_softmax(1)
        tokens = batch.targets.values
        chosen = logs.gather(1, tokens.clamp(min=0)[:, None]).squeeze(1)
        if target.unknown is not None:
            chosen = torch.where(tokens < 0, raw.values.log_softmax(1)[:, target.unknown], chosen)
        totals[rows.numpy()] = Ragged(chosen, batch.lengths).padded().sum(1).numpy()
    return totals


def spelling_nats(target: TargetText, records: Sequence[Mapping[str, Any]], examples: Batch) -> np.ndarray:
    """Return the nats of spelling the unknown pieces of each record's target, (B,).

    Args:
        target: the text that the network writes.
        records: the records.
        examples: the same, encoded with targets; a piece that can be copied is no unknown one.
    """
    assert isinstance(examples.targets, Ragged)
    tokens = examples.targets.values
    if target.unknown is not None:
        tokens = torch.where(tokens < 0, target.unknown, tokens)
    return UnknownTokens(target.codec).nats(records, examples.targets.with_values(tokens))


def prefix_tokens(target: TargetText, prefix: Any, rows: int, copies: Copies | None) -> list[list[int]]:
    """Return, for each of `rows` records, the tokens that its answers begin with.

    Args:
        target: the text that the network writes.
        prefix: one text for all records, or a list of one text per record; None forces nothing.
        rows: number of records.
        copies: what can be copied from the records.

    Raises:
        DataError: not one prefix per record, or a piece that cannot be written.
    """
    expected = f"one text, or one for each of {rows} records"
    prefix = single(prefix)
    if not isinstance(prefix, Iterable):
        raise DataError(message("prefix", expected=expected, received=prefix))
    given = [prefix] * rows if isinstance(prefix, str) else list(prefix)
    if len(given) != rows:
        raise DataError(message("prefix", expected=expected, received=len(given)))
    records = [
        {target.column: text if target.codec.takes_text or not isinstance(text, str) else text.split()}
        for text in given
    ]
    _, wanted = target.encode(records, copies)
    for row, (pieces, tokens) in enumerate(zip(target.codec.pieces(records), wanted, strict=True)):
        for piece, token in zip(pieces, tokens.tolist(), strict=False):  # the end token follows the pieces
            if token < 0:
                known = "pieces that the model learnt to write"
                raise DataError(message("prefix", expected=known, received=f"{piece!r} for record {row}"))
    return [tokens[:-1].tolist() for tokens in wanted]


def _check_room(prefixes: Sequence[Sequence[int]], limit: int) -> None:
    for row, tokens in enumerate(prefixes):
        if len(tokens) >= limit:
            raise OptionError(
                message(
                    "prefix",
                    expected=f"fewer than {limit} pieces, the maximum length of an answer",
                    received=f"{len(tokens)} for record {row}",
                    remedy="give a larger max_length",
                )
            )
