"""All baselines by key, and the baselines of each task. A new one is one file and one line here."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from unrolled.baselines import (
    anomalies,
    boosted_lags,
    captions,
    classification,
    densities,
    exponential_smoothing,
    forecasting,
    frames,
    habit_mixture,
    items,
    language,
    lead_sentence,
    linear_items,
    mean_frame,
    per_label,
    retrieval,
    seasonal_average,
    session_neighbours,
    tagging,
    theta,
    translation,
)
from unrolled.baselines.base import Baseline
from unrolled.baselines.values import Example, films, has_numbers, has_words, texts, tokens
from unrolled.errors import ArtifactError, unknown
from unrolled.forms import check_forms
from unrolled.metrics.texts.counted_words import written_words

BASELINES: dict[str, type[Baseline]] = {
    baseline.key: baseline
    for baseline in (
        classification.Majority,
        classification.BagOfWords,
        classification.CharacterNGrams,
        classification.PositionalNaiveBayes,
        classification.FixedWindow,
        classification.SummaryStatistics,
        classification.EveryColumn,
        classification.MeanSpectrum,
        mean_frame.MeanFrame,
        per_label.PerLabel,
        tagging.MostFrequentTag,
        tagging.WindowTagger,
        language.NGram,
        frames.Marginal,
        frames.KeyTransitions,
        frames.LastFrame,
        frames.FrameRidge,
        frames.FrameLogistic,
        densities.GaussianFrames,
        forecasting.LastValue,
        forecasting.SeasonalNaive,
        forecasting.Drift,
        forecasting.RidgeWindow,
        seasonal_average.SeasonalAverage,
        theta.Theta,
        exponential_smoothing.ExponentialSmoothing,
        boosted_lags.BoostedLags,
        translation.CopySource,
        translation.LeadWords,
        lead_sentence.LeadSentence,
        translation.MostFrequentAnswer,
        retrieval.NearestSource,
        captions.NearestPicture,
        items.Popularity,
        items.RecentPopularity,
        items.MarkovItems,
        items.ItemNeighbours,
        session_neighbours.SessionNeighbours,
        linear_items.LinearItems,
        items.OwnHistory,
        habit_mixture.HabitMixture,
        anomalies.MovingZScore,
        anomalies.SeasonalResidual,
        anomalies.IsolationForestWindows,
        anomalies.MarkovSurprise,
    )
}


def baseline_from_state(key: str, state: Mapping[str, Any]) -> Baseline:
    """Restore a fitted baseline from its `state`; `key` may carry a variant after a colon, as in "ngram:3".

    Raises:
        ArtifactError: a baseline that this version does not know, or values of another form than it declares.
    """
    name = key.partition(":")[0]
    if name not in BASELINES:
        raise unknown("baseline", name, BASELINES, ArtifactError)
    baseline = BASELINES[name].from_state(state)
    check_forms(baseline)
    return baseline


def classification_baselines(
    inputs: Sequence[Example], size: int, balanced: bool = False, media: Collection[str] = ()
) -> dict[str, Baseline]:
    """Return baselines for whole sequences, by the content of the records.

    Args:
        inputs: raw values by column; recordings as spectrograms (T, F).
        size: number of classes, K.
        balanced: let rare classes count as much as frequent ones.
        media: names of the codecs among the inputs that read recordings: "audio".
    """
    chosen: list[Baseline] = [classification.Majority(size)]
    sample = inputs[:1000]
    written = [value for example in sample for _, value in texts(example)]
    if any(map(tokens, sample)) and (not written or sum(" " in text.strip() for text in written) > len(written) / 4):
        chosen.append(classification.BagOfWords(size, balanced))
    if written:
        chosen.append(classification.CharacterNGrams(size, balanced))
        if len({len(text) for text in written}) == 1 <= len(written[0]) <= classification.LONGEST_TEXT:
            chosen.append(classification.PositionalNaiveBayes(size))
    if "audio" in media:
        chosen.append(classification.MeanSpectrum(size, balanced))
    elif has_numbers(inputs):  # the last frames of a recording are silence
        chosen.append(classification.FixedWindow(size, balanced))
    if has_numbers(inputs):
        chosen.append(classification.SummaryStatistics(size, balanced))
        if has_words(inputs):
            chosen.append(classification.EveryColumn(size, balanced))
    if any(map(films, sample)):
        chosen.append(mean_frame.MeanFrame(size, balanced))
    return _by_key(chosen)


def multilabel_baselines(inputs: Sequence[Example], size: int, media: Collection[str] = ()) -> dict[str, Baseline]:
    """Return baselines for any number of labels at once: those for whole sequences, one label at a time.

    Args:
        inputs: raw values by column.
        size: number of labels, V.
        media: names of the codecs among the inputs that read recordings: "audio".
    """
    kinds = [type(baseline) for baseline in classification_baselines(inputs, 2, media=media).values()]
    return {f"per_label:{kind.key}": per_label.PerLabel(kind, size) for kind in kinds}


def tagging_baselines() -> dict[str, Baseline]:
    """Return baselines for one label per step."""
    return _by_key([tagging.MostFrequentTag(), tagging.WindowTagger()])


def language_baselines(size: int, note: str = "") -> dict[str, Baseline]:
    """Return baselines for the next token.

    Args:
        size: vocabulary size, V.
        note: text in their names after the order, such as what the text was cut to.
    """
    return {f"ngram:{order}": language.NGram(size, order, note=note) for order in (5, 3, 1)}


def frame_baselines(binary: bool) -> dict[str, Baseline]:
    """Return baselines for the next vector."""
    if binary:
        return _by_key([frames.Marginal(), frames.KeyTransitions(), frames.FrameLogistic()])
    return _by_key([frames.Marginal(), frames.LastFrame(), frames.FrameRidge()])


def density_baselines(switches: Sequence[int]) -> dict[str, Baseline]:
    """Return baselines for a density of the next vector; columns at `switches` are 0 or 1."""
    kinds = densities.KINDS
    return {f"gaussian_frames:{key}": densities.GaussianFrames(kind, switches) for key, kind in kinds.items()}


def forecast_baselines(horizon: int, season: int) -> dict[str, Baseline]:
    """Return baselines that continue a series."""
    rules = (forecasting.SeasonalNaive, seasonal_average.SeasonalAverage, forecasting.LastValue, forecasting.Drift)
    models = (theta.Theta, exponential_smoothing.ExponentialSmoothing, forecasting.RidgeWindow)
    makers = (*rules, *models, boosted_lags.BoostedLags)
    return _by_key([maker(horizon, season) for maker in makers])


def anomaly_baselines(seasons: Sequence[int], events: bool, size: int) -> dict[str, Baseline]:
    """Return baselines for anomaly scores.

    Args:
        seasons: season lengths in steps, shortest first; none = compare with the step before.
        events: whether steps are categories.
        size: number of categories.
    """
    if events:
        return _by_key([anomalies.MarkovSurprise(size)])
    season = seasons[0] if seasons else 1
    return _by_key([anomalies.MovingZScore(), anomalies.SeasonalResidual(season), anomalies.IsolationForestWindows()])


def translation_baselines(inputs: Sequence[str]) -> dict[str, Baseline]:
    """Return baselines that answer a text with a text.

    Args:
        inputs: texts to answer; if none has several words, the baseline of first words is left out, and that of the
            first sentence unless half of them have several sentences.
    """
    sample = inputs[:1000]
    several = any(len(written_words(text)) > 1 for text in sample)
    lead: list[Baseline] = [translation.LeadWords()] if several else []
    if 2 * sum(lead_sentence.first_sentence(text) != text.strip() for text in sample) > len(sample):
        lead.append(lead_sentence.LeadSentence())
    return _by_key([translation.CopySource(), *lead, retrieval.NearestSource(), translation.MostFrequentAnswer()])


def caption_baselines() -> dict[str, Baseline]:
    """Return baselines for a sentence about a picture, a vector or a map of numbers."""
    return _by_key([captions.NearestPicture(), translation.MostFrequentAnswer("caption")])


def item_baselines(size: int, timed: bool) -> dict[str, Baseline]:
    """Return baselines that rank items for a user's next event.

    Args:
        size: number of items, V.
        timed: whether events have times, so that the recent ones are known.
    """
    kinds: list[type[items.ItemBaseline]] = [items.Popularity, *([items.RecentPopularity] if timed else [])]
    kinds += [items.MarkovItems, items.ItemNeighbours, session_neighbours.SessionNeighbours, linear_items.LinearItems]
    kinds += [items.OwnHistory, habit_mixture.HabitMixture]
    return _by_key([kind(size) for kind in kinds])


def _by_key(baselines: Sequence[Baseline]) -> dict[str, Baseline]:
    return {baseline.key: baseline for baseline in baselines}
