"""From an inspection to the sections of a page."""

import math
from collections.abc import Sequence
from functools import partial

from unrolled.confusion_matrix import MOST_CLASSES, Confusion
from unrolled.inspection.names import called
from unrolled.inspection.record import Inspection
from unrolled.inspection.records import GradientFlow, LayerFlow
from unrolled.inspection.saliency import Saliency
from unrolled.plots.confusion import draw_confusion
from unrolled.plots.gradient_flow import draw_decay, draw_state_gradients
from unrolled.plots.recall import cuts_of, draw_recall
from unrolled.plots.saliency import draw_saliency
from unrolled.plots.states import draw_gates, draw_states, draw_tracking
from unrolled.plots.training import draw_history
from unrolled.plots.unfolding import draw_unfolding
from unrolled.report.looking import looking_sections
from unrolled.report.page import Grid, Picture, Section
from unrolled.training.history import History

MOST_LAYERS = 4  # of a deep model the first ones are drawn; all are in the JSON


def sections_of(found: Inspection, history: History | None) -> list[Section]:
    """The parts of a report, the scores first.

    Args:
        found: from `task.inspect`.
        history: how the model was trained; None where that is not known.
    """
    parts = [_scores(found)]
    if history is not None and history.rows:
        curves = Picture("training", "Losses and the gradient's norm over the epochs", partial(draw_history, history))
        parts.append(Section("Training", pictures=(curves,)))
    if found.confusion is not None and len(found.confusion.classes) <= MOST_CLASSES:
        parts.append(_confusion(found.confusion))
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
        "What the answer hangs on",
        ("By gradient, and by replacing each step; where the two agree, the step matters.",),
        pictures=(
            Picture(
                "saliency",
                "The share of every step in the last answer",
                partial(draw_saliency, saliency, labels),
            ),
        ),
    )


def _unfolded(found: Inspection) -> Section:
    text = "The network as it read the sequence that this page looks at; the same weights at every step."
    caption = "Inputs below, states from left to right, outputs and losses above"
    draw = partial(draw_unfolding, found.unfolding)
    if found.workings:
        text = (
            "The network as it read the record that this page looks at, and the true text before each step; the same "
            "weights at every step."
        )
        caption = "The encoder below, the decoder above, between them the attention of each step; losses on top"
        draw = partial(draw, picture=found.workings[0].picture)
    return Section("Unfolded in time", (text,), pictures=(Picture("unfolding", caption, draw, wide=True),))


def lead_of(found: Inspection) -> str:
    """The one sentence that a report opens with: how good the model is, and whether its gradient flows."""
    return f"{found.scores.summary} Gradient flow: {found.gradient_flow.verdict}."


def _scores(found: Inspection) -> Section:
    table = found.scores.to_json()
    names = list(table["model"])
    rows = [("this model", *map(_number, table["model"].values()))]
    for name, scores in table["baselines"].items():
        rows.append((name, *(_number(scores.get(metric)) for metric in names)))
    text = (found.scores.summary, *found.scores.notes)
    recall = Picture("recall", "How often the true item is among the first k", partial(draw_recall, found.scores))
    pictures = (recall,) if cuts_of(found.scores) else ()
    return Section("Scores", text, (Grid(("", *names), rows),), pictures)


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
    header = ("layer", "gradient halves in", "a hundredth left after", "flat activations")
    sizes = Picture("state-gradients", "The gradient's size at every step", partial(draw_state_gradients, flow))
    left = Picture("decay", "What is left of one loss's gradient further back", partial(draw_decay, flow))
    return Section("Gradient flow", text, (Grid(header, rows),), (sizes, left))


def _states(found: Inspection) -> Section:
    pictures = []
    stacks = list(dict.fromkeys(layer.stack for layer in found.states.layers))
    shown = [layer for stack in stacks for layer in found.states.of_stack(stack).layers[: MOST_LAYERS // len(stacks)]]
    for number, layer in enumerate(shown, 1):
        pictures.append(
            Picture(
                f"states-{number}",
                f"{called(layer.name, layer.cell)}: the units that change most",
                partial(draw_states, layer, labels=found.labels_of(layer)),
            )
        )
        if layer.gates:
            caption = f"{called(layer.name, layer.cell)}: how far each gate is open"
            pictures.append(
                Picture(f"gates-{number}", caption, partial(draw_gates, layer, labels=found.labels_of(layer)))
            )
    if found.tracking:
        caption = "For each simple feature the unit that follows it best, judged on steps that did not choose it"
        pictures.append(Picture("tracking", caption, partial(draw_tracking, found.tracking)))
    return Section("What it remembers", pictures=pictures)


def _confusion(confusion: Confusion) -> Section:
    pairs = [f"{true} for {said} ({count:,} times)" for true, said, count in confusion.worst(3)]
    text = f"Taken for another class most often: {'; '.join(pairs)}." if pairs else "No class was taken for another."
    caption = "How often each class was answered (columns) where each class is true (rows)"
    picture = Picture("confusion", caption, partial(draw_confusion, confusion))
    return Section("Which class is taken for which", (text,), pictures=(picture,))


def _mistakes(found: Inspection) -> Section:
    rows = [(f"{one.loss:.2f}", one.true, one.given, one.read or f"row {one.row}") for one in found.mistakes]
    text = "The wrong answers that cost most: often a mistake in the data, or a case that is rare in it."
    return Section("Errors worth reading", (text,), (Grid(("loss", "true", "answered", "sequence"), rows),))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _steps(count: float) -> str:
    return "never" if count == math.inf else f"{count:.1f} steps"


def _flat(layer: LayerFlow) -> str:
    return ", ".join(f"{gate.name} {gate.flat:.0%}" for gate in layer.gates) or "-"
