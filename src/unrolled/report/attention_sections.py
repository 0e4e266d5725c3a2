"""Sections of a report with answers and the attention of each piece of an answer."""

from collections.abc import Sequence
from functools import partial

from unrolled.inspection.alignment import Working
from unrolled.plots.alignment import draw_alignment
from unrolled.plots.attention_maps import draw_looks, draw_sheet, on_one_line
from unrolled.report.page import PagePicture, PageTable, Section
from unrolled.tasks.shared.mistakes import cut

MOST = 4  # attention matrices on a page
LOOKED = (
    "Attention shows which positions a step read most, not why. The vector of a position also holds its surroundings: "
    "in a text, everything before or after it; in a picture, the receptive field of the convolutions."
)


def looking_sections(workings: Sequence[Working]) -> list[Section]:
    """Return sections with answers, true texts and, if the model has attention, the attention of each piece.

    Args:
        workings: the record of the report, then others.
    """
    pictures = [one for one in workings if one.picture is not None]
    parts = [_sheet(pictures) if pictures else _answers(workings)]
    looks = _looks(workings)
    if looks:
        parts.append(Section("Attention", (LOOKED,), pictures=looks))
    return parts


def _answers(workings: Sequence[Working]) -> Section:
    rows = [(f"row {one.row}", cut(one.read), cut(one.answer), cut(one.true)) for one in workings]
    text = "The record of this report, and others chosen at random."
    return Section("Answers", (text,), (PageTable(("", "input", "answer", "true"), rows),))


def _sheet(workings: Sequence[Working]) -> Section:
    text = "The picture of this report, and others chosen at random, each with the attention of every word."
    caption = "Pictures, their predicted captions, the true captions, and the attention of every word"
    return Section("Answers", (text,), pictures=(PagePicture("sheet", caption, partial(draw_sheet, workings)),))


def _looks(workings: Sequence[Working]) -> list[PagePicture]:
    """One picture word by word, or a few matrices."""
    first = workings[0]
    if first.picture is not None:
        if first.alignment is None or not first.alignment.written:
            return []
        caption = f"Row {first.row}: the picture, and the attention of each word; other regions are faded"
        return [PagePicture("looks", caption, partial(draw_looks, first))]
    shown = [one for one in workings if one.alignment and one.alignment.read and one.alignment.written]
    return [
        PagePicture(
            f"attention-{number}",
            f"Attention of each piece of the answer to row {one.row} on each piece of the input",
            partial(
                draw_alignment, one.alignment, f"Row {one.row}: {on_one_line(one.read)} → {on_one_line(one.answer)}"
            ),
        )
        for number, one in enumerate(shown[:MOST], 1)
        if one.alignment is not None
    ]
