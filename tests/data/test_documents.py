"""Text read lazily equals text read at once, however it is cut."""

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.documents import Documents
from unrolled.data.readers import read_text
from unrolled.data.spans import BLOCK_BYTES
from unrolled.data.text_lanes import StreamLanes
from unrolled.errors import DataError, OptionError
from unrolled.ragged import Ragged

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\ufeff"), min_size=1, max_size=80)
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, text: str | bytes, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def texts(documents: Documents) -> list[str]:
    return [record["text"] for record in documents]


@same_folder
@given(TEXT, st.floats(0.05, 0.95))
def test_the_two_parts_of_a_split_are_the_text(tmp_path: Path, text: str, share: float) -> None:
    first, second = read_text(write(tmp_path, text)).split(test=share)
    assert "".join(texts(first) + texts(second)) == text


@same_folder
@given(st.lists(TEXT.map(lambda t: t.replace("\n", " ")), min_size=1, max_size=8), st.floats(0.05, 0.95))
def test_lines_are_never_cut(tmp_path: Path, lines: list[str], share: float) -> None:
    documents = read_text(write(tmp_path, "\n".join(lines)), kind="lines")
    assert texts(documents) == lines
    first, second = documents.split(test=share)
    assert texts(first) + texts(second) == lines
    assert len(documents) == len(lines)


def test_characters_are_never_cut_between_blocks(tmp_path: Path) -> None:
    text = "añ€😀" * BLOCK_BYTES
    documents = read_text(write(tmp_path, text))
    assert texts(documents) == [text]
    pieces = [record["text"] for record in documents.pieces()]
    assert len(pieces) > 5
    assert "".join(pieces) == text


def test_a_folder_is_one_text_for_each_file_and_is_split_by_file(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path, f"text {number}", f"{number}.txt")
    documents = read_text(tmp_path)
    assert texts(documents) == [f"text {number}" for number in range(10)]
    first, second = documents.split(test=0.3, seed=1)
    assert (len(first), len(second)) == (7, 3)
    assert sorted(texts(first) + texts(second)) == texts(documents)


def test_a_byte_order_mark_is_not_text(tmp_path: Path) -> None:
    assert texts(read_text(write(tmp_path, b"\xef\xbb\xbfhello"))) == ["hello"]


@pytest.mark.parametrize("before", [0, 5, BLOCK_BYTES - 1, BLOCK_BYTES + 3])
def test_bytes_that_are_no_text_are_named_by_place(tmp_path: Path, before: int) -> None:
    documents = read_text(write(tmp_path, b"x" * before + b"\xff" + b"y" * 9))
    with pytest.raises(DataError, match=rf"a\.txt.*UTF-8.*position {before}\b"):
        list(documents)


def test_an_unfinished_character_at_the_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="position 2"):
        list(read_text(write(tmp_path, b"ab\xe2\x82")))


def test_missing_and_empty_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_text(tmp_path / "none.txt")
    with pytest.raises(DataError, match="empty"):
        read_text(write(tmp_path, ""))
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="at least one file"):
        read_text(tmp_path / "folder")
    with pytest.raises(OptionError, match="'lines'"):
        read_text(write(tmp_path, "x"), kind="line")


# ---- lanes over lazily read text ------------------------------------------------------------------

BOUNDARY = 0


def encode(text: str) -> Tensor:
    return torch.tensor([ord(character) for character in text], dtype=torch.int64)


def rows_of(batches: list[Batch], lanes: int) -> tuple[list[list[int]], list[list[int]], list[list[bool]]]:
    inputs: list[list[int]] = [[] for _ in range(lanes)]
    targets: list[list[int]] = [[] for _ in range(lanes)]
    resets: list[list[bool]] = [[] for _ in range(lanes)]
    for batch in batches:
        x, y = batch.inputs["text"], batch.targets
        assert isinstance(x, Ragged)
        assert isinstance(y, Ragged)
        assert batch.reset is not None
        for lane, parts in enumerate(zip(x, y, x.with_values(batch.reset), strict=True)):
            for row, part in zip((inputs, targets, resets), parts, strict=True):
                row[lane] += part.tolist()  # type: ignore[arg-type]
    return inputs, targets, resets


@same_folder
@given(TEXT, st.integers(1, 4), st.integers(1, 7), st.booleans())
def test_lazy_lanes_read_the_whole_text(tmp_path: Path, text: str, lanes: int, steps: int, shuffle: bool) -> None:
    documents = read_text(write(tmp_path, text))
    source = StreamLanes(documents, encode, BOUNDARY, lanes, steps, shuffle=shuffle)
    inputs, targets, resets = rows_of(list(source.epoch(1)), lanes)
    assert "".join(chr(token) for row in targets for token in row) == text
    for lane in range(lanes):
        assert inputs[lane] == [BOUNDARY, *targets[lane]][: len(targets[lane])]
        assert resets[lane] == [step == 0 for step in range(len(inputs[lane]))]


@same_folder
@given(st.lists(TEXT.map(lambda t: t.replace("\n", " ")), min_size=1, max_size=6), st.integers(1, 3))
def test_lines_begin_and_end_with_the_boundary(tmp_path: Path, lines: list[str], lanes: int) -> None:
    documents = read_text(write(tmp_path, "\n".join(lines)), kind="lines")
    source = StreamLanes(documents, encode, BOUNDARY, lanes, 5, ends=True)
    inputs, targets, resets = rows_of(list(source.epoch(0)), lanes)
    read, expected = [token for row in targets for token in row], []
    for line in lines:
        expected += [*encode(line).tolist(), BOUNDARY]
    assert read == expected
    starts = [
        token for row, reset in zip(inputs, resets, strict=True) for token, r in zip(row, reset, strict=True) if r
    ]
    assert starts == [BOUNDARY] * len(lines)


def test_an_epoch_of_lazy_lanes_can_be_entered_in_the_middle(tmp_path: Path) -> None:
    source = StreamLanes(read_text(write(tmp_path, "abcdefgh" * 40)), encode, BOUNDARY, 3, 10)
    whole, late = list(source.epoch(4)), list(source.epoch(4, start=5))
    assert len(late) == len(whole) - 5
    assert rows_of(whole[5:], 3) == rows_of(late, 3)
    assert abs(len(source) - len(whole)) <= 1


def test_words_are_kept_whole_for_the_encoder(tmp_path: Path) -> None:
    seen: list[str] = []

    def spy(text: str) -> Tensor:
        seen.append(text)
        return encode(text)

    text = "word " * (BLOCK_BYTES // 2)
    source = StreamLanes(read_text(write(tmp_path, text)), spy, BOUNDARY, 1, 50_000, whole_words=True)
    assert sum(batch.num_steps for batch in source.epoch(0)) == len(text)
    assert len(seen) > 1
    assert all(piece.endswith(" ") and piece.split() == ["word"] * (len(piece) // 5) for piece in seen)


@same_folder
@given(text=TEXT, share=st.floats(0.01, 0.99), stretches=st.integers(1, 12))
def test_spread_deals_out_every_character_once_and_leaves_one_text(
    tmp_path: Path, text: str, share: float, stretches: int
) -> None:
    kept, held = read_text(write(tmp_path, text)).spread(share, stretches)
    together = "".join(t for part in (kept, held) for record in part for t in record["text"])
    assert sorted(together) == sorted(text)
    assert len(kept) <= 1
    assert abs(held.len_bytes - share * len(text.encode())) <= 4 * stretches + 4
