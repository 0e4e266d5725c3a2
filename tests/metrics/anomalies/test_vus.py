"""Volumes under the surface are those that the authors' program prints.

The numbers were made by running `metricor().RangeAUC_volume_opt(labels, scores, window)` of the package vus 0.0.6 on
the series that `case` draws; `basic_metricor` of TSB-AD 1.5 gives the same ones.
"""

import numpy as np
import pytest

from unrolled.errors import DataError, OptionError
from unrolled.metrics.anomalies.vus import vus
from unrolled.metrics.anomalies.vus_paper import range_auc, vus_paper

PRINTED = [  # seed, VUS-ROC, VUS-PR
    (0, 0.828963114867, 0.461240707735),
    (1, 0.940939923090, 0.741228962983),
    (2, 0.577402550545, 0.095770695089),
    (3, 1.000000000000, 1.000000000000),
    (4, 0.656852788998, 0.253289148382),
    (5, 0.995399620199, 0.957043832087),
    (6, 0.940881439432, 0.733502057712),
    (7, 0.999227821049, 0.992766054271),
    (8, 0.525798154501, 0.110364055284),
    (9, 0.981202362570, 0.917897317827),
    (10, 0.722521900509, 0.251401120220),
    (11, 0.938812702327, 0.402525687490),
    (12, 0.958799533038, 0.796686054751),
    (13, 0.938650606312, 0.773176252144),
    (14, 0.655755201439, 0.284188731145),
    (15, 0.996004489139, 0.982142828636),
    (16, 0.816117392759, 0.214440679559),
    (17, 0.665477468479, 0.165426473527),
    (18, 0.760754671159, 0.338857057237),
    (19, 0.997833842563, 0.966360893180),
    (20, 0.647833853360, 0.067025767621),
    (21, 0.993625542142, 0.961154553659),
    (22, 0.569997284060, 0.027637939482),
    (23, 0.911364100624, 0.689455493042),
]


def case(seed):
    """Marks, scores and the widest buffer: ties, near misses, ranges at both ends and ranges whose buffers meet."""
    rng = np.random.default_rng(seed)
    rows, ranges = int(rng.integers(30, 900)), int(rng.integers(1, 6))
    marks = np.zeros(rows, int)
    for _ in range(ranges):
        first = int(rng.integers(0, rows))
        marks[first : first + int(rng.integers(1, max(2, rows // 15)))] = 1
    if seed % 5 == 0:
        marks[:3] = 1
    if seed % 7 == 0:
        marks[-2:] = 1
    scores = rng.random(rows)
    if seed % 2:
        scores = np.round(scores + marks * rng.random(), 1)
    if seed % 3 == 0:
        scores += np.roll(marks, int(rng.integers(-6, 7))) * rng.random()
    return marks, scores, int(rng.integers(0, 60))


@pytest.mark.parametrize(("seed", "roc", "pr"), PRINTED)
def test_the_volume_is_the_one_that_the_authors_program_prints(seed, roc, pr):
    marks, scores, window = case(seed)
    assert vus(scores, marks, window) == pytest.approx((roc, pr), abs=1e-11)


def test_the_papers_volume_is_another_number():
    apart = []
    for seed, roc, pr in PRINTED:
        marks, scores, window = case(seed)
        found = vus_paper(scores, marks, window)
        apart.append((abs(found.roc - roc), abs(found.pr - pr)))
    assert np.max(apart, axis=0).min() > 0.1


@pytest.mark.parametrize("measure", [vus, vus_paper, range_auc])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused_with_its_row(measure, odd):
    with pytest.raises(DataError, match="row 3"):
        measure([0.1, 0.2, 0.3, odd, 0.4], [0, 1, 1, 0, 0], 2)


@pytest.mark.parametrize("measure", [vus, vus_paper, range_auc])
def test_what_has_no_area_is_refused(measure):
    for truth in ([0, 0, 0], [1, 1, 1], [0, 1]):
        with pytest.raises(DataError, match="labelled"):
            measure([1, 2, 3], truth, 2)


@pytest.mark.parametrize("measure", [vus, vus_paper])
def test_a_buffer_below_nothing_is_refused(measure):
    with pytest.raises(OptionError, match="longest"):
        measure([1, 2], [0, 1], -1)


def test_one_threshold_makes_no_curve():
    with pytest.raises(OptionError, match="thresholds"):
        vus([1, 2], [0, 1], 1, thresholds=1)
