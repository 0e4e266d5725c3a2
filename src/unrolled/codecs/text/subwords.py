"""Text as subwords: byte-level pair encoding learnt from the data, without unknown tokens and without loss."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Self

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.values import nothing_to_learn, text_of, texts_of, value_of
from unrolled.errors import OptionError, message
from unrolled.pauses import paused
from unrolled.ragged import Ragged

BYTES = 256
_GROUP = 1 << 20  # characters split at once, so that memory stays constant


class Subwords(Codec):
    """A codec of texts as sequences of subwords: frequent words whole, rare ones in pieces, down to bytes.

    Args:
        column: a column of text (str); a missing text is an empty one.
        size: vocabulary size, at least 256 (the bytes); small data may give a smaller one.
        embedding_size: width of a learnt vector per subword; 0 = one-hot.

    Example:
        >>> codec = Subwords("text", size=300).fit([{"text": "low lower lowest " * 9}])
        >>> codec.decode(codec.encode([{"text": "slow \u2603"}]))
        ['slow \u2603']
    """

    name = "subwords"
    opens_files = False
    version = 2
    unit = "characters"  # every text has subwords, so what is unknown is told by its characters
    tokenizer_: str
    characters_: str = ""  # those of the training texts; empty in models of version 1, which tell nothing unknown

    def __init__(self, column: str, size: int = 4000, embedding_size: int = 256) -> None:
        self.column = column
        self.size = size
        self.embedding_size = embedding_size

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def takes_text(self) -> bool:
        return True

    @property
    def spec(self) -> Spec:
        self._require_fit()
        return Spec("index", self._tokenizer.get_vocab_size(), self.embedding_size)

    def fit(self, records: Iterable[Record]) -> Self:
        if self.size < BYTES:
            raise OptionError(message("size", expected=f"a number >= {BYTES}", received=self.size))
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
        seen: set[str] = set()

        def texts() -> Iterator[str]:
            for row, record in enumerate(records):
                text = _whole(text_of(value_of(record, self.column), self.column, row))
                seen.update(text)
                yield text

        tokenizer.train_from_iterator(texts(), trainer)
        if not seen:
            raise nothing_to_learn(self.columns, "some text")
        return self._learn(tokenizer_=tokenizer.to_str(), characters_="".join(sorted(seen)))

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        texts = [_whole(text) for text in texts_of(records, self.column)]
        rows = [
            np.asarray(encoding.ids, dtype=np.int64)
            for group in _groups(texts)
            for encoding in self._tokenizer.encode_batch_fast(group, add_special_tokens=False)
        ]
        values = np.concatenate([*rows, np.empty(0, dtype=np.int64)])
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        self._tell_characters(texts, lengths)
        return Ragged(torch.from_numpy(values), torch.from_numpy(lengths))

    def _tell_characters(self, texts: Sequence[str], lengths: np.ndarray) -> None:
        """Tell the call what was read: characters, and those that training never saw."""
        if not self._is_counted():
            return
        strange: Counter[str] = Counter()
        for text in texts:
            if self._known and not self._known.issuperset(text):
                strange.update(letter for letter in text if letter not in self._known)
        examples = list(strange)
        places = np.arange(strange.total())
        self._tell(
            lengths,
            sum(map(len, texts)),
            places,
            lambda place: examples[min(place, len(examples) - 1)],
            self._known.__contains__,
        )

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.characters_)

    def decode(self, encoded: Ragged) -> list[str]:
        self._require_fit()
        return self._tokenizer.decode_batch([row.tolist() for row in encoded], skip_special_tokens=False)

    def pieces(self, records: Sequence[Record]) -> list[list[str]]:
        """Return each record's subwords, in the spelling of the vocabulary."""
        entries = self.entries
        return [[entries[index] for index in row.tolist()] for row in self.encode(records)]

    @property
    def entries(self) -> list[str]:
        """Return the subword of each index."""
        self._require_fit()
        return [self._tokenizer.id_to_token(index) or "" for index in range(self._tokenizer.get_vocab_size())]

    def join(self, pieces: Sequence[str]) -> str:
        """Join subwords to a text."""
        return decoders.ByteLevel().decode(list(pieces))

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(self.tokenizer_)


def _whole(text: str) -> str:
    """Return the text with lone surrogates replaced: UTF-8 cannot hold them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _groups(texts: Sequence[str]) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for text in paused(texts):
        group.append(text)
        size += len(text)
        if size >= _GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group
