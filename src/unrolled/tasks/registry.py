"""All tasks by name, and `load`. A new task is one file and one line here."""

from importlib import import_module
from pathlib import Path
from typing import Any

from unrolled.artifacts import read_model
from unrolled.errors import ArtifactError, unknown

TASKS = {
    "Classifier": "unrolled.tasks.classification.classifier",
    "Tagger": "unrolled.tasks.classification.tagger",
    "Forecaster": "unrolled.tasks.forecasting.forecaster",
    "Detector": "unrolled.tasks.detection.detector",
    "LanguageModel": "unrolled.tasks.language.language_model",
    "SequenceModel": "unrolled.tasks.vectors.sequence_model",
    "Translator": "unrolled.tasks.seq2seq.translator",
    "Captioner": "unrolled.tasks.seq2seq.captioner",
    "Recommender": "unrolled.tasks.items.recommender",
    "NextPlace": "unrolled.tasks.items.next_place",
}


def task_class(name: str) -> Any:
    """Return the class of a task by its name."""
    if name not in TASKS:
        raise unknown("task", name, TASKS, ArtifactError)
    return getattr(import_module(TASKS[name]), name)


def load(folder: str | Path, files: bool = True) -> Any:
    """Load a saved model of any task; nothing in the folder is executed.

    Args:
        folder: a folder that `save` wrote.
        files: whether records may name recordings, pictures and films that the model then opens; turn it off if
            records come from unknown sources.

    Returns:
        The task, ready to predict.

    Raises:
        ArtifactError: not a model folder, damaged, or from a newer version.
    """
    record, tensors = read_model(folder)  # once: a second read may find another model
    return task_class(str(record.get("task")))._restored(record, tensors, folder, files)
