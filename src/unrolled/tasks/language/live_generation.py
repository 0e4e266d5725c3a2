"""Token-by-token generation with a language model, with its predictions and hidden units at each step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.codecs.text.characters import REPLACEMENT
from unrolled.codecs.text.words import Joining, Words
from unrolled.decoding.sampling import generator_of, probabilities
from unrolled.errors import whole_number
from unrolled.inspection.states import states
from unrolled.ragged import Ragged
from unrolled.tasks.language.language_model import TEXT, LanguageModel
from unrolled.tasks.language.texts import start_of

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


def write_on(
    model: LanguageModel,
    prompt: str = "",
    length: int = 200,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int | None = None,
    given: Mapping[str, Any] | None = None,
    candidates: int = 0,
    units: int = 0,
) -> Iterator[Written]:
    """Yield what `model.generate` writes, token by token; the caller may stop at any time.

    With `units` the last steps of a prompt of up to 4,096 tokens come first.

    Args:
        model: a fitted language model.
        prompt, length, temperature, top_k, top_p, seed, given: as `LanguageModel.generate` takes them.
        candidates: number of tokens to name at each step with their probabilities.
        units: number of hidden units to show at each step; a model without recurrent layers has none.

    Raises:
        OptionError: an invalid option, before the first step.

    Example:
        >>> import unrolled as ur
        >>> model = ur.LanguageModel(hidden_size=16, dropout=0.0).fit("abcabc" * 100, epochs=12, learning_rate=0.02)
        >>> steps = list(write_on(model, "ab", length=3, temperature=0, candidates=1))
        >>> [step.text for step in steps], steps[0].expected
        (['c', 'a', 'b'], (('c', 1.0),))
    """
    length, candidates = whole_number("length", length, least=0), whole_number("candidates", candidates, least=0)
    units = whole_number("units", units, least=0)
    model._fitted().eval()
    record = start_of(given, model.text, prompt, () if model.given_ is None else model.given_.columns)
    record = model.schema_.cast_event(record)
    with torch.no_grad():
        logits, state = model._read(record)
        probabilities(logits, temperature, top_k, top_p)  # an invalid option is refused now, not at the first step
        drawing = (temperature, top_k, top_p)
        shown = _prompt_steps(model, record, drawing, candidates, units) if units else []
    generator = generator_of(seed)
    return _steps(model, prompt, shown, logits, state, length, drawing, generator, candidates, units)


def _steps(
    model: LanguageModel,
    prompt: str,
    shown: list[Written],
    logits: Tensor,
    state: Any,
    length: int,
    drawing: tuple[float, int, float],
    generator: torch.Generator,
    candidates: int,
    units: int,
) -> Iterator[Written]:
    yield from shown
    spelling = _Spelling(model)
    spelling.begin(model._tokens([prompt]).values)
    for _ in range(length):
        with torch.no_grad():  # not around the yield: it would also apply to the caller's code
            shares = probabilities(logits, *drawing)
            token = torch.multinomial(shares, 1, generator=generator).squeeze(1)
            if int(token) == model.boundary_:
                break
            raw, state = model.network_.step(Batch({TEXT: Ragged(token, torch.ones_like(token))}), state)
            logits = model._legal(raw)
        text = spelling.add(token)
        yield Written(text, _expected(model, shares, candidates), _units(state, units))
    if rest := spelling.rest():
        yield Written(rest)


class _Spelling:
    """Incremental conversion of tokens to text; tokens of an incomplete character wait for the rest of it.

    Args:
        model: the language model of the tokens.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        codec = model.codec_
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
        self._text = _spelt(self._model, self._tokens)


def _spelt(model: LanguageModel, tokens: Tensor) -> str:
    spelt: Any = model._spell(tokens)
    return spelt if isinstance(spelt, str) else "".join(f"{word} " for word in spelt)


def _expected(model: LanguageModel, shares: Tensor, count: int) -> tuple[tuple[str, float], ...]:
    found = shares[0].topk(min(count, shares.shape[1]))
    pairs = [(index, share) for index, share in zip(found.indices, found.values.tolist(), strict=True) if share > 0]
    return tuple(
        (END if int(index) == model.boundary_ else _spelt(model, index[None]), round(share, 4))
        for index, share in pairs
    )


def _units(state: Any, count: int) -> tuple[float, ...]:
    """Return the first hidden units of the last layer."""
    last = state[-1] if count and isinstance(state, tuple) and state else None
    hidden = getattr(last, "hidden", None)
    return () if hidden is None else _rounded(hidden[0, :count])


def _prompt_steps(
    model: LanguageModel, record: Mapping[str, Any], drawing: tuple[float, int, float], candidates: int, units: int
) -> list[Written]:
    """Return the last steps of the prompt, with the predictions before each and the hidden units after it."""
    tokens = model._tokens([record[model.text]]).values
    if not 0 < len(tokens) <= LONGEST_SHOWN:  # the states of all its steps are kept in memory
        return []
    batch = model._encode_prompts([record])
    raw, _ = model.network_(batch)
    first = max(0, len(tokens) - LONGEST_READ)
    shares = probabilities(model._legal(raw.values[first:-1]), *drawing)  # (T, V) before each token
    layer = states(model.network_, batch).layers[-1]
    hidden = layer.fields["hidden"].values[1:] if "hidden" in layer.fields else torch.empty(len(tokens), 0)
    return [
        Written(_spelt(model, token[None]), _expected(model, row[None], candidates), _rounded(remembered), read=True)
        for token, row, remembered in zip(tokens[first:], shares, hidden[first:, :units], strict=True)
    ]


def _rounded(units: Tensor) -> tuple[float, ...]:
    return tuple(round(value, 4) for value in units.tolist())
