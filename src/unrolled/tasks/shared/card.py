"""Model cards: what a saved model is, what it was trained on, and its scores next to the baselines."""

import re
from collections.abc import Mapping
from typing import Any

from unrolled.blending.blend import Blend
from unrolled.nn.layers import count_weights
from unrolled.training.history import History

LONGEST = 200  # maximum number of characters of a value
PLAIN = re.compile(r"\w*|[\w,.+-]+( [\w,.+()-]+)*")  # words and numbers


def write_card(task: Any) -> str:
    """Return the model card as Markdown, written only from values that the model holds."""
    name = type(task).__name__
    lines = [f"# {name}", "", "A sequence model saved by unrolled; load it with `unrolled.load(folder)`.", ""]
    lines += ["## Trained on", ""]
    lines += _list_of(task.summary_)
    said = task.describe()
    columns = {column.name: column.holds or column.kind for column in said.columns}
    if said.target and said.target not in columns:
        columns[said.target] = f"{task.schema_.named(said.target) or 'any values'} (the target)"
    lines += ["", "## Columns", "", *_list_of(columns), "", "## Reading", "", *_list_of(said.reading)]
    lines += ["", "## Model", "", f"- weights: {count_weights(task.network_):,}"]
    lines += _list_of({key: value for key, value in task.get_params(deep=False).items() if value is not None})
    if task.blend_ is not None:
        lines += ["", "## Answer", "", *_list_of(_answer(task.blend_))]
    lines += ["", "## Training", ""]
    lines += _list_of(_training(task.history_))
    lines += ["", "## Scores on the held-out share", ""]
    if task.scores_ is None:
        lines += ["None: no data was held out. `unrolled evaluate` compares it with the baselines."]
    else:
        lines += [block(str(task.scores_))]
    return "\n".join(lines) + "\n"


def _training(history: History) -> dict[str, Any]:
    """Return a few values about the training run."""
    if not history.rows:
        return {"updates": 0}
    last, best = history.rows[-1], history.best
    record: dict[str, Any] = {"updates": last.update, "epochs": round(last.epoch, 2), "seconds": round(last.seconds, 1)}
    record["ended by"] = history.ending
    record["last training loss"] = round(last.train_loss, 4)
    if best is not None and best.validation_loss is not None:
        record["best validation loss"] = f"{best.validation_loss:.4f} after epoch {best.epoch:.3g}"
    return record


def _answer(blend: Blend) -> dict[str, Any]:
    """Return how a blend answers, and on what evidence it was chosen."""
    parts = {f"weight of {key}": round(blend.weight_of(key), 4) for key in blend.used}
    gain = f"{blend.gain:.4f}, standard error {blend.standard_error:.4f}"
    return {
        **parts,
        "best single part": blend.best,
        "gain of the blend over it": gain,
        "blend adopted": "yes" if blend.adopted else "no",
        "chosen on": f"{blend.rows:,} rows, {blend.chosen_on}",
    }


def _list_of(values: Mapping[str, Any]) -> list[str]:
    return [f"- {inline(key)}: {inline(value)}" for key, value in values.items()]


def inline(value: Any) -> str:
    r"""Return a value for a line of Markdown; anything other than plain words and numbers is formatted as code.

    Names of columns and classes come from data: as Markdown they could add links, pictures, headings or HTML.

    Example:
        >>> inline(0.5), inline("<b>*x*</b>"), inline("a`b\n# c")
        ('0.5', '`<b>*x*</b>`', '`` a`b # c ``')
    """
    text = str(value)
    text = " ".join(shown(text if len(text) <= LONGEST else text[: LONGEST - 3] + "...").split())
    if PLAIN.fullmatch(text):
        return text
    fence = "`" * (_longest_ticks(text) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def block(text: str) -> str:
    """Return lines as a code block that their content cannot end."""
    text = "\n".join(shown(line) for line in text.split("\n"))
    fence = "`" * max(3, _longest_ticks(text) + 1)
    return f"{fence}\n{text}\n{fence}"


def shown(text: str) -> str:
    """Replace the control characters of a text, which a terminal would obey; keep blanks of every kind."""
    return "".join(sign if sign.isprintable() or sign.isspace() else f"\\u{ord(sign):04x}" for sign in text)


def _longest_ticks(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
