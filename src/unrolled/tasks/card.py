"""The card of a saved model: what it is, what it learnt from, how good it is and beside what."""

from typing import Any

from unrolled.nn.layers import count_weights
from unrolled.training.history import History


def write_card(task: Any) -> str:
    """Markdown for a reader of the model folder, made only of values the model holds."""
    name = type(task).__name__
    lines = [f"# {name}", "", "A sequence model saved by unrolled; load it with `unrolled.load(folder)`.", ""]
    lines += ["## Trained on", ""]
    lines += [f"- {key}: {_short(value)}" for key, value in task.summary_.items()]
    lines += ["", "## Model", "", f"- weights: {count_weights(task.network_):,}"]
    lines += [f"- {key}: {_short(value)}" for key, value in task.get_params(deep=False).items() if value is not None]
    lines += ["", "## Training", ""]
    lines += [f"- {key}: {_short(value)}" for key, value in _training(task.history_).items()]
    lines += ["", "## Scores on the held-out share", ""]
    if task.scores_ is None:
        lines += ["None: no data was held out. `unrolled evaluate` gives scores beside the baselines."]
    else:
        lines += ["```", str(task.scores_), "```"]
    return "\n".join(lines) + "\n"


def _training(history: History) -> dict[str, Any]:
    """How training went, in a few values."""
    if not history.rows:
        return {"updates": 0}
    last, best = history.rows[-1], history.best
    record: dict[str, Any] = {"updates": last.update, "epochs": round(last.epoch, 2), "seconds": round(last.seconds, 1)}
    record["ended by"] = history.stopped
    record["last training loss"] = round(last.train_loss, 4)
    if best is not None and best.validation_loss is not None:
        record["best validation loss"] = f"{best.validation_loss:.4f} after epoch {best.epoch:.3g}"
    return record


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else text[:197] + "..."
