"""The lecture's chapters say what the lecture says, with numbers that were measured."""

from itertools import pairwise

import pytest

from unrolled.report import lecture
from unrolled.report.page import Section


def cells(section: Section) -> list[list[str]]:
    return [list(row) for row in section.tables[0].rows]


def test_the_same_input_is_answered_differently():
    answers = [row[-1] for row in cells(lecture.history_matters(0))]
    assert len(set(answers)) == len(answers)


def test_the_powers_are_the_board_s():
    rows = {row[0]: row[1:] for row in cells(lecture.vanishing_and_exploding())}
    assert rows["1"] == ["0.90", "1.50"]
    assert rows["9"][0] == "0.39"
    assert rows["8"][1] == "25.63"


def test_a_real_network_measures_what_the_theory_says():
    for scale, factor, told, measured in cells(lecture.in_a_real_network(1)):
        assert float(factor) == pytest.approx(float(scale), rel=0.05)
        assert (told == "never halves") == (float(scale) >= 1)
        if float(scale) < 1:
            assert float(measured.split()[0]) == pytest.approx(float(told.split()[0]), rel=0.05)


def test_truncation_loses_less_with_longer_windows_and_faster_decay():
    shares = [[float(cell.rstrip("%")) for cell in row[1:]] for row in cells(lecture.truncation(0))]
    for shorter, longer in pairwise(shares):
        assert all(a >= b for a, b in zip(shorter, longer, strict=True))
    assert all(row == sorted(row) for row in shares)


def test_unfolding_and_clipping_draw_their_pictures():
    for section in (lecture.unfolding(0), lecture.clipping(0)):
        assert section.pictures
        assert section.text


@pytest.mark.slow
def test_the_lstm_remembers_what_the_simple_network_does_not():
    rows = {row[0]: float(row[-1].rstrip("%")) for row in cells(lecture.rescue(0))}
    assert rows["LSTM"] > 90
    assert rows["Elman network"] < 40
