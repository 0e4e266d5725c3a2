"""Sections of a report from an inspection."""

import math
from collections.abc import Sequence
from functools import partial

from unrolled.inspection.names import called
from unrolled.inspection.record import Inspection, Part
from unrolled.inspection.records import GradientFlow, LayerFlow
from unrolled.inspection.saliency import Saliency
from unrolled.metrics.confusion import MOST_CLASSES, Confusion
from unrolled.plots.confusion import draw_confusion
from unrolled.plots.gradient_flow import draw_decay, draw_state_gradients
from unrolled.plots.recall import cuts_of, draw_recall
from unrolled.plots.saliency import draw_saliency
from unrolled.plots.states import draw_gates, draw_states, draw_tracking
from unrolled.plots.training import draw_history
from unrolled.plots.unfolding import draw_unfolding
from unrolled.reading_report import lines_of
from unrolled.report.attention_sections import looking_sections
from unrolled.report.page import PagePicture, PageTable, Section
from unrolled.training.history import History

MOST_LAYERS = 4  # layers that are drawn, the first ones; all are in the JSON


def sections_of(found: Inspection, history: History | None) -> list[Section]:
    """Return the sections of a report, the scores first.

    Args:
        found: from `task.inspect`.
        history: of the model's training; None if it is not known.
    """
    parts = [_scores(found)]
    if history is not None and history.rows:
        curves = PagePicture("training", "Losses and gradient norm per epoch", partial(draw_history, history))
        parts.append(Section("Training", pictures=(curves,)))
    if found.confusion is not None and len(found.confusion.classes) <= MOST_CLASSES:
        parts.append(_confusion(found.confusion))
    if found.parts:
        parts.append(_parts(found.parts))
    if found.mistakes:
        parts.append(_mistakes(found))
    if found.workings:
        parts += looking_sections(found.workings)
    parts.append(_flow(found.gradient_flow))
    parts.append(_unfolded(found))
    parts.append(_states(found))
    if found.saliency is not None:
        parts.append(_saliency(found.saliency, found.labels))
    return parts


def _saliency(saliency: Saliency, labels: Sequence[str]) -> Section:
    return Section(
        "Which steps the answer depends on",
        ("Computed by gradient, and by replacing each step. Where both methods agree, the step matters.",),
        pictures=(
            PagePicture(
                "saliency",
                "The contribution of every step to the last answer",
                partial(draw_saliency, saliency, labels),
            ),
        ),
    )


def _unfolded(found: Inspection) -> Section:
    text = "The network while it reads the sequence of this report. Every step has the same weights."
    caption = "Inputs at the bottom, states from left to right, outputs and losses at the top"
    draw = partial(draw_unfolding, found.unfolding)
    if found.workings:
        text = (
            "The network while it reads the record of this report and, in the decoder, the true text. Every step has "
            "the same weights."
        )
        caption = "The encoder below, the decoder above, the attention of each step between them; losses at the top"
        draw = partial(draw, picture=found.workings[0].picture)
    return Section("Unfolded in time", (text,), pictures=(PagePicture("unfolding", caption, draw, wide=True),))


def lead_of(found: Inspection) -> str:
    """Return the first sentences of a report: how good the model is, and the verdict on its gradient flow."""
    return f"{found.scores.summary} Gradient flow: {found.gradient_flow.verdict}."


def _scores(found: Inspection) -> Section:
    names = [*found.scores.model, *["weight"] * bool(found.scores.weights)]
    rows = [(name, *(_number(values.get(metric)) for metric in names)) for name, values in found.scores.rows().items()]
    text = (found.scores.summary, *found.scores.notes, *lines_of(found.scores.report))
    recall = PagePicture(
        "recall", "How often the true item is among the first k recommendations", partial(draw_recall, found.scores)
    )
    pictures = (recall,) if cuts_of(found.scores) else ()
    return Section("Scores", text, (PageTable(("", *names), rows),), pictures)


def _flow(flow: GradientFlow) -> Section:
    rows = [
        (
            called(layer.name, layer.cell),
            "-" if layer.decay is None else _steps(layer.decay.half_life),
            "-" if layer.decay is None else _steps(layer.decay.reach),
            _flat(layer),
        )
        for layer in flow.layers
    ]
    text = [f"{flow.verdict}.", *(f"{finding.sentence}." for finding in flow.findings[1:])]
    header = ("layer", "gradient halves in", "falls to a hundredth in", "saturated activations")
    sizes = PagePicture("state-gradients", "Gradient norm at every step", partial(draw_state_gradients, flow))
    left = PagePicture("decay", "Share of a loss's gradient that is left at earlier steps", partial(draw_decay, flow))
    return Section("Gradient flow", text, (PageTable(header, rows),), (sizes, left))


def _states(found: Inspection) -> Section:
    pictures = []
    stacks = list(dict.fromkeys(layer.stack for layer in found.states.layers))
    shown = [layer for stack in stacks for layer in found.states.of_stack(stack).layers[: MOST_LAYERS // len(stacks)]]
    for number, layer in enumerate(shown, 1):
        pictures.append(
            PagePicture(
                f"states-{number}",
                f"{called(layer.name, layer.cell)}: the units that change most",
                partial(draw_states, layer, labels=found.labels_of(layer)),
            )
        )
        if layer.gates:
            caption = f"{called(layer.name, layer.cell)}: the values of each gate (0 = closed, 1 = open)"
            pictures.append(
                PagePicture(f"gates-{number}", caption, partial(draw_gates, layer, labels=found.labels_of(layer)))
            )
    if found.tracking:
        caption = (
            "For each simple feature the unit with the highest correlation, tested on other steps than it was chosen on"
        )
        pictures.append(PagePicture("tracking", caption, partial(draw_tracking, found.tracking)))
    return Section("Hidden states", pictures=pictures)


def _confusion(confusion: Confusion) -> Section:
    pairs = [f"{true} predicted as {said} ({count:,} times)" for true, said, count in confusion.worst(3)]
    text = f"Most frequent confusions: {'; '.join(pairs)}." if pairs else "No class was confused with another."
    caption = "Number of predictions of each class (columns) for each true class (rows)"
    picture = PagePicture("confusion", caption, partial(draw_confusion, confusion))
    return Section("Confusion matrix", (text,), pictures=(picture,))


def _parts(parts: Sequence[Part]) -> Section:
    rows = [(one.name, f"{one.weight:.3f}", one.answer, f"{one.probability:.4f}", f"{one.pull:+.3f}") for one in parts]
    text = (
        f"{parts[0].name} decided the answer for the sequence of this report. A part pulls the blend from its second "
        "best answer to its best; the pulls, in nats, add up."
    )
    return Section("Parts", (text,), (PageTable(("part", "weight", "predicted", "probability", "pull"), rows),))


def _mistakes(found: Inspection) -> Section:
    rows = [(f"{one.loss:.2f}", one.true, one.given, one.read or f"row {one.row}") for one in found.mistakes]
    text = "The wrong answers with the largest loss. They are often mistakes in the data, or rare cases."
    return Section("Largest errors", (text,), (PageTable(("loss", "true", "predicted", "sequence"), rows),))


def _number(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.4f}"


def _steps(count: float) -> str:
    return "never" if count == math.inf else f"{count:.1f} steps"


def _flat(layer: LayerFlow) -> str:
    return ", ".join(f"{gate.name} {gate.flat:.0%}" for gate in layer.gates) or "-"
