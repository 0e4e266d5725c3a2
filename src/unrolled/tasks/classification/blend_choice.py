"""The choice of a classifier's blend: predictions that no member was fitted on, and the weights that suit them."""

import copy
import warnings
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np

from unrolled.baselines.base import Baseline
from unrolled.blending.blend import NETWORK, Blend
from unrolled.blending.choice import choose
from unrolled.blending.folds import Fold, expanding_folds, group_folds, stratified_folds
from unrolled.blending.log_pool import LogPool, log_pool
from unrolled.codecs.tables.labels import MultiLabels
from unrolled.data.source import Source, Table, as_table
from unrolled.errors import DataError
from unrolled.reading_report import UnrolledWarning, quietly
from unrolled.tasks.shared.answering import FitRun
from unrolled.training.distributed import Processes, choose_device
from unrolled.training.interrupts import catching_interrupts
from unrolled.training.options import TrainingOptions

ANSWERS = (NETWORK, "blend")
FOLDS = 4
FEW = 5000  # records; with fewer the weights are chosen on folds
SHARE = 0.1  # of more records, or with a limit in minutes: held out of all fits
LEAST = 40  # records below which the network answers alone: no weights can be told from noise
MOST_NUMBERS = 4_000_000  # probabilities of all members that the weights are fitted on; further records are thinned out
APART = ("checkpoint", "resume", "tensorboard")  # training options that belong to the final network alone


class Predictions(NamedTuple):
    """What each member said of records that it was not fitted on.

    Args:
        shares: probabilities by member, (N, V) each.
        truth: class of each record, (N,), below 0 = unknown; or 1 for each label that it has, (N, V).
        groups: group of each record; None = each record is one.
    """

    shares: dict[str, np.ndarray]
    truth: np.ndarray
    groups: list[Hashable] | None


def uses_folds(records: int, settings: TrainingOptions) -> bool:
    """Return whether the weights are chosen on folds; else on a part that is held out of all fits."""
    return records < FEW and not settings.minutes


def choose_blend(task: Any, fit: FitRun) -> Blend | None:
    """Choose the weights of a fitted classifier's network and baselines.

    Args:
        task: the classifier.
        fit: its rows and options: without rows set aside, folds of the training rows are fitted, and the held-out rows
            give the sum of the weights.

    Returns:
        The blend; None where there is too little to choose on, or Ctrl-C came before the first fold was done.
    """
    if fit.aside is not None:
        return _chosen(task, predictions(task, fit.aside), "held-out part")
    if len(fit.train) < LEAST or not uses_folds(len(fit.train), fit.settings) or task.history_.interrupted:
        return None
    try:
        found = _out_of_fold(task, as_table(fit.train), fit.settings, fit.options)
    except DataError as fault:  # a fold may lack what only a few records have
        warnings.warn(UnrolledWarning(f"the network answers alone, without a blend: {fault}"), stacklevel=2)
        return None
    blend = None if found is None else _chosen(task, found, "folds")
    return blend if blend is None or not blend.adopted or fit.held is None else _rescaled(task, blend, fit.held)


def predictions(task: Any, source: Source) -> Predictions:
    """Return what a fitted classifier's members say of records, with the truth."""
    examples = task._encode(source, targets=False)
    return Predictions(task._members(source, examples), _truth(task, source), _groups(source))


def pooled(blend: Blend, shares: Mapping[str, np.ndarray], several: bool) -> np.ndarray:
    """Return the probabilities of a blend, (N, V).

    Args:
        blend: the weights.
        shares: probabilities of each member with a weight, (N, V) each.
        several: whether each label is a yes or no of its own, instead of one class for all.
    """
    used = blend.used
    if len(used) == 1 and blend.weight_of(used[0]) == 1:
        return shares[used[0]]
    weights = np.array([blend.weight_of(member) for member in used])
    stack = np.stack([shares[member] for member in used])  # (M, N, V)
    if not several:
        return log_pool(stack, weights)
    return log_pool(_yes_or_no(stack), weights)[:, 1].reshape(stack.shape[1:])


def _yes_or_no(stack: np.ndarray) -> np.ndarray:
    """Return probabilities of labels, (M, N, V), as those of no and yes, (M, N * V, 2)."""
    flat = stack.reshape(len(stack), -1)
    return np.stack([1 - flat, flat], axis=2)


def _chosen(task: Any, found: Predictions, chosen_on: str) -> Blend | None:
    pool, groups = _pool(task, found)
    return choose(pool, tuple(found.shares), groups, pool.counts, chosen_on) if pool.rows else None


def _pool(task: Any, found: Predictions) -> tuple[LogPool, list[Hashable] | None]:
    """Return predictions as a pool, and the groups of its rows."""
    stack = np.stack([*found.shares.values()])  # (M, N, V)
    known = np.arange(len(found.truth)) if found.truth.ndim == 2 else np.flatnonzero(found.truth >= 0)
    most = max(1, MOST_NUMBERS // (stack.shape[0] * stack.shape[2]))
    known = known[:: max(1, -(-len(known) // most))]
    stack, truth = stack[:, known], found.truth[known]
    groups = None if found.groups is None else [found.groups[row] for row in known]
    if truth.ndim == 2:
        rows = [group for group in groups or known.tolist() for _ in range(truth.shape[1])]
        return LogPool(_yes_or_no(stack), truth.ravel().astype(np.int64)), rows
    counts = None if task.class_weights_ is None else np.asarray(task.class_weights_)[truth]
    return LogPool(stack, truth, counts), groups


def _rescaled(task: Any, blend: Blend, held: Source) -> Blend:
    """Return the blend with the sum of its weights chosen on held-out records: on folds the members knew less."""
    pool, _ = _pool(task, predictions(task, held))
    weights = blend.array() * pool.scale(blend.array()) if pool.rows else blend.array()
    return blend.with_weights(weights)


def _truth(task: Any, source: Source) -> np.ndarray:
    truth, *_ = task.target_codec_.truth(list(source))
    return truth.values.numpy()


def _groups(source: Source) -> list[Hashable] | None:
    if not isinstance(source, Table) or source.group is None:
        return None
    return source.frame[source.group].to_list()


def _folds(task: Any, table: Table, truth: np.ndarray, seed: int) -> list[Fold]:
    groups = _groups(table)
    if groups is not None:
        return group_folds(groups, FOLDS, seed)
    if table.time is not None:
        return expanding_folds(len(table), FOLDS)
    labels = truth.tolist() if truth.ndim == 1 else [""] * len(table)
    return stratified_folds(labels, FOLDS, seed)


def _out_of_fold(task: Any, table: Table, settings: TrainingOptions, options: Mapping[str, Any]) -> Predictions | None:
    """Return predictions of each record by members that were fitted on other records, as far as Ctrl-C let them."""
    truth, groups = _truth(task, table), _groups(table)
    stops: list[bool] = []
    processes = Processes(choose_device(settings.device))  # all of them stop together
    found, rows = [], []
    quiet = {name: value for name, value in options.items() if name not in APART}
    quiet["refit"] = False  # half the time; network and baselines of a fold have learnt from the same rows
    with catching_interrupts(lambda: stops.append(True)):
        for fold in _folds(task, table, truth, settings.seed):
            part = _like(task, truth[fold.fitted])
            with quietly():
                part.fit(table.select(fold.fitted), **quiet)
            if processes.any(bool(stops)) or part.history_.interrupted:
                break
            found.append(_in_classes_of(task, part, table.select(fold.held)))
            rows.append(fold.held)
    if not found:
        return None
    members = [name for name in (NETWORK, *task.baselines_) if all(name in each for each in found)]
    shares = {name: np.concatenate([each[name] for each in found]) for name in members}
    places = np.concatenate(rows)
    return Predictions(shares, truth[places], None if groups is None else [groups[row] for row in places])


def _like(task: Any, truth: np.ndarray) -> Any:
    """Return an unfitted classifier with the options of another, for records with these classes."""
    part = copy.deepcopy(type(task)(**task.get_params(deep=False)))
    part.set_params(answer=NETWORK)
    if isinstance(task.class_weights, Mapping):  # a class that the fold lacks cannot be weighted
        there = {task.classes_[place] for place in np.unique(truth[truth >= 0])}
        part.set_params(class_weights={name: one for name, one in task.class_weights.items() if name in there})
    return part


def _in_classes_of(task: Any, part: Any, source: Source) -> dict[str, np.ndarray]:
    """Return the members' probabilities of all classes of a task, 0 for a class that the part never saw."""
    places = {label: place for place, label in enumerate(task.classes_.tolist())}
    columns = [places[label] for label in part.classes_.tolist()]
    answers = {}
    for name, shares in part._members(source, part._encode(source, targets=False)).items():
        answers[name] = np.zeros((len(shares), len(places)))
        answers[name][:, columns] = shares
    return answers


def members_of(task: Any) -> Mapping[str, Baseline]:
    """Return the baselines that have a weight in a classifier's blend, by key; none without a blend."""
    blend = task.blend_
    return {} if blend is None else {key: task.baselines_[key] for key in blend.used if key != NETWORK}


def is_multiple(task: Any) -> bool:
    """Return whether a classifier answers with any number of labels at once."""
    return isinstance(task.target_codec_, MultiLabels)
