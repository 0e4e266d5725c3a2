"""A table whose line is as long as the table: faults are found in pieces, so that memory is bounded."""

import tracemalloc

import pytest

from unrolled.data.formats import delimited_faults
from unrolled.data.formats.delimited import Dialect, parse_delimited
from unrolled.data.formats.delimited_faults import refuse_longer_lines, refuse_quotes
from unrolled.errors import DataError

LONG = 4 * delimited_faults._PIECE  # bytes of a line that is cut


def fault(call, *arguments) -> str:
    with pytest.raises(DataError) as caught:
        call(*arguments)
    return str(caught.value)


def test_a_line_of_millions_of_values_is_refused_in_bounded_memory():
    body = b"text\n" + b'"",' * 4_000_000
    tracemalloc.start()
    said = fault(parse_delimited, body, Dialect())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said.startswith("line 2: expected 1 values, as in the first line, received at least ")
    assert peak < 3 * len(body)  # all values in one list took 140 MB


@pytest.mark.parametrize("is_file", [False, True])
def test_the_line_is_counted_behind_one_that_is_cut(tmp_path, is_file):
    data = b"a\nx\n" + b"y" * LONG + b'\nz\n5" pipe\n'
    if is_file:
        (tmp_path / "a.csv").write_bytes(data)
    assert fault(refuse_quotes, tmp_path / "a.csv" if is_file else data, ",", '"').startswith("line 5: ")


def test_the_line_is_counted_across_blocks():
    count = LONG // 4  # lines of 4 bytes: several blocks
    lines = b"1,2\n" * count
    assert fault(refuse_longer_lines, b"a,b\n" + lines + b"1,2,3\n", ",", '"').startswith(f"line {count + 2}: ")
    assert fault(refuse_quotes, b"a,b\n" + lines + b'"1,2\n', ",", '"').startswith(f"line {count + 2}: ")


def test_what_follows_a_line_that_is_cut_within_a_quoted_value_is_not_called_too_long():
    row = b'"' + b"x,\n" * 30_000 + b'"'  # quoted values hold separators and ends of lines
    refuse_longer_lines(b"a\n" + row + b"\n" + b'"' + b"x," * LONG + b'"\n1\n', ",", '"')


def test_a_last_line_without_an_end_has_its_exact_number_of_values():
    for size in (3, delimited_faults._PIECE, delimited_faults._PIECE + 2):
        body = b"a\n" + b"," * (size - 1)
        assert f", received {size};" in fault(refuse_longer_lines, body, ",", '"')
