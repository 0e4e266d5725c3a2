"""Token-by-token generation with a language model, with its predictions and hidden units at each step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unrolled.codecs.text.characters import REPLACEMENT
from unrolled.codecs.text.words import Joining, Words
from unrolled.decoding.generate import Drawn, Sampling
from unrolled.errors import whole_number
from unrolled.inspection.states import states
from unrolled.reading_report import uncounted
from unrolled.tasks.language.language_model import LanguageModel
from unrolled.tasks.language.text_writer import TextWriter

LONGEST_SHOWN = 4096  # maximum number of tokens of a prompt whose steps are shown
LONGEST_READ = 64  # the last steps of a prompt that are shown
END = "<end>"  # name of the token after the last one of a document


@dataclass(frozen=True)
class Written:
    """One step of a text.

    Args:
        text: what was read or written at this step; empty while a character is incomplete.
        expected: before this step, the most probable tokens with the probabilities they are drawn with, best first.
        units: after it, the first hidden units of the last layer.
        read: whether it belongs to the prompt.
    """

    text: str
    expected: tuple[tuple[str, float], ...] = ()
    units: tuple[float, ...] = ()
    read: bool = False


@dataclass(frozen=True)
class Shown:
    """What is shown of each step besides its text.

    Args:
        candidates: number of tokens to name with their probabilities.
        units: number of hidden units; a model without recurrent layers has none.
    """

    candidates: int = 0
    units: int = 0

    def __post_init__(self) -> None:
        for name in ("candidates", "units"):
            whole_number(name, getattr(self, name), least=0)


def write_on(
    model: LanguageModel,
    prompt: str = "",
    sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
    given: Mapping[str, Any] | None = None,
    shown: Shown = Shown(),
) -> Iterator[Written]:
    """Yield what `model.generate` writes, token by token; the caller may stop at any time.

    With units the last steps of a prompt of up to 4,096 tokens come first.

    Args:
        model: a fitted language model.
        prompt, given: as `LanguageModel.generate` takes them.
        sampling: how tokens are drawn, and how many.
        shown: what is shown of each step.

    Raises:
        OptionError: an invalid option, before the first step.

    Example:
        >>> import unrolled as ur
        >>> model = ur.LanguageModel(hidden_size=16, dropout=0.0).fit("abcabc" * 100, epochs=12, learning_rate=0.02)
        >>> steps = list(write_on(model, "ab", Sampling(length=3, temperature=0), shown=Shown(candidates=1)))
        >>> [step.text for step in steps], steps[0].expected
        (['c', 'a', 'b'], (('c', 1.0),))
    """
    writer = model.writer()
    record = writer.record(prompt, given)
    with torch.no_grad():
        logits, state = writer.read([record])
        drawn = writer.write(logits, state, sampling)  # an invalid option is refused now, not at the first step
        read = _prompt_steps(writer, record, sampling, shown) if shown.units else []
    return _steps(writer, prompt, read, drawn, shown)


def _steps(
    writer: TextWriter, prompt: str, read: list[Written], steps: Iterator[Drawn], shown: Shown
) -> Iterator[Written]:
    yield from read
    spelling = _Spelling(writer)
    spelling.begin(writer.tokens(prompt))
    for drawn in steps:
        text = spelling.add(drawn.token)
        yield Written(text, _expected(writer, drawn.shares, shown.candidates), _units(drawn.state, shown.units))
    if rest := spelling.rest():
        yield Written(rest)


class _Spelling:
    """Incremental conversion of tokens to text; tokens of an incomplete character wait for the rest of it.

    Args:
        writer: of the tokens.
    """

    def __init__(self, writer: TextWriter) -> None:
        self._writer, codec = writer, writer.codec
        self._joining = Joining(codec.spacing_) if isinstance(codec, Words) and not codec.lists_ else None
        self._entries = codec.entries if isinstance(codec, Words) else []
        self._tokens = torch.empty(0, dtype=torch.int64)
        self._text, self._done = "", 0  # text of those tokens, and how much of it was returned

    def begin(self, tokens: Tensor) -> None:
        """Add the tokens of a prompt."""
        if self._joining is not None:
            for index in tokens.tolist():
                self._joining.add(self._entries[index])
            return
        self._take(tokens)
        self._done = len(self._text)

    def add(self, token: Tensor) -> str:
        """Return the text that one more token adds; empty while a character is incomplete."""
        if self._joining is not None:
            return self._joining.add(self._entries[int(token)])
        self._take(token)
        stop = max(self._done, len(self._text.rstrip(REPLACEMENT)))  # a character's first bytes wait for its last
        found, self._done = self._text[self._done : stop], stop
        return found

    def rest(self) -> str:
        """Return the text that still waited for further bytes."""
        return self._text[self._done :]

    def _take(self, tokens: Tensor) -> None:
        if not self._text.endswith(REPLACEMENT):
            self._tokens, self._done = tokens[:0], 0
        self._tokens = torch.cat([self._tokens, tokens])
        self._text = _spelt(self._writer, self._tokens)


def _spelt(writer: TextWriter, tokens: Tensor) -> str:
    spelt: Any = writer.spell(tokens)
    return spelt if isinstance(spelt, str) else "".join(f"{word} " for word in spelt)


def _expected(writer: TextWriter, shares: Tensor, count: int) -> tuple[tuple[str, float], ...]:
    found = shares[0].topk(min(count, shares.shape[1]))
    pairs = [(index, share) for index, share in zip(found.indices, found.values.tolist(), strict=True) if share > 0]
    return tuple(
        (END if int(index) == writer.boundary else _spelt(writer, index[None]), round(share, 4))
        for index, share in pairs
    )


def _units(state: Any, count: int) -> tuple[float, ...]:
    """Return the first hidden units of the last layer."""
    last = state[-1] if count and isinstance(state, tuple) and state else None
    hidden = getattr(last, "hidden", None)
    return () if hidden is None else _rounded(hidden[0, :count])


def _prompt_steps(writer: TextWriter, record: Mapping[str, Any], sampling: Sampling, shown: Shown) -> list[Written]:
    """Return the last steps of the prompt, with the predictions before each and the hidden units after it."""
    tokens = writer.tokens(record[writer.column])
    if not 0 < len(tokens) <= LONGEST_SHOWN:  # the states of all its steps are kept in memory
        return []
    with uncounted():  # the prompt was counted where it was read
        batch = writer.encode([record])
    raw, _ = writer.network(batch)
    first = max(0, len(tokens) - LONGEST_READ)
    shares = sampling.shares(writer.legal(raw.values[first:-1]))  # (T, V) before each token
    layer = states(writer.network, batch).layers[-1]
    hidden = layer.fields["hidden"].values[1:] if "hidden" in layer.fields else torch.empty(len(tokens), 0)
    return [
        Written(_spelt(writer, token[None]), _expected(writer, row[None], shown.candidates), _rounded(units), read=True)
        for token, row, units in zip(tokens[first:], shares, hidden[first:, : shown.units], strict=True)
    ]


def _rounded(units: Tensor) -> tuple[float, ...]:
    return tuple(round(value, 4) for value in units.tolist())
