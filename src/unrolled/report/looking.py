"""From records with their answers to the sections of a page that show where each piece of an answer looked."""

from collections.abc import Sequence
from functools import partial

from unrolled.inspection.alignment import Working
from unrolled.plots.alignment import draw_alignment
from unrolled.plots.looking import draw_looks, draw_sheet, on_one_line
from unrolled.report.page import Grid, Picture, Section
from unrolled.tasks.mistakes import cut

MOST = 4  # matrices of attention on a page
LOOKED = (
    "Attention says which places a step read most, not why. A place holds what is around it, too: of a text, all of it "
    "in one direction or the other; of a picture, what its convolutions reach."
)


def looking_sections(workings: Sequence[Working]) -> list[Section]:
    """What was written beside what is true and, where the model attends, where each piece looked.

    Args:
        workings: the record that the page looks at, then others.
    """
    pictures = [one for one in workings if one.picture is not None]
    parts = [_sheet(pictures) if pictures else _answers(workings)]
    looks = _looks(workings)
    if looks:
        parts.append(Section("Where it looked", (LOOKED,), pictures=looks))
    return parts


def _answers(workings: Sequence[Working]) -> Section:
    rows = [(f"row {one.row}", cut(one.read), cut(one.answer), cut(one.true)) for one in workings]
    text = "The record that this page looks at, and others drawn by chance."
    return Section("Answers", (text,), (Grid(("", "read", "answered", "true"), rows),))


def _sheet(workings: Sequence[Working]) -> Section:
    text = "The picture that this page looks at, and others drawn by chance; beside each, what each word looked at."
    caption = "Pictures, what was written about them, the true texts, and where each word looked"
    return Section("Answers", (text,), pictures=(Picture("sheet", caption, partial(draw_sheet, workings)),))


def _looks(workings: Sequence[Working]) -> list[Picture]:
    """One picture word by word, or a few matrices."""
    first = workings[0]
    if first.picture is not None:
        if first.alignment is None or not first.alignment.written:
            return []
        caption = f"Row {first.row}: the picture, and for each word what it looked at; the rest is under a veil"
        return [Picture("looks", caption, partial(draw_looks, first))]
    shown = [one for one in workings if one.alignment and one.alignment.read and one.alignment.written]
    return [
        Picture(
            f"attention-{number}",
            f"For each piece of the answer to row {one.row}, the share of its attention on each piece read",
            partial(
                draw_alignment, one.alignment, f"Row {one.row}: {on_one_line(one.read)} → {on_one_line(one.answer)}"
            ),
        )
        for number, one in enumerate(shown[:MOST], 1)
        if one.alignment is not None
    ]
