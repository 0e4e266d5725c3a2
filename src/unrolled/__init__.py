"""unrolled: sequence modelling with recurrent networks.

The public names, and nothing else. Each is imported from its module when it is first used, so that
`import unrolled` and `unrolled --help` do not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from unrolled import errors as errors

__version__ = "0.1.0"

# Every public name and its module. A new name is one line here and one below, for editors and type checkers.
_HOME = {
    "Ragged": "unrolled.ragged",
    # data
    "Documents": "unrolled.data.documents",
    "Table": "unrolled.data.source",
    "as_source": "unrolled.data.readers",
    "read": "unrolled.data.readers",
    "read_arff": "unrolled.data.formats.arff",
    "read_arrow": "unrolled.data.formats.arrow",
    "read_conll": "unrolled.data.formats.conll",
    "read_csv": "unrolled.data.readers",
    "read_excel": "unrolled.data.formats.excel",
    "read_fasta": "unrolled.data.formats.fasta",
    "read_fastq": "unrolled.data.formats.fastq",
    "read_folder": "unrolled.data.formats.folders",
    "read_json": "unrolled.data.formats.json_tables",
    "read_jsonl": "unrolled.data.readers",
    "read_npy": "unrolled.data.formats.arrays",
    "read_npz": "unrolled.data.formats.arrays",
    "read_parallel": "unrolled.data.formats.parallel",
    "read_parquet": "unrolled.data.readers",
    "read_po": "unrolled.data.formats.catalogues",
    "read_sql": "unrolled.data.sql",
    "read_subtitles": "unrolled.data.formats.subtitles",
    "read_text": "unrolled.data.readers",
    "read_ts": "unrolled.data.formats.ts",
    "read_tsf": "unrolled.data.formats.tsf",
    "read_tsv": "unrolled.data.readers",
    "read_ucr": "unrolled.data.formats.ucr",
    "read_xes": "unrolled.data.formats.xes",
    "scan_parquet": "unrolled.data.readers",
    "stay_points": "unrolled.data.trajectories",
    # codecs
    "Audio": "unrolled.codecs.media.audio",
    "Categories": "unrolled.codecs.tables.category",
    "Characters": "unrolled.codecs.text.characters",
    "Frames": "unrolled.codecs.tables.frames",
    "Labels": "unrolled.codecs.tables.labels",
    "MultiLabels": "unrolled.codecs.tables.labels",
    "Numbers": "unrolled.codecs.tables.numeric",
    "Places": "unrolled.codecs.tables.places",
    "Pictures": "unrolled.codecs.media.picture",
    "Record": "unrolled.codecs.record",
    "Subwords": "unrolled.codecs.text.subwords",
    "TimeFeatures": "unrolled.codecs.tables.time",
    "Video": "unrolled.codecs.media.video",
    "WordCharacters": "unrolled.codecs.text.word_characters",
    "Words": "unrolled.codecs.text.words",
    # cells and networks
    "ElmanCell": "unrolled.cells.elman",
    "GRUCell": "unrolled.cells.gru",
    "LSTMCell": "unrolled.cells.lstm",
    "LayerNormGRUCell": "unrolled.cells.layer_norm_gru",
    "LayerNormLSTMCell": "unrolled.cells.layer_norm_lstm",
    "LinearRecurrenceCell": "unrolled.cells.linear_recurrence",
    "MinGRUCell": "unrolled.cells.min_gru",
    "MinLSTMCell": "unrolled.cells.min_lstm",
    "PeepholeLSTMCell": "unrolled.cells.peephole_lstm",
    "ProjectedLSTMCell": "unrolled.cells.projected_lstm",
    "Stack": "unrolled.nn.stack",
    "unroll": "unrolled.nn.unroll",
    # reports
    "UnrolledWarning": "unrolled.reading_report",
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
    "Scores": "unrolled.metrics.scores",
    "caption_scores": "unrolled.metrics.texts.text_scores",
    "confusion": "unrolled.metrics.confusion",
    "sentence_scores": "unrolled.metrics.texts.text_scores",
    "text_scores": "unrolled.metrics.texts.text_scores",
    "Captioner": "unrolled.tasks.seq2seq.captioner",
    "Classifier": "unrolled.tasks.classification.classifier",
    "Detector": "unrolled.tasks.detection.detector",
    "Forecaster": "unrolled.tasks.forecasting.forecaster",
    "LanguageModel": "unrolled.tasks.language.language_model",
    "NextPlace": "unrolled.tasks.items.next_place",
    "Recommender": "unrolled.tasks.items.recommender",
    "SequenceModel": "unrolled.tasks.vectors.sequence_model",
    "Tagger": "unrolled.tasks.classification.tagger",
    "Translator": "unrolled.tasks.seq2seq.translator",
    "load": "unrolled.tasks.registry",
}
_ROOMS = ("nn",)  # used by attribute, as torch.nn is

if TYPE_CHECKING:
    from unrolled import nn as nn
    from unrolled.cells.elman import ElmanCell as ElmanCell
    from unrolled.cells.gru import GRUCell as GRUCell
    from unrolled.cells.layer_norm_gru import LayerNormGRUCell as LayerNormGRUCell
    from unrolled.cells.layer_norm_lstm import LayerNormLSTMCell as LayerNormLSTMCell
    from unrolled.cells.linear_recurrence import LinearRecurrenceCell as LinearRecurrenceCell
    from unrolled.cells.lstm import LSTMCell as LSTMCell
    from unrolled.cells.min_gru import MinGRUCell as MinGRUCell
    from unrolled.cells.min_lstm import MinLSTMCell as MinLSTMCell
    from unrolled.cells.peephole_lstm import PeepholeLSTMCell as PeepholeLSTMCell
    from unrolled.cells.projected_lstm import ProjectedLSTMCell as ProjectedLSTMCell
    from unrolled.codecs.media.audio import Audio as Audio
    from unrolled.codecs.media.picture import Pictures as Pictures
    from unrolled.codecs.media.video import Video as Video
    from unrolled.codecs.record import Record as Record
    from unrolled.codecs.tables.category import Categories as Categories
    from unrolled.codecs.tables.frames import Frames as Frames
    from unrolled.codecs.tables.labels import Labels as Labels
    from unrolled.codecs.tables.labels import MultiLabels as MultiLabels
    from unrolled.codecs.tables.numeric import Numbers as Numbers
    from unrolled.codecs.tables.places import Places as Places
    from unrolled.codecs.tables.time import TimeFeatures as TimeFeatures
    from unrolled.codecs.text.characters import Characters as Characters
    from unrolled.codecs.text.subwords import Subwords as Subwords
    from unrolled.codecs.text.word_characters import WordCharacters as WordCharacters
    from unrolled.codecs.text.words import Words as Words
    from unrolled.data.documents import Documents as Documents
    from unrolled.data.formats.arff import read_arff as read_arff
    from unrolled.data.formats.arrays import read_npy as read_npy
    from unrolled.data.formats.arrays import read_npz as read_npz
    from unrolled.data.formats.arrow import read_arrow as read_arrow
    from unrolled.data.formats.catalogues import read_po as read_po
    from unrolled.data.formats.conll import read_conll as read_conll
    from unrolled.data.formats.excel import read_excel as read_excel
    from unrolled.data.formats.fasta import read_fasta as read_fasta
    from unrolled.data.formats.fastq import read_fastq as read_fastq
    from unrolled.data.formats.folders import read_folder as read_folder
    from unrolled.data.formats.json_tables import read_json as read_json
    from unrolled.data.formats.parallel import read_parallel as read_parallel
    from unrolled.data.formats.subtitles import read_subtitles as read_subtitles
    from unrolled.data.formats.ts import read_ts as read_ts
    from unrolled.data.formats.tsf import read_tsf as read_tsf
    from unrolled.data.formats.ucr import read_ucr as read_ucr
    from unrolled.data.formats.xes import read_xes as read_xes
    from unrolled.data.readers import as_source as as_source
    from unrolled.data.readers import read as read
    from unrolled.data.readers import read_csv as read_csv
    from unrolled.data.readers import read_jsonl as read_jsonl
    from unrolled.data.readers import read_parquet as read_parquet
    from unrolled.data.readers import read_text as read_text
    from unrolled.data.readers import read_tsv as read_tsv
    from unrolled.data.readers import scan_parquet as scan_parquet
    from unrolled.data.source import Table as Table
    from unrolled.data.sql import read_sql as read_sql
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
    from unrolled.metrics.confusion import confusion as confusion
    from unrolled.metrics.scores import Scores as Scores
    from unrolled.metrics.texts.text_scores import caption_scores as caption_scores
    from unrolled.metrics.texts.text_scores import sentence_scores as sentence_scores
    from unrolled.metrics.texts.text_scores import text_scores as text_scores
    from unrolled.nn.stack import Stack as Stack
    from unrolled.nn.unroll import unroll as unroll
    from unrolled.ragged import Ragged as Ragged
    from unrolled.reading_report import UnrolledWarning as UnrolledWarning
    from unrolled.streaming.sessions import Sessions as Sessions
    from unrolled.streaming.state import StreamState as StreamState
    from unrolled.streaming.stores.registry import open_store as open_store
    from unrolled.streaming.stream import Stream as Stream
    from unrolled.tasks.classification.classifier import Classifier as Classifier
    from unrolled.tasks.classification.tagger import Tagger as Tagger
    from unrolled.tasks.detection.detector import Detector as Detector
    from unrolled.tasks.forecasting.forecaster import Forecaster as Forecaster
    from unrolled.tasks.items.next_place import NextPlace as NextPlace
    from unrolled.tasks.items.recommender import Recommender as Recommender
    from unrolled.tasks.language.language_model import LanguageModel as LanguageModel
    from unrolled.tasks.registry import load as load
    from unrolled.tasks.seq2seq.captioner import Captioner as Captioner
    from unrolled.tasks.seq2seq.translator import Translator as Translator
    from unrolled.tasks.vectors.sequence_model import SequenceModel as SequenceModel
    from unrolled.training.callbacks import Callback as Callback

__all__ = [*_HOME, *_ROOMS, "errors"]  # pyright: ignore[reportUnsupportedDunderAll]

if not TYPE_CHECKING:  # a type checker reads the imports above, and so still finds a misspelt name

    def __getattr__(name: str) -> object:
        """Import a public name from its module when it is first used."""
        if name in _ROOMS:
            return import_module(f"unrolled.{name}")
        if name not in _HOME:
            raise AttributeError(f"module 'unrolled' has no attribute {name!r}; {errors.nearest(name, __all__)}")
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
