"""unrolled: sequence modelling with recurrent networks.

The public names, and nothing else. Each is imported from its module when it is first used, so that
`import unrolled` and `unrolled --help` do not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from unrolled import errors as errors

__version__ = "0.1.0"

# Every public name and its home. A new name is one line here and one below, for editors and type checkers.
_HOME = {
    "Ragged": "unrolled.ragged",
    # data
    "Documents": "unrolled.data.documents",
    "Table": "unrolled.data.source",
    "as_source": "unrolled.data.readers",
    "read": "unrolled.data.readers",
    "read_conll": "unrolled.data.readers",
    "read_csv": "unrolled.data.readers",
    "read_fasta": "unrolled.data.readers",
    "read_folder": "unrolled.data.folders",
    "read_jsonl": "unrolled.data.readers",
    "read_parquet": "unrolled.data.readers",
    "read_parallel": "unrolled.data.parallel",
    "read_po": "unrolled.data.catalogues",
    "read_text": "unrolled.data.readers",
    "read_ts": "unrolled.data.readers",
    "read_tsv": "unrolled.data.readers",
    "scan_parquet": "unrolled.data.readers",
    "stay_points": "unrolled.data.trajectories",
    # codecs
    "Audio": "unrolled.codecs.audio",
    "Categories": "unrolled.codecs.category",
    "Characters": "unrolled.codecs.text",
    "Frames": "unrolled.codecs.frames",
    "Labels": "unrolled.codecs.labels",
    "MultiLabels": "unrolled.codecs.labels",
    "Numbers": "unrolled.codecs.numeric",
    "Places": "unrolled.codecs.places",
    "Pictures": "unrolled.codecs.picture",
    "Record": "unrolled.codecs.record",
    "Subwords": "unrolled.codecs.subwords",
    "TimeFeatures": "unrolled.codecs.time",
    "Video": "unrolled.codecs.video",
    "WordCharacters": "unrolled.codecs.word_characters",
    "Words": "unrolled.codecs.words",
    # cells and networks
    "Elman": "unrolled.cells.elman",
    "GRU": "unrolled.cells.gru",
    "LSTM": "unrolled.cells.lstm",
    "LayerNormGRU": "unrolled.cells.layer_norm_gru",
    "LayerNormLSTM": "unrolled.cells.layer_norm_lstm",
    "LinearRecurrence": "unrolled.cells.linear_recurrence",
    "MinGRU": "unrolled.cells.min_gru",
    "MinLSTM": "unrolled.cells.min_lstm",
    "PeepholeLSTM": "unrolled.cells.peephole_lstm",
    "ProjectedLSTM": "unrolled.cells.projected_lstm",
    "Stack": "unrolled.nn.stack",
    "unroll": "unrolled.nn.unroll",
    # training
    "Callback": "unrolled.training.callbacks",
    # streams
    "Sessions": "unrolled.streaming.sessions",
    "Stream": "unrolled.streaming.stream",
    "StreamState": "unrolled.streaming.state",
    "open_store": "unrolled.streaming.stores.registry",
    # inspection
    "GradientFlowMonitor": "unrolled.inspection.monitor",
    "GradientFlowWarning": "unrolled.inspection.monitor",
    "batch_mates_matter": "unrolled.inspection.checks",
    "forgets_state_between_calls": "unrolled.inspection.checks",
    "gradient_flow": "unrolled.inspection.gradient_flow",
    "leaks_state_between_sequences": "unrolled.inspection.checks",
    "looks_into_the_future": "unrolled.inspection.checks",
    "padding_changes_results": "unrolled.inspection.checks",
    "saliency": "unrolled.inspection.saliency",
    "states": "unrolled.inspection.states",
    "unfold": "unrolled.inspection.unfolding",
    # tasks and their scores
    "Scores": "unrolled.metrics",
    "caption_scores": "unrolled.text_metrics.scores",
    "confusion": "unrolled.confusion_matrix",
    "sentence_scores": "unrolled.text_metrics.scores",
    "text_scores": "unrolled.text_metrics.scores",
    "Captioner": "unrolled.tasks.captioner",
    "Classifier": "unrolled.tasks.classifier",
    "Detector": "unrolled.tasks.detector",
    "Forecaster": "unrolled.tasks.forecaster",
    "LanguageModel": "unrolled.tasks.language",
    "NextPlace": "unrolled.tasks.next_place",
    "Recommender": "unrolled.tasks.recommender",
    "SequenceModel": "unrolled.tasks.sequence",
    "Tagger": "unrolled.tasks.tagger",
    "Translator": "unrolled.tasks.translator",
    "load": "unrolled.tasks.registry",
}
_ROOMS = ("nn",)  # used by attribute, as torch.nn is

if TYPE_CHECKING:
    from unrolled import nn as nn
    from unrolled.cells.elman import Elman as Elman
    from unrolled.cells.gru import GRU as GRU
    from unrolled.cells.layer_norm_gru import LayerNormGRU as LayerNormGRU
    from unrolled.cells.layer_norm_lstm import LayerNormLSTM as LayerNormLSTM
    from unrolled.cells.linear_recurrence import LinearRecurrence as LinearRecurrence
    from unrolled.cells.lstm import LSTM as LSTM
    from unrolled.cells.min_gru import MinGRU as MinGRU
    from unrolled.cells.min_lstm import MinLSTM as MinLSTM
    from unrolled.cells.peephole_lstm import PeepholeLSTM as PeepholeLSTM
    from unrolled.cells.projected_lstm import ProjectedLSTM as ProjectedLSTM
    from unrolled.codecs.audio import Audio as Audio
    from unrolled.codecs.category import Categories as Categories
    from unrolled.codecs.frames import Frames as Frames
    from unrolled.codecs.labels import Labels as Labels
    from unrolled.codecs.labels import MultiLabels as MultiLabels
    from unrolled.codecs.numeric import Numbers as Numbers
    from unrolled.codecs.picture import Pictures as Pictures
    from unrolled.codecs.places import Places as Places
    from unrolled.codecs.record import Record as Record
    from unrolled.codecs.subwords import Subwords as Subwords
    from unrolled.codecs.text import Characters as Characters
    from unrolled.codecs.time import TimeFeatures as TimeFeatures
    from unrolled.codecs.video import Video as Video
    from unrolled.codecs.word_characters import WordCharacters as WordCharacters
    from unrolled.codecs.words import Words as Words
    from unrolled.confusion_matrix import confusion as confusion
    from unrolled.data.catalogues import read_po as read_po
    from unrolled.data.documents import Documents as Documents
    from unrolled.data.folders import read_folder as read_folder
    from unrolled.data.parallel import read_parallel as read_parallel
    from unrolled.data.readers import as_source as as_source
    from unrolled.data.readers import read as read
    from unrolled.data.readers import read_conll as read_conll
    from unrolled.data.readers import read_csv as read_csv
    from unrolled.data.readers import read_fasta as read_fasta
    from unrolled.data.readers import read_jsonl as read_jsonl
    from unrolled.data.readers import read_parquet as read_parquet
    from unrolled.data.readers import read_text as read_text
    from unrolled.data.readers import read_ts as read_ts
    from unrolled.data.readers import read_tsv as read_tsv
    from unrolled.data.readers import scan_parquet as scan_parquet
    from unrolled.data.source import Table as Table
    from unrolled.data.trajectories import stay_points as stay_points
    from unrolled.inspection.checks import batch_mates_matter as batch_mates_matter
    from unrolled.inspection.checks import forgets_state_between_calls as forgets_state_between_calls
    from unrolled.inspection.checks import leaks_state_between_sequences as leaks_state_between_sequences
    from unrolled.inspection.checks import looks_into_the_future as looks_into_the_future
    from unrolled.inspection.checks import padding_changes_results as padding_changes_results
    from unrolled.inspection.gradient_flow import gradient_flow as gradient_flow
    from unrolled.inspection.monitor import GradientFlowMonitor as GradientFlowMonitor
    from unrolled.inspection.monitor import GradientFlowWarning as GradientFlowWarning
    from unrolled.inspection.saliency import saliency as saliency
    from unrolled.inspection.states import states as states
    from unrolled.inspection.unfolding import unfold as unfold
    from unrolled.metrics import Scores as Scores
    from unrolled.nn.stack import Stack as Stack
    from unrolled.nn.unroll import unroll as unroll
    from unrolled.ragged import Ragged as Ragged
    from unrolled.streaming.sessions import Sessions as Sessions
    from unrolled.streaming.state import StreamState as StreamState
    from unrolled.streaming.stores.registry import open_store as open_store
    from unrolled.streaming.stream import Stream as Stream
    from unrolled.tasks.captioner import Captioner as Captioner
    from unrolled.tasks.classifier import Classifier as Classifier
    from unrolled.tasks.detector import Detector as Detector
    from unrolled.tasks.forecaster import Forecaster as Forecaster
    from unrolled.tasks.language import LanguageModel as LanguageModel
    from unrolled.tasks.next_place import NextPlace as NextPlace
    from unrolled.tasks.recommender import Recommender as Recommender
    from unrolled.tasks.registry import load as load
    from unrolled.tasks.sequence import SequenceModel as SequenceModel
    from unrolled.tasks.tagger import Tagger as Tagger
    from unrolled.tasks.translator import Translator as Translator
    from unrolled.text_metrics.scores import caption_scores as caption_scores
    from unrolled.text_metrics.scores import sentence_scores as sentence_scores
    from unrolled.text_metrics.scores import text_scores as text_scores
    from unrolled.training.callbacks import Callback as Callback

__all__ = [*_HOME, *_ROOMS, "errors"]  # pyright: ignore[reportUnsupportedDunderAll]

if not TYPE_CHECKING:  # a type checker reads the imports above, and so still finds a misspelt name

    def __getattr__(name: str) -> object:
        """Import a public name from its home when it is first used."""
        if name in _ROOMS:
            return import_module(f"unrolled.{name}")
        if name not in _HOME:
            raise AttributeError(f"module 'unrolled' has no attribute {name!r}; {errors.nearest(name, __all__)}")
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
